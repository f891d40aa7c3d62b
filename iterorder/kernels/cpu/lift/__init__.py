"""Functions that users write, for eight lanes at once: branches become choices, numbers become vectors."""

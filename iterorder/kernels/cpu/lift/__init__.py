"""Functions that users write, for several lanes at once: branches become choices, numbers become vectors."""

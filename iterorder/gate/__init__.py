"""Checks of a user's own systems, for continuous integration: the general claims, and rates held against a baseline."""

"""The explorer: one page, the server or the notebook's widget behind it, and what they say to each other."""

from iterorder.explore.widget import Explorer

__all__ = ["Explorer"]

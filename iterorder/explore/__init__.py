"""The explorer: one page, the server or the notebook's widget behind it, and what they say to each other."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iterorder.explore.widget import Explorer

__all__ = ["Explorer"]


def __getattr__(name: str) -> Any:
    if name == "Explorer":  # needs anywidget, which the server does not
        from iterorder.explore.widget import Explorer

        return Explorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

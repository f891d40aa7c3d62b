"""The Python side of a notebook's widget: what its views ask over the comm, and what is sent back."""

from __future__ import annotations

from collections.abc import Callable

from iterorder.explore.compiling import COMPILING, told_of_compiling
from iterorder.explore.session import Session
from iterorder.explore.systems import Catalogue

#: Views of one widget that are answered; a page that is loaded again leaves one behind, and the oldest goes.
MOST_VIEWS = 16


class Conversations:
    """A session for each view of a widget, so that two outputs of one cell do not disturb each other.

    Parameters
    ----------
    catalogue : Catalogue
        The systems that the page offers.
    runs : list of dict
        Runs of training to show.
    """

    def __init__(self, catalogue: Catalogue, runs: list[dict]) -> None:
        self._catalogue, self._runs = catalogue, runs
        self._sessions: dict[str, Session] = {}

    def answer(
        self, content: object, notify: Callable[[dict[str, str]], None] = lambda _: None
    ) -> tuple[dict[str, str], list[bytes]] | None:
        """The content and the buffers that are sent back; None to a goodbye, and to what no view has sent.

        `notify` takes what is sent before: that kernels are compiled.
        """
        name, text = (content.get("from"), content.get("text")) if isinstance(content, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(text, str):
            return None
        session = self._sessions.pop(name, None) or Session(self._catalogue, self._runs)
        if not text:  # the view was closed
            return None
        self._sessions[name] = session
        while len(self._sessions) > MOST_VIEWS:
            del self._sessions[next(iter(self._sessions))]
        with told_of_compiling(lambda: notify({"to": name, "notice": COMPILING})):
            reply = session.answer(text)
        return ({"to": name}, [reply]) if isinstance(reply, bytes) else ({"to": name, "text": reply}, [])

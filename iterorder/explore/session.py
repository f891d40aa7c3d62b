"""What one tab asks and is told: it holds the tab's view, and nothing of other tabs."""

from __future__ import annotations

import json
from collections.abc import Generator

from iterorder.errors import InvalidInputError, IterorderError
from iterorder.explore import curves, frames, snippet, stability
from iterorder.explore.certificate import certificate
from iterorder.explore.iterates import Iterates
from iterorder.explore.systems import ALWAYS, SYSTEMS, Catalogue
from iterorder.explore.tables import read_table
from iterorder.explore.view import DEFAULTS, View
from iterorder.files import plain
from iterorder.maps.losses import LOSSES
from iterorder.validation import as_int

#: JSON, or the bytes of a frame.
Reply = str | bytes


class Session:
    """The view of a tab.

    Parameters
    ----------
    catalogue : Catalogue
        The systems that the page offers.
    runs : list of dict
        What `training.training_runs` found.
    """

    def __init__(self, catalogue: Catalogue, runs: list[dict]) -> None:
        self.catalogue, self.runs = catalogue, runs
        self._scene: frames.Scene | None = None
        self._iterates: Iterates | None = None

    def answer(self, text: str) -> Reply:
        """The reply to a message: JSON, or the bytes of a frame. Errors of the library are replies."""
        pieces = self.pieces(text)
        while True:
            try:
                next(pieces)
            except StopIteration as end:
                return end.value

    def pieces(self, text: str) -> Generator[None, None, Reply]:
        """The same in pieces of work: a generator that returns the reply, and may be closed where it yields."""
        asked = "message"
        try:
            message = json.loads(text)
            if not isinstance(message, dict):
                raise InvalidInputError("a message is no object")
            asked = str(message.get("do"))[:40]
            found = yield from self._reply(asked, message)
        except (IterorderError, json.JSONDecodeError, RecursionError) as error:
            found = {"kind": "error", "asked": asked, "text": str(error)[:1000]}
        return found if isinstance(found, bytes) else json.dumps(plain(found), allow_nan=False)

    def _reply(self, asked: str, message: dict) -> Generator[None, None, dict | bytes]:
        if asked == "hello":
            return self._hello()
        if asked == "open":
            return (yield from self._open(View.from_query(_text(message, "view"))))
        if asked == "table":
            table = read_table(_text(message, "name"), _text(message, "text"))
            self.catalogue.tables.add(table)
            return {"kind": "table", **self._described(f"csv:{table.digest}")}
        if self._scene is None or self._iterates is None:
            raise InvalidInputError("no view is open: open one first")
        if asked == "frame":
            n = as_int("n", message.get("n"), low=0, high=self._scene.view.steps)
            return frames.packed(self._scene, n, (yield from self._iterates.at(n)))
        if asked == "theory":
            return {"kind": "theory", "view": self._scene.view.query, **curves.known(self._scene)}
        if asked == "stability":
            found = yield from stability.diagram(self.catalogue, self._scene.view)
            return {"kind": "stability", **found}
        raise InvalidInputError(f"the page asks for {asked!r}, which is not known: reload it")

    def _hello(self) -> dict:
        names = [*SYSTEMS, *(["file"] if self.catalogue.own is not None else [])]
        systems = {name: self._described(name) for name in names}
        return {
            "kind": "hello",
            "systems": systems,
            "always": ALWAYS,
            "losses": list(LOSSES),
            "defaults": DEFAULTS,
            "runs": self.runs,
        }

    def _described(self, name: str) -> dict:
        system = self.catalogue.system(name)
        return {"system": name, "title": system.title, "uses": system.uses}

    def _open(self, view: View) -> Generator[None, None, dict]:
        self._scene = None  # a view that fails leaves no frames of the last one
        if not self.catalogue.has_table(view):
            return {"kind": "missing", "system": view.system}
        system, unused = self.catalogue.system(view.system), self.catalogue.unused(view)
        view = view.changed(**{name: DEFAULTS[name] for name in unused})
        seen = frames.scene(view, self.catalogue.maps(view))
        yield
        found = curves.curves(seen)
        self._scene, self._iterates = seen, Iterates(seen)
        return {
            "kind": "opened",
            "query": view.query,
            "title": system.title,
            "uses": system.uses,
            "unused": unused,
            "dim": seen.maps.dim,
            "coordinates": seen.coordinates,
            "ranges": seen.ranges,
            "equal_axes": seen.equal_axes,
            "peak": seen.peak,
            "law": curves.law_counts(seen),
            "undrawn": stability.why_none(self.catalogue, view),
            "certificate": certificate(seen),
            "python": snippet.python_lines(self.catalogue, view),
            "command": snippet.command(self.catalogue, view),
            **found,
        }


def _text(message: dict, key: str) -> str:
    value = message.get(key)
    if not isinstance(value, str):
        raise InvalidInputError(f"{key} of a message is no text")
    return value

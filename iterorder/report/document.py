"""An HTML page that needs nothing beside itself: no script, no font, no network.

Every text is escaped here or, in tables, by `iterorder.html`: a name in somebody's folder is shown and never obeyed.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from io import BytesIO
from typing import TYPE_CHECKING, Protocol

from iterorder.html import table_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Neither scripts nor anything from elsewhere, should a browser be asked for them all the same.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = "page.css"
#: Dots an inch of pictures that are drawn for the page.
RESOLUTION = 160
#: Of a picture, as many as a byte tells apart.
COLOURS = 256


class Part(Protocol):
    """What a section holds."""

    def html(self) -> Iterator[str]:
        """Its lines."""
        ...


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    words: str

    def html(self) -> Iterator[str]:
        """Its line."""
        yield f"<p>{escape(self.words)}</p>"


@dataclass(frozen=True)
class Code:
    """Lines for a shell or for Python."""

    lines: str

    def html(self) -> Iterator[str]:
        """As they are."""
        yield f"<pre>{escape(self.lines.strip())}</pre>"


@dataclass(frozen=True)
class Table:
    """Rows under heads; of `bad` rows the numbers are given."""

    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    bad: frozenset[int] = frozenset()

    def html(self) -> Iterator[str]:
        """A table that scrolls by itself where it is wider than the page."""
        yield f'<div class="wide">{table_html(self.rows, self.heads, bad=self.bad)}</div>'


@dataclass(frozen=True)
class Picture:
    """A PNG inside the page. The caption says what is seen, also to those who do not see."""

    png: bytes
    caption: str

    def html(self) -> Iterator[str]:
        """The picture and its caption."""
        data, words = base64.b64encode(self.png).decode(), escape(self.caption)
        yield f'<figure><img alt="{words}" src="data:image/png;base64,{data}"><figcaption>{words}</figcaption></figure>'


@dataclass(frozen=True)
class Beside:
    """Parts side by side, as many as the page is wide for."""

    parts: Sequence[Part]

    def html(self) -> Iterator[str]:
        """All of them, in a grid."""
        yield '<div class="beside">'
        for part in self.parts:
            yield from part.html()
        yield "</div>"


@dataclass(frozen=True)
class Folded:
    """A part that opens below its title: long, and asked for by few."""

    title: str
    part: Part

    def html(self) -> Iterator[str]:
        """Closed at first."""
        yield f"<details><summary>{escape(self.title)}</summary>"
        yield from self.part.html()
        yield "</details>"


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it: so many things of a kind, none of them where it has no kind."""

    title: str
    parts: Sequence[Part]
    kind: str = ""
    count: int = 1


@dataclass
class Document:
    """A page."""

    title: str
    subtitle: str
    sections: list[Section] = field(default_factory=list)

    @property
    def found(self) -> dict[str, int]:
        """How many there are of each kind of thing that it tells of."""
        counts: Counter[str] = Counter()
        for section in self.sections:
            if section.kind:
                counts[section.kind] += section.count
        return dict(counts)

    def html(self) -> str:
        """The whole file."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        style = resources.files("iterorder.report").joinpath(STYLE).read_text(encoding="utf-8")
        yield f"<title>{escape(self.title)}</title><style>{style}</style></head><body>"
        yield f"<header><h1>{escape(self.title)}</h1><p>{escape(self.subtitle)}</p></header>"
        if len(self.sections) > 2:
            links = (f'<a href="#part{k}">{escape(section.title)}</a>' for k, section in enumerate(self.sections))
            yield f"<nav aria-label='Contents'><p>{' '.join(links)}</p></nav>"
        yield "<main>"
        for k, section in enumerate(self.sections):
            yield f'<section id="part{k}"><h2>{escape(section.title)}</h2>'
            for part in section.parts:
                yield from part.html()
            yield "</section>"
        yield "</main></body></html>"


def facts(of: Mapping[str, object]) -> Table:
    """A table of names and values; what is empty is left out."""
    return Table(("", ""), [(name, str(value)) for name, value in of.items() if value not in (None, "", {}, [])])


def known(number: float) -> object:
    """A number, or nothing where there is none."""
    return "" if math.isnan(number) else float(number)


def drawn(figure: Figure, caption: str) -> Picture:
    """A figure of matplotlib as a picture."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=RESOLUTION, metadata={"Software": None})
    return Picture(smaller(file.getvalue()), caption)


def smaller(png: bytes) -> bytes:
    """A picture in 256 colours of its own, where that is smaller: figures have few, and take a third of the room.

    No colour is blurred into its neighbours, so that lines stay sharp.
    """
    from PIL import Image

    file = BytesIO()
    with Image.open(BytesIO(png)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, format="png")
    return min(png, file.getvalue(), key=len)

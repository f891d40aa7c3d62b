"""Tables of HTML for notebooks; every text is escaped, so that no name becomes a tag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

#: Notebooks align the cells of tables to the right, which is for numbers.
_LEFT = ' style="text-align: left"'


def table_html(caption: str, rows: Iterable[Sequence[str]], headings: Sequence[str] = (), note: str = "") -> str:
    """A table with a caption above, headings and a note below where there are some; the first cell heads its row.

    Examples
    --------
    >>> "<script>" in table_html("<script>", [("<script>", "<script>")], ("<script>", ""), "<script>")
    False
    """
    head = "".join(f'<th scope="col"{_LEFT}>{escape(text)}</th>' for text in headings)
    parts = [
        "<table>",
        f'<caption style="caption-side: top; text-align: left"><b>{escape(caption)}</b></caption>',
        f"<thead><tr>{head}</tr></thead>" if headings else "",
        "<tbody>",
        *(_row(row) for row in rows),
        "</tbody></table>",
        f"<p>{escape(note)}</p>" if note else "",
    ]
    return "".join(parts)


def facts_html(name: str, facts: Mapping[str, str]) -> str:
    """A table of named facts."""
    return table_html(name, facts.items())


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    rest = "".join(f"<td{_LEFT}>{escape(text)}</td>" for text in others)
    return f'<tr><th scope="row"{_LEFT}>{escape(first)}</th>{rest}</tr>'

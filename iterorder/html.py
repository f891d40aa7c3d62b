"""Tables of HTML, for notebooks and for pages; every text is escaped, so that no name becomes a tag."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape

#: Notebooks align the cells of tables to the right, which is for numbers.
LEFT = "text-align: left"


def table_html(
    rows: Iterable[Sequence[object]],
    heads: Sequence[str] = (),
    *,
    caption: str = "",
    bad: Collection[int] = (),
    style: str = "",
) -> str:
    """A table whose first cells head their rows.

    Parameters
    ----------
    rows : iterable of sequences
        Numbers are aligned as such by the style sheet of a page, None is an empty cell.
    heads : sequence of str
        Of the columns; nothing stands there where all are empty.
    caption : str
        Above the table.
    bad : collection of int
        Rows that a style sheet marks.
    style : str
        Of every cell, where there is no style sheet.

    Examples
    --------
    >>> table_html([("<script>", 0.25, None)])
    '<table><tbody><tr><th scope="row">&lt;script&gt;</th><td class="number">0.25</td><td></td></tr></tbody></table>'
    """
    above = f'<caption style="caption-side: top; text-align: left"><b>{escape(caption)}</b></caption>'
    head = "".join(_cell("th", text, 'scope="col"', style) for text in heads)
    body = (_row(row, "bad" if k in bad else "", style) for k, row in enumerate(rows))
    return "".join(
        [
            "<table>",
            above if caption else "",
            f"<thead><tr>{head}</tr></thead>" if any(heads) else "",
            "<tbody>",
            *body,
            "</tbody></table>",
        ]
    )


def notebook_html(caption: str, rows: Iterable[Sequence[str]], heads: Sequence[str] = (), note: str = "") -> str:
    """A table as notebooks show it, with a note below where there is one."""
    return table_html(rows, heads, caption=caption, style=LEFT) + (f"<p>{escape(note)}</p>" if note else "")


def facts_html(name: str, facts: Mapping[str, str]) -> str:
    """Named facts as notebooks show them."""
    return notebook_html(name, facts.items())


def _row(cells: Sequence[object], kind: str, style: str) -> str:
    first, *others = cells
    begin = f'<tr class="{kind}">' if kind else "<tr>"
    return "".join(
        [begin, _cell("th", first, 'scope="row"', style), *(_cell("td", x, "", style) for x in others), "</tr>"]
    )


def _cell(tag: str, value: object, scope: str, style: str) -> str:
    text, number = _text(value)
    attributes = [scope, 'class="number"' if number else "", f'style="{escape(style)}"' if style else ""]
    return f"<{' '.join([tag, *filter(None, attributes)])}>{escape(text)}</{tag}>"


def _text(value: object) -> tuple[str, bool]:
    """What is shown, and whether it is a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "" if value is None else str(value), False
    return f"{value:.6g}" if isinstance(value, float) else f"{value:,}", True

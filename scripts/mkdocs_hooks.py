"""What mkdocs calls as it builds the documentation: figures, MathJax, and what it cannot read of docstrings.

The pages name figures by their place in the repository, so that they also show where the Markdown files are read there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

FIGURES = Path(__file__).resolve().parents[1] / "figures"
#: A path from a page of docs/ to figures/ beside it: one step up more than inside the site.
OUTSIDE = re.compile(r"\]\(((?:\.\./)*)\.\./figures/")
#: Footnotes as numpydoc writes them: ``.. [1] Villani`` below, ``[1]_`` in the text.
FOOTNOTE, REFERENCE = re.compile(r"\.\. (\[\d+\])"), re.compile(r"(\[\d+\])_")
#: What the tests read after the language of a block: ``console no-run``, ``text output``.
MARKED_FENCE = re.compile(r"^( *```[a-z]+) [a-z -]+$", re.MULTILINE)
#: Types that are taken for Python, "array_like, shape (n,)" for a pair of a name and a call, and words for a tuple.
TYPED = re.compile(r"<code>\(((?:(?!</code>).)*)\)</code>", re.DOTALL)
#: A shape of one number, which may be a link; and strings alone.
ONE_NUMBER, WORDS = re.compile(r"shape\(((?:<[^>]*>|[^,()<])+)\)"), re.compile(r"&#39;[^&,]*&#39;(, &#39;[^&,]*&#39;)*")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pictures and MathJax to the site."""
    from mkdocs.structure.files import File

    for path in (*sorted(FIGURES.glob("*.png")), mathjax()):
        folder = "javascripts" if path.suffix == ".js" else "figures"
        files.append(File.generated(config, f"{folder}/{path.name}", abs_src_path=str(path)))
    return files


def mathjax() -> Path:
    """MathJax in one file: TeX in, pictures with their own letters out; nothing is fetched by whoever reads a page."""
    import importlib.util

    found = importlib.util.find_spec("mathjax")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("MathJax is not installed: pip install django-static-mathjax, or make docs")
    return Path(found.submodule_search_locations[0]) / "static" / "mathjax" / "es5" / "tex-svg.js"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point at the pictures inside the site, and leave the languages of blocks alone."""
    return MARKED_FENCE.sub(r"\1", OUTSIDE.sub(r"](\1figures/", markdown))


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that would ask another server for something: the site is read without a network."""
    if foreign := fetched(output):
        raise ValueError(f"{page.file.src_uri} fetches {', '.join(foreign)}: keep a copy in docs/")
    return output


def fetched(html: str) -> list[str]:
    """Addresses on other servers that a browser fetches as it shows a page; links to them are none."""
    tags = re.findall(r"<(?:script|img|iframe|source|link)\b[^>]*>", html)
    wanted = [tag for tag in tags if not re.search(r'rel="?(?:canonical|alternate|next|prev)\b', tag)]
    return [address for tag in wanted for address in re.findall(r'(?:src|href)="?((?:https?:)?//[^"\s>]+)', tag)]


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write footnotes and shapes of docstrings as they stand there."""
    if not page.file.src_uri.startswith("api/"):
        return html
    return TYPED.sub(_typed, REFERENCE.sub(r"\1", FOOTNOTE.sub(r"\1", html))).replace("path - like", "path-like")


def _typed(match: re.Match[str]) -> str:
    """(array_like, shape(n)) as array_like, shape (n,); (x, y or None) without brackets; ('cpu', 'cuda') as a set."""
    inner = match[1]
    if WORDS.fullmatch(inner):
        return f"<code>{{{inner}}}</code>"
    if "shape(" not in inner and " or " not in inner:
        return match[0]
    inner = ONE_NUMBER.sub(r"shape(\1,)", inner).replace("shape(", "shape (")
    return f"<code>{inner}</code>"

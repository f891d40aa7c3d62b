"""What mkdocs calls while it builds the documentation: figures from figures/, and what it cannot read of docstrings.

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
#: Types such as "array_like, shape (n,)", which are taken for Python: a pair of a name and a call.
SHAPED = re.compile(r"<code>\(([^<]*shape\([^<]*)\)</code>")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pictures to the site."""
    from mkdocs.structure.files import File

    for picture in sorted(FIGURES.glob("*.png")):
        files.append(
            File(
                f"figures/{picture.name}",
                src_dir=str(FIGURES.parent),
                dest_dir=config.site_dir,
                use_directory_urls=config.use_directory_urls,
            )
        )
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point at the pictures inside the site, and leave the languages of blocks alone."""
    return MARKED_FENCE.sub(r"\1", OUTSIDE.sub(r"](\1figures/", markdown))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write footnotes and shapes of docstrings as they stand there."""
    if not page.file.src_uri.startswith("api/"):
        return html
    return SHAPED.sub(_shaped, REFERENCE.sub(r"\1", FOOTNOTE.sub(r"\1", html)))


def _shaped(match: re.Match[str]) -> str:
    """(array_like, shape(n)) as array_like, shape (n,)."""
    inner = re.sub(r"shape\(([^,()]+)\)", r"shape(\1,)", match[1])
    return f"<code>{inner.replace('shape(', 'shape (')}</code>"

"""The pages of docs/: every public name and every page is listed, and the hooks that prepare them for the site."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import iterorder
from tests.surface import PAGES, listed

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import mkdocs_hooks  # noqa: E402

LISTED = listed()


def prepared(markdown: str) -> str:
    return mkdocs_hooks.on_page_markdown(markdown, None, None, None)


def rendered(html: str, uri: str = "api/maps.md") -> str:
    page = SimpleNamespace(file=SimpleNamespace(src_uri=uri))
    return mkdocs_hooks.on_page_content(html, page, None, None)


@pytest.mark.parametrize("name", [name for name in iterorder.__all__ if not name.startswith("__")])
def test_every_public_name_is_in_the_reference(name):
    value = getattr(iterorder, name)
    place = value.__name__ if isinstance(value, ModuleType) else f"{value.__module__}.{name}"
    # A module lists all of its names at once.
    assert place in LISTED or place.rpartition(".")[0] in LISTED


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_page_is_in_the_navigation_and_has_its_figures(page):
    name = page.relative_to(ROOT / "docs").as_posix()
    assert re.search(rf": {re.escape(name)}$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    for target in re.findall(r"\]\(([./]*/figures/[^)]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).resolve().is_file()


def test_figures_outside_of_the_pages_are_found_inside_the_site():
    assert prepared("![x](../figures/risk.png)") == "![x](figures/risk.png)"
    assert prepared("![x](../../figures/risk.png)") == "![x](../figures/risk.png)"
    assert prepared("[x](figures/risk.png) [y](../gallery.md)") == "[x](figures/risk.png) [y](../gallery.md)"


def test_marks_for_the_tests_are_taken_off_the_blocks():
    for marked in ("console no-run", "text output", "python needs-polars"):
        language = marked.partition(" ")[0]
        assert prepared(f"```{marked}\n$ x\n```\n") == f"```{language}\n$ x\n```\n"
    assert prepared("```python\nx\n```\n") == "```python\nx\n```\n"


def test_footnotes_and_shapes_of_docstrings_are_written_plainly():
    assert rendered("<p>.. [1] Villani</p>") == "<p>[1] Villani</p>"
    assert rendered("as in [2]_.") == "as in [2]."
    assert rendered("<code>(array_like, shape(n, d))</code>") == "<code>array_like, shape (n, d)</code>"
    assert rendered("<code>(float or ndarray, shape(k))</code>") == "<code>float or ndarray, shape (k,)</code>"
    assert rendered("<code>(array_like, shape(m) or (m, d))</code>") == "<code>array_like, shape (m,) or (m, d)</code>"
    assert rendered("<code>shape(x)</code>") == "<code>shape(x)</code>"
    linked = '<code>(<a title="Of (x)">ndarray</a>, shape(<a title="n (1)">n</a>))</code>'
    assert rendered(linked) == '<code><a title="Of (x)">ndarray</a>, shape (<a title="n (1)">n</a>,)</code>'
    assert rendered("<code>(&#39;cpu&#39;, &#39;cuda&#39;)</code>") == "<code>{&#39;cpu&#39;, &#39;cuda&#39;}</code>"
    assert rendered("<code>(&#39;all&#39; or Window)</code>") == "<code>&#39;all&#39; or Window</code>"
    assert rendered("<code>(0, 1)</code> <code>f(x)</code>") == "<code>(0, 1)</code> <code>f(x)</code>"
    assert rendered("<code>path - like</code>") == "<code>path-like</code>"
    assert rendered("as in [2]_.", "gallery.md") == "as in [2]_."


def test_what_a_page_would_fetch_is_found():
    here = '<link rel="canonical" href="https://example.test/x"><a href="https://example.test">x</a><img src="x.png">'
    assert mkdocs_hooks.fetched(here) == []
    for tag in (
        '<script src="https://cdn.test/a.js">',
        '<img alt="x" src=//cdn.test/a.js>',
        '<link href="http://cdn.test/a.js">',
    ):
        assert [address.rpartition("//")[2] for address in mkdocs_hooks.fetched(here + tag)] == ["cdn.test/a.js"]
    page = SimpleNamespace(file=SimpleNamespace(src_uri="index.md"))
    assert mkdocs_hooks.on_post_page(here, page, None) == here
    with pytest.raises(ValueError, match=r"index\.md fetches https://cdn\.test/a\.js"):
        mkdocs_hooks.on_post_page('<script src="https://cdn.test/a.js">', page, None)


def test_mathjax_is_of_a_package_and_the_search_of_this_folder():
    """Without the line of the polyfill the plugin "offline" has each page fetch it."""
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for script in ("iframe-worker.js", "mathjax.js", "tex-svg.js"):
        assert f"javascripts/{script}" in settings
    pytest.importorskip("mkdocs")
    assert mkdocs_hooks.mathjax().stat().st_size > 1_000_000


def test_formulas_are_closed_and_stand_apart():
    """Two dollars on a line of their own on both sides: else a formula is shown as it is typed."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        lines = text.splitlines()
        marks = [k for k, line in enumerate(lines) if "$$" in line]
        assert all(lines[k] == "$$" for k in marks), page
        assert len(marks) % 2 == 0, page
        for begin, end in zip(marks[::2], marks[1::2], strict=True):
            assert not lines[begin - 1], page
            assert not lines[end + 1 : end + 2] or not lines[end + 1], page
            assert all(lines[begin + 1 : end]), page


def parameters_of(cls: type) -> dict[str, str]:
    """What a docstring says of each parameter, its type and the lines below."""
    section = (inspect.getdoc(cls) or "").partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    return {entry.partition(" : ")[0]: entry.partition(" : ")[2] for entry in re.split(r"\n(?=\S)", section)}


def test_families_of_rows_say_the_same_of_the_same_parameters():
    """A list that a reader of each class needs whole is written in each, and may not come apart."""
    families = [iterorder.LinearModelSGD, iterorder.LinearRegressionSGD, iterorder.LogisticRegressionSGD]
    general, *others = [parameters_of(cls) for cls in families]
    for cls, told in zip(families[1:], others, strict=True):
        shared = (told.keys() & general.keys()) - {"targets"}  # which may be labels
        assert shared == {"features", "step_size", "ridge", "batch_size", "sampling"}, cls
        assert {name: told[name] for name in shared} == {name: general[name] for name in shared}
    assert parameters_of(iterorder.QuadraticSGD)["batch_size"] != general["batch_size"]

"""The page's view in a real browser: its geometry, its history, the controls that are shown, what a wait is told."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

import iterorder as ito
from iterorder.explore.systems import SYSTEMS
from tests.explore_server import SMALL, Server

SPACE = "{http://www.w3.org/2000/svg}"
#: A marker is 12 pixels wide and may lie over a tip of a picture of some hundreds.
PIXELS = 0.05
#: Width and height of what is drawn in colour on a canvas; axes and their words are grey.
EXTENT = """(canvas => {{
  const {{ data }} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let [left, right, top, bottom] = [1e9, 0, 1e9, 0];
  for (let k = 0; k < data.length; k += 4) {{
    if (Math.abs(data[k] - data[k + 2]) < 24) continue;
    const x = (k / 4) % canvas.width, y = Math.floor(k / 4 / canvas.width);
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  }}
  return [(right - left) / canvas.width * canvas.clientWidth, (bottom - top) / canvas.height * canvas.clientHeight];
}})({root}.getElementById("{side}-picture"))"""
SHOWN = (
    "[...document.querySelectorAll('#controls .row')].filter(r => r.offsetParent).map(r => r.children[1].id.slice(8))"
)
ALWAYS = {"system", "order", "replicas", "seed", "steps", "start", "file"}


def text(tab, name: str) -> str:
    return tab.value(f"document.getElementById('{name}').textContent")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_unit_has_one_length_along_both_axes(browser, server, width):
    """Against the extent of the states themselves: the triangle is √3/2 as high as wide, the fern twice."""
    for system in ("sierpinski", "barnsley_fern"):
        tab = browser.tab(server.link(f"system={system}&replicas=200000&steps=40"), width=width)
        tab.ready()
        ranges = np.array(tab.value("explorer.scene.ranges"))
        maps = getattr(ito.gallery, system)()
        states = ito.simulate(maps, [0, 0], 40, n_replicas=200_000, seed=1).states[:, -1]
        inside = states[((states > ranges[:, 0]) & (states < ranges[:, 1])).all(axis=1)]
        extent = np.ptp(inside, axis=0)
        ratio = extent[1] / extent[0]
        assert ratio == pytest.approx({"sierpinski": 3**0.5 / 2, "barnsley_fern": 2.1}[system], rel=0.05)
        for side in ("forward", "other"):
            across, up = tab.value(EXTENT.format(root="document", side=side))
            assert up / across == pytest.approx(ratio, rel=PIXELS)
            assert max(across, up) > 0.4 * tab.value("document.getElementById('forward-picture').clientWidth")
        whole = ElementTree.fromstring(tab.value("explorer.svg('replicas')"))
        spans = np.ptp(ranges, axis=1)
        for image in whole.iter(f"{SPACE}image"):
            units = [float(image.get(name)) / span for name, span in zip(("width", "height"), spans, strict=True)]
            assert units[0] == pytest.approx(units[1], rel=1e-6)
        assert "scales of their own" not in text(tab, "picture-legend")
        assert tab.complaints == []
        tab.close()


def test_axes_that_are_not_equal_are_told(browser, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("import iterorder as ito\nmaps = ito.AffineMaps([[[0.5, 0], [0, 0.5]]] * 2, [[0, 0], [1, 30]])\n")
    server = Server("--maps", f"{file}:maps")
    try:
        tab = browser.tab(server.link(f"system=file&{SMALL}"))
        tab.ready()
        assert "scales of their own" in text(tab, "picture-legend")
        assert "scales of their own" in tab.value("explorer.svg('replicas')")
        across, up = tab.value(EXTENT.format(root="document", side="forward"))
        assert across > up > 100  # the whole rectangle, not a thread of it
    finally:
        server.stop()


def test_back_and_forward_go_through_the_views(browser, server):
    tab = browser.tab(server.link(SMALL))
    tab.ready()
    entries = tab.value("history.length")

    def leave(call: str, query: str) -> None:
        tab.value(f"explorer.ready = false; history.{call}()")
        tab.ready()
        assert tab.value("location.hash.slice(1)") == query

    tab.set("step_size", 0.5)
    for seed in (7, 71, 713):  # as it is typed
        tab.set("seed", seed)
    assert tab.value("history.length") == entries + 2
    leave("back", "step_size=0.5&replicas=5000&steps=40")
    assert tab.value("document.getElementById('control-seed').value") == "1"
    leave("back", SMALL)
    assert tab.value("document.getElementById('control-step_size').value") == "0.3"
    leave("forward", "step_size=0.5&replicas=5000&steps=40")
    leave("forward", "step_size=0.5&replicas=5000&seed=713&steps=40")
    tab.set("start", 0.25)
    tab.value("new Promise(r => setTimeout(r, 1600))")
    tab.set("start", 0.75)  # after a while it is another view
    leave("back", "step_size=0.5&replicas=5000&seed=713&steps=40&start=0.25")
    assert tab.complaints == []
    tab.close()


def test_only_controls_that_are_used_are_shown_and_kept(browser, server):
    tab = browser.tab(server.link(f"system=ar1&a=0.5&{SMALL}"))
    tab.ready()
    assert set(tab.value(SHOWN)) == ALWAYS | {"a", "sigma"}
    tab.set("system", "sierpinski")
    assert tab.value("location.hash") == f"#system=sierpinski&{SMALL}"
    assert set(tab.value(SHOWN)) == ALWAYS | {"first", "second"}
    tab.set("start", "1, -2")
    assert tab.value("location.hash").endswith("&start=1,-2")
    assert "np.array([1.0, -2.0])" in text(tab, "python")
    tab.set("system", "ar1")
    assert tab.value("location.hash") == f"#system=ar1&{SMALL}"
    assert tab.value("document.getElementById('message').hidden")
    tab.close()


def test_a_link_that_sets_too_much_says_so(browser, server):
    tab = browser.tab(server.link(f"system=sierpinski&lam=0.3&{SMALL}"))
    tab.ready()
    assert "sets lam" in text(tab, "message")
    assert tab.value("location.hash") == f"#system=sierpinski&{SMALL}"
    tab.set("seed", 5)
    assert tab.value("document.getElementById('message').hidden")
    tab.value("location.hash = 'system=sierpinski&second=5'")
    tab.until("!document.getElementById('message').hidden")
    assert "dimension 2" in text(tab, "message")
    assert "second" in tab.value(SHOWN)
    tab.set("second", 0)  # it can be mended there
    assert tab.value("explorer.frame.rows") == 0
    tab.close()


def test_what_can_be_saved_is_offered_and_nothing_else(browser, server):
    offered = "[...document.getElementById('save-what').options].map(o => o.value)"
    tab = browser.tab(server.link(SMALL))
    tab.ready()
    pictures = ["replicas", "paths", "increments"]
    assert tab.value(offered) == pictures
    assert tab.value("document.getElementById('stability-section').hidden")
    tab.set("system", "linear_model")
    tab.set("step_size", 0.1)
    assert tab.value(offered) == pictures
    tab.value("document.getElementById('stability-button').click()")
    tab.until(f"{offered}.includes('stability')")
    tab.value("document.getElementById('save-what').value = 'stability'")
    tab.set("loss", "logistic")
    assert tab.value(offered) == pictures
    assert tab.value("document.getElementById('save-what').value") == "replicas"
    assert tab.value("document.getElementById('stability-button').hidden")
    tab.close()


#: Controls whose words do not fit: measured in the font of each, beside the arrow that a list has.
CUT = """[...document.querySelectorAll('input:not([type=range]):not([type=file]), select, button, label')]
  .filter(e => e.offsetParent).filter(e => {
    if (e.tagName !== 'SELECT') return e.scrollWidth > e.clientWidth + 1;
    const style = getComputedStyle(e), pen = document.createElement('canvas').getContext('2d');
    pen.font = style.font;
    const room = e.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - 18;
    return [...e.options].some(option => pen.measureText(option.textContent).width > room);
  }).map(e => e.id || e.textContent)"""


@pytest.mark.parametrize("width", [1280, 390])
def test_no_control_cuts_its_words(browser, server, width):
    tab = browser.tab(server.link(SMALL), width=width)
    tab.ready()
    for system in SYSTEMS:
        tab.set("system", system)
        assert tab.value(CUT) == [], system
    tab.value("document.querySelector('#control-order').style.width = '6rem'")
    assert tab.value(CUT) == ["control-order"]  # the test can fail
    tab.close()


def test_a_page_whose_kernels_are_not_compiled_yet_says_so(browser, tmp_path):
    server = Server(NUMBA_CACHE_DIR=str(tmp_path))
    try:
        tab = browser.tab(server.link(f"system=ar1&{SMALL}"))
        tab.until("document.getElementById('busy')?.textContent.includes('Compiling kernels')")
        assert set(tab.value(SHOWN)) == ALWAYS | {"a", "sigma"}
        assert not tab.value("document.getElementById('views').offsetParent")
        tab.close()
    finally:
        server.stop()


def test_a_wait_is_told_and_then_forgotten(browser, server):
    """Questions that are held back for longer than the .3 s that need no word."""
    tab = browser.tab(server.link(SMALL))
    tab.ready()
    assert text(tab, "busy") == ""
    tab.value(
        "window.told = []; new MutationObserver(() => told.push(document.getElementById('busy').textContent))"
        ".observe(document.getElementById('busy'), { childList: true }); 0"
    )
    tab.value(
        "(send => { WebSocket.prototype.send = function (text) { setTimeout(() => send.call(this, text), 600) } })"
        "(WebSocket.prototype.send)"
    )
    tab.set("seed", 2)
    assert "Computing …" in tab.value("told")
    assert text(tab, "busy") == ""
    tab.close()

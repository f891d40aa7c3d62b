"""The explorer in a real browser: what the page shows is what the library says, and it is kind and safe to use."""

from __future__ import annotations

import io
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest

import iterorder as ito
from iterorder.explore.tables import read_table
from iterorder.plotting import ORDER_COLORS
from tests.chromium import PROGRAM, Chromium
from tests.explore_server import SMALL, Server

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on the path")
#: WCAG 2.1: contrast of text, and of what carries meaning without being text.
TEXT, GRAPHICS = 4.5, 3.0


@pytest.fixture(scope="module")
def browser():
    made = Chromium()
    yield made
    made.close()


@pytest.fixture(scope="module")
def server():
    made = Server()
    yield made
    made.stop()


def numbers(tab, side: str) -> list[float]:
    shown = tab.value(f"document.getElementById('{side}-numbers').textContent")
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", shown)]


def test_every_control_moves_the_numbers_to_those_of_the_library(browser, server):
    """Mean and standard deviation on the page have six digits: half a unit of the sixth, relative to the number."""
    tab = browser.tab(server.link())
    tab.ready()
    options = {"n_replicas": 5000, "seed": 1}
    changes = [
        ("step_size", 0.5),
        ("seed", 7),
        ("replicas", 300),
        ("steps", 25),
        ("start", 0.75),
        ("order", "window:20"),
    ]
    step_size, steps, start, order = 0.3, 40, 0.0, "backward"
    for name, value in changes:
        tab.set(name, value)
        step_size = value if name == "step_size" else step_size
        steps = value if name == "steps" else steps
        start = value if name == "start" else start
        order = ito.Window(20) if name == "order" else order
        options |= {"seed": value} if name == "seed" else {"n_replicas": value} if name == "replicas" else {}
        maps = ito.gallery.two_point_quadratic(step_size)
        for side, one in (("forward", "forward"), ("other", order)):
            states = ito.simulate(maps, [start], steps, order=one, **options).states[:, -1, 0]
            np.testing.assert_allclose(numbers(tab, side)[:2], [states.mean(), states.std()], rtol=5e-6)
    for system in ("bernoulli_convolution", "ar1", "cyclic_walk", "barnsley_fern", "linear_model"):
        tab.set("system", system)
    for name, value in (
        ("loss", "huber"),
        ("step_size", 0.1),
        ("batch_size", 4),
        ("ridge", 0.1),
        ("sampling", "reshuffle"),
    ):
        tab.set(name, value)
    link = tab.value("location.hash")
    assert {"batch_size=4", "ridge=0.1", "sampling=reshuffle", "loss=huber"} <= set(link[1:].split("&"))
    tab.do("Page.reload")
    tab.until("!window.explorer || !explorer.ready")
    tab.ready()
    assert tab.value("location.hash") == link
    assert tab.value("document.getElementById('control-batch_size').value") == "4"
    assert tab.complaints == []


def test_wrong_values_and_hostile_links_are_told_as_text(browser, server):
    tab = browser.tab(server.link("system=%3Cimg%20src=x%20onerror=alert(1)%3E"))
    tab.until("window.explorer && !document.getElementById('message').hidden")
    assert "<img src=x" in tab.value("document.getElementById('message').textContent")
    assert tab.value("document.querySelectorAll('img').length") == 0
    tab = browser.tab(server.link())
    tab.ready()
    name = "<img src=x onerror=alert(1)>.csv"
    drop(tab, name, "<script>alert(1)</script>,=1+1\n1,2\n3,4\n5,9\n")
    tab.until(
        "explorer.scene && explorer.scene.uses.includes('loss') && explorer.ready"
        " || !document.getElementById('message').hidden"
    )
    tab.set("step_size", 0.01)
    assert name in tab.value("document.getElementById('system-title').textContent")
    assert name in tab.value("document.getElementById('python').textContent")
    assert tab.value("document.querySelectorAll('img, main script').length") == 0
    drop(tab, "bad.csv", "1,2\n3,<b>x</b>\n")
    tab.until("!document.getElementById('message').hidden")
    assert "<b>x</b>" in tab.value("document.getElementById('message').textContent")
    assert tab.complaints == []


def test_the_diagram_sets_step_and_batch_size(browser, server):
    tab = browser.tab(server.link(f"system=linear_model&step_size=0.1&{SMALL}"))
    tab.ready()
    tab.value("document.getElementById('stability-button').click()")
    tab.until("!!document.querySelector('#stability svg')")
    tab.value(
        "(s => { const r = s.getBoundingClientRect(); s.dispatchEvent(new MouseEvent('click', {"
        "clientX: r.left + 0.5 * r.width, clientY: r.top + 0.1 * r.height, bubbles: true})) })"
        "(document.querySelector('#stability svg'))"
    )
    tab.until("document.getElementById('control-batch_size').value === '32'")
    assert 0.001 < float(tab.value("document.getElementById('control-step_size').value")) != 0.1
    tab.ready()
    assert tab.complaints == []


def test_two_tabs_play_without_disturbing_each_other(browser, server):
    first, second = browser.tab(server.link()), browser.tab(server.link(f"system=barnsley_fern&{SMALL}"))
    first.ready()
    second.ready()
    for tab in (first, second):
        tab.do("Page.bringToFront")  # a hidden page draws nothing
        tab.value("document.getElementById('play').click()")
        tab.until("explorer.frames > 10")
        tab.value("document.getElementById('play').click()")
    assert first.value("explorer.frame.rows") == 0
    assert second.value("explorer.frame.rows") == 256
    assert first.complaints + second.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_width_and_can_be_used_by_keys(browser, server, width):
    tab = browser.tab(server.link(), width=width)
    tab.ready()
    assert tab.value("document.documentElement.scrollWidth <= innerWidth")
    unnamed = (
        "[...document.querySelectorAll('input, select, button')].filter(e => "
        "!(e.labels && e.labels.length && e.labels[0].textContent) && !e.textContent.trim()).map(e => e.id)"
    )
    assert tab.value(unnamed) == []
    reachable = tab.value(
        "[...document.querySelectorAll('input, select, button')]"
        ".filter(e => e.offsetParent && e.tabIndex >= 0).map(e => e.id)"
    )
    order = []
    for _ in range(len(reachable) + 6):
        for kind in ("rawKeyDown", "keyUp"):
            tab.do("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        order.append(tab.value("document.activeElement.id"))
    assert [name for name in order if name in reachable][: len(reachable)] == reachable


def luminance(colour) -> float:
    channels = [c / 255 for c in colour]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(one, other) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_enough(browser, server):
    """Computed from the colours that the browser gives; black on black is the control."""
    tab = browser.tab(server.link())
    tab.ready()
    colours = tab.value(
        "[...document.querySelectorAll('h1, h2, p, label, td, pre, button, input, select, output')]"
        ".filter(e => e.offsetParent).map(e => {"
        "let b = e; while (b && getComputedStyle(b).backgroundColor.endsWith(', 0)')) b = b.parentElement;"
        "return [e.id || e.tagName, getComputedStyle(e).color, getComputedStyle(b).backgroundColor] })"
    )
    parsed = [(name, *([int(c) for c in re.findall(r"\d+", text)[:3]] for text in pair)) for name, *pair in colours]
    assert [(name, front, back) for name, front, back in parsed if contrast(front, back) < TEXT] == []
    assert contrast([0, 0, 0], [0, 0, 0]) < GRAPHICS
    for order in ("forward", "backward", "anchored"):
        colour = ORDER_COLORS[order]
        assert contrast([int(colour[k : k + 2], 16) for k in (1, 3, 5)], [255, 255, 255]) >= GRAPHICS


def test_the_npz_is_numpys(browser, server):
    import base64

    tab = browser.tab(server.link(f"system=barnsley_fern&{SMALL}"))
    tab.ready()
    text = tab.value(
        "new Blob(explorer.npz()).arrayBuffer().then(b => { let s = '';"
        "for (const c of new Uint8Array(b)) s += String.fromCharCode(c); return btoa(s) })"
    )
    with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as file:
        assert file["forward_counts"].shape == (256, 256)
        assert file["forward_counts"].sum() <= 5000
        assert file["ranges"].shape == (2, 2)
        assert len(file["other_increments"]) == 40


TABLE = "a,b\n1,2\n3,4\n5,9\n"
SPACE = "{http://www.w3.org/2000/svg}"


def drop(tab, name: str, text: str) -> None:
    """What a visitor's mouse does."""
    tab.value(
        f"(() => {{ const d = new DataTransfer(); d.items.add(new File([{json.dumps(text)}], {json.dumps(name)}));"
        "document.dispatchEvent(new DragEvent('drop', {dataTransfer: d, cancelable: true})) })()"
    )


def told(tab) -> str:
    return tab.value("document.getElementById('message').textContent")


def test_every_picture_is_an_svg(browser, server):
    """Read by another parser; a name of a file with tags and a control character is text of it."""
    tab = browser.tab(server.link())
    tab.ready()
    name = "<script>alert(1)</script>\x08&.csv"
    drop(tab, name, TABLE)
    tab.until("explorer.scene && explorer.scene.uses.includes('loss') && explorer.ready")
    tab.set("step_size", 0.01)
    assert tab.value("explorer.svg('stability')") is None  # not drawn yet
    tab.value("document.getElementById('stability-button').click()")
    tab.until("!!document.querySelector('#stability svg')")
    bars = tab.value("[...explorer.frame.forward.counts, ...explorer.frame.other.counts].filter(c => c).length")
    shapes = {"replicas": ("rect", bars), "paths": ("path", 6), "increments": ("path", 3), "stability": ("circle", 1)}
    for what, (shape, least) in shapes.items():
        whole = ElementTree.fromstring(tab.value(f"explorer.svg('{what}')"))
        assert len(whole.findall(f".//{SPACE}{shape}")) >= least, what
        assert whole.findall(f".//{SPACE}script") == []
        words = [text.text for text in whole.iter(f"{SPACE}text")]
        assert any(word.startswith("<script>alert(1)</script>\ufffd&.csv") for word in words), what
    tab.set("system", "barnsley_fern")
    whole = ElementTree.fromstring(tab.value("explorer.svg('replicas')"))
    images = whole.findall(f".//{SPACE}image")
    assert [image.get("href")[:22] for image in images] == ["data:image/png;base64,"] * 2
    assert tab.value("explorer.svg('training')") is None
    assert tab.complaints == []


def test_buttons_save_files_of_their_kind(browser, server):
    tab = browser.tab(server.link())
    tab.ready()
    tab.value(
        "window.saved = []; HTMLAnchorElement.prototype.click = function () { saved.push(this.download) };"
        "window.blobs = []; const make = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => { blobs.push(blob); return make(blob) }; 0"
    )
    for kind in ("svg", "png", "npz"):
        tab.value(f"document.getElementById('save-{kind}').click()")
        tab.until(f"saved.some(name => name.endsWith('.{kind}'))")
    assert tab.value("saved") == ["iterorder-replicas.svg", "iterorder-replicas.png", "iterorder.npz"]
    starts = tab.value("Promise.all(blobs.map(async b => [...new Uint8Array(await b.slice(0, 4).arrayBuffer())]))")
    assert [bytes(each) for each in starts] == [b"<svg", b"<svg", b"\x89PNG", b"PK\x03\x04"]
    assert tab.value("blobs[2].size") > 10_000  # something is drawn on it
    assert tab.complaints == []


def test_a_link_to_a_table_asks_for_its_file_and_takes_no_other(browser, server):
    digest = read_table("a.csv", TABLE.replace("9", "8")).digest
    tab = browser.tab(server.link(f"system=csv:{digest}&step_size=0.01&{SMALL}"))
    tab.until("window.explorer && !document.getElementById('message').hidden")
    assert "choose the same file" in told(tab)
    drop(tab, "other.csv", TABLE)
    tab.until("document.getElementById('message').textContent.includes('other numbers')")
    assert tab.value("explorer.scene") is None
    drop(tab, "right.csv", TABLE.replace("9", "8"))
    tab.ready()
    assert tab.value("document.getElementById('system-title').textContent") == "right.csv"
    assert tab.value("document.getElementById('message').hidden")
    assert f"system=csv:{digest}" in tab.value("decodeURIComponent(location.hash)")
    tab.value("document.getElementById('copy-link').click()")
    tab.until("document.getElementById('copied').textContent.includes('while this server runs')")
    tab.set("system", "ar1")
    tab.value("document.getElementById('copied').textContent = ''; document.getElementById('copy-link').click()")
    tab.until("document.getElementById('copied').textContent !== ''")
    assert "server" not in tab.value("document.getElementById('copied').textContent")
    assert tab.complaints == []


def test_a_page_gives_its_table_to_the_next_server(browser):
    first = Server()
    tab = browser.tab(first.link())
    tab.ready()
    drop(tab, "mine.csv", TABLE)
    tab.until("explorer.scene.uses.includes('loss')")
    tab.set("step_size", 0.01)
    first.stop()
    tab.until("!document.getElementById('message').hidden")
    second = Server(port=first.port)
    try:
        browser.tab(second.link()).ready()
        tab.ready()
        assert tab.value("document.getElementById('message').hidden")
        assert tab.value("document.getElementById('system-title').textContent") == "mine.csv"
    finally:
        second.stop()


def test_a_stopped_server_is_told_and_the_page_goes_on_with_the_next(browser):
    first = Server()
    tab = browser.tab(first.link())
    tab.ready()
    first.stop()
    tab.until("!document.getElementById('message').hidden")
    assert "iterorder explore" in tab.value("document.getElementById('message').textContent")
    second = Server(port=first.port)
    try:
        tab.until("document.getElementById('message').textContent.includes('new server')")
        browser.tab(second.link()).ready()  # the address that it printed brings the token of its start
        tab.ready()
        assert tab.value("document.getElementById('message').hidden")
    finally:
        second.stop()


def test_training_shows_the_loss_beside_the_moves(browser, tmp_path):
    rng = np.random.default_rng(0)
    model = ito.networks.MLP(rng.normal(size=(20, 3)), rng.integers(0, 2, 20), hidden=(4,), step_size=0.1)
    ito.networks.train(model, batch_size=4, n_steps=6, save_steps="all", seed=0, folder=tmp_path / "run")
    server = Server("--run", str(tmp_path / "run"))
    try:
        tab = browser.tab(server.link())
        tab.ready()
        assert tab.value("document.querySelectorAll('#training-loss path, #training-moves path').length") == 2
        drawn = (
            "[...document.querySelectorAll('#training-loss path, #training-moves path')].map(e => e.getAttribute('d'))"
        )
        assert all(len(path) > 20 for path in tab.value(drawn))
        assert tab.complaints == []
    finally:
        server.stop()

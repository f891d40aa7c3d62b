"""The explorer in a real browser: what the page shows is what the library says, and it is kind and safe to use."""

from __future__ import annotations

import re

import numpy as np
import pytest

import iterorder as ito
from iterorder.plotting import ORDER_COLORS
from tests.explore_server import SMALL, Server, drop

#: WCAG 2.1: contrast of text, and of what carries meaning without being text.
TEXT, GRAPHICS = 4.5, 3.0


def numbers(tab, side: str) -> list[float]:
    shown = tab.value(f"document.getElementById('{side}-numbers').textContent").replace("−", "-")
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
        assert tab.value("explorer.svg('training')").count("<path") == 2
        assert tab.complaints == []
    finally:
        server.stop()

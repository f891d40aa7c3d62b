"""The explorer in a notebook: the messages of the widget, the one ES module that it is, and that in a browser."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest

import iterorder as ito
from iterorder.errors import BackendUnavailableError, InvalidInputError
from iterorder.explore import Explorer, bundle, widget
from iterorder.explore.conversations import MOST_VIEWS, Conversations
from iterorder.explore.session import Session
from iterorder.explore.systems import Catalogue, OwnMaps
from iterorder.explore.view import View
from tests.notebook_host import Host
from tests.test_explore_browser_view import EXTENT

QUESTIONS = (
    '{"do": "hello"}',
    '{"do": "open", "view": "replicas=300&steps=20"}',
    '{"do": "frame", "n": 7}',
    '{"do": "theory"}',
    '{"do": "frame", "n": 700}',
)


def test_a_view_is_answered_what_a_session_answers():
    conversations, session = Conversations(Catalogue(), []), Session(Catalogue(), [])
    for question in QUESTIONS:
        content, buffers = conversations.answer({"from": "one", "text": question})
        expected = session.answer(question)
        assert content["to"] == "one"
        assert (buffers == [expected]) if isinstance(expected, bytes) else (content["text"] == expected)


def test_views_of_a_widget_do_not_disturb_each_other():
    conversations = Conversations(Catalogue(), [])
    frame = {"text": '{"do": "frame", "n": 3}'}
    conversations.answer({"from": "one", "text": QUESTIONS[1]})
    before = conversations.answer({"from": "one", **frame})
    conversations.answer({"from": "two", "text": '{"do": "open", "view": "seed=9&replicas=300"}'})
    assert conversations.answer({"from": "one", **frame}) == before
    assert conversations.answer({"from": "two", **frame})[1] != before[1]
    assert conversations.answer({"from": "one", "text": ""}) is None  # closed: nothing of it is left
    assert "no view is open" in conversations.answer({"from": "one", **frame})[0]["text"]
    for k in range(MOST_VIEWS):
        conversations.answer({"from": str(k), "text": QUESTIONS[0]})
    assert "no view is open" in conversations.answer({"from": "two", **frame})[0]["text"]  # the oldest has gone


@pytest.mark.parametrize("content", [None, [], "text", {}, {"from": 1, "text": "{}"}, {"from": "a", "text": 3}])
def test_what_no_view_has_sent_is_not_answered(content):
    assert Conversations(Catalogue(), []).answer(content) is None


def test_the_module_is_whole():
    """Nothing is imported or exported but at its end, and each name that a file takes from another is there."""
    text = bundle.bundled()
    assert re.findall(r"^(?:import|export)\b.*$", text, re.MULTILINE) == ['export default modules["widget.js"];']
    files = {file.name: file.read_text(encoding="utf-8") for file in bundle.STATIC.glob("*.js")}
    given = {name: {each for _, each in bundle.EXPORT.findall(text)} for name, text in files.items()}
    given[bundle.ASSETS] = {"markup", "styles"}
    for name, text in files.items():
        assert len(re.findall(r"^import\b", text, re.MULTILINE)) == len(bundle.IMPORT.findall(text)), name
        assert len(re.findall(r"^export\b", text, re.MULTILINE)) == len(bundle.EXPORT.findall(text)), name
        for names, origin in bundle.IMPORT.findall(text):
            assert set(names.split(", ")) <= given[origin], (name, origin)
    assert "no such name" not in given["chart.js"]


def test_controls_are_given_by_name():
    assert View().changed(system="ar1", a=0.5, order=ito.Window(20)).query == "system=ar1&a=0.5&order=window:20"
    assert View().changed(order=ito.Window(start=7)).order == "anchored:7"
    for wrong in ({"colour": "red"}, {"order": 5}, {"steps": 1}, {"system": None}):
        with pytest.raises(InvalidInputError, match=next(iter(wrong))):
            View().changed(**wrong)


def test_maps_of_a_notebook_have_no_file():
    def make(step_size):
        return ito.gallery.two_point_quadratic(step_size)

    catalogue = Catalogue(OwnMaps.of_notebook(make))
    session = Session(catalogue, [])
    answer = json.loads(session.answer('{"do": "open", "view": "system=file&step_size=0.25&replicas=20&steps=9"}'))
    assert answer["title"] == "make"
    assert answer["command"] == ""
    assert "maps = make(step_size=0.25)" in answer["python"]
    exec(answer["python"], {"make": make})
    assert OwnMaps.of_notebook(lambda a: a).name == "make"
    with pytest.raises(InvalidInputError, match="maps"):
        OwnMaps.of_notebook(3)


def test_without_anywidget_it_is_said_what_to_install(monkeypatch):
    widget._widget_class.cache_clear()
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(BackendUnavailableError, match=r"pip install iterorder\[notebook\]"):
        Explorer(system="ar1")
    with pytest.raises(InvalidInputError, match="colour"):
        Explorer(colour="red")


def test_the_widget_answers_over_its_comm(monkeypatch):
    """The package itself, without a front-end: what it sends is kept."""
    pytest.importorskip("anywidget")
    explorer, sent = Explorer(system="ar1", a=0.5, replicas=300, steps=20), []
    assert explorer.view == "system=ar1&a=0.5&replicas=300&steps=20"
    assert repr(explorer) == f"Explorer('{explorer.view}')"
    monkeypatch.setattr(explorer.widget, "send", lambda content, buffers=None: sent.append((content, buffers)))
    opened = json.dumps({"do": "open", "view": explorer.view})
    for text in (opened, '{"do": "frame", "n": 5}'):
        explorer.widget._handle_custom_msg({"from": "one", "text": text}, [])
    session = Session(Catalogue(), [])
    sent = [each for each in sent if "notice" not in each[0]]  # of kernels that no test before had compiled
    assert sent[0][0]["text"] == session.answer(opened)
    assert sent[1] == ({"to": "one"}, [session.answer('{"do": "frame", "n": 5}')])
    assert Explorer(maps=ito.gallery.ar1(0.5, 1.0)).view == "system=file"


@pytest.fixture(scope="module")
def outputs(browser):
    """A tab with three outputs: two of one widget, and one of another."""
    host = Host()
    tab = browser.tab(host.address)
    tab.until("window.outputs && outputs.length === 3 && outputs.every(o => o.explorer.ready && o.explorer.frames)")
    yield tab
    tab.do("Page.navigate", url="about:blank")
    host.stop()


def shown(tab, output: int, name: str) -> str:
    return tab.value(f"outputs[{output}].shadowRoot.getElementById('{name}').textContent")


def set_control(tab, output: int, name: str, value) -> None:
    tab.value(
        f"(o => {{ o.explorer.ready = false; const f = o.shadowRoot.getElementById('control-{name}');"
        f"f.value = '{value}'; f.dispatchEvent(new Event('change')) }})(outputs[{output}])"
    )
    tab.until(f"outputs[{output}].explorer.ready")


def numbers(tab, output: int) -> list[float]:
    return [
        float(each)
        for each in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", shown(tab, output, "other-numbers").replace("−", "-"))
    ]


def test_each_output_shows_the_numbers_of_the_library(outputs):
    """Six digits are shown; another step size in one output leaves the others, the address and the notebook alone."""
    set_control(outputs, 0, "step_size", 0.5)
    for output, maps, n in (
        (0, ito.gallery.two_point_quadratic(0.5), 40),
        (1, ito.gallery.two_point_quadratic(0.3), 40),
        (2, ito.gallery.barnsley_fern(), 30),
    ):
        run = ito.simulate(maps, np.zeros(maps.dim), n, order="backward", n_replicas=2000, seed=1)
        states = run.states[:, -1]
        expected = [*states.mean(axis=0), *states.std(axis=0)]
        np.testing.assert_allclose(numbers(outputs, output)[: 2 * maps.dim], expected, rtol=5e-6)
    assert outputs.value("models.a.get('view')") == "step_size=0.5&replicas=2000&steps=40"
    assert outputs.value("location.hash") == ""
    for output in (0, 2):
        outputs.value(f"outputs[{output}].shadowRoot.getElementById('play').click()")
    outputs.until("[0, 2].every(k => outputs[k].explorer.frames > 10)")
    for output in (0, 2):
        outputs.value(f"outputs[{output}].shadowRoot.getElementById('play').click()")
    assert outputs.complaints == []


def test_the_notebook_keeps_its_styles_names_and_keys(outputs):
    style = "(e => [getComputedStyle(e).color, getComputedStyle(e).fontSize])(document.querySelector('h1'))"
    assert outputs.value(style) == ["rgb(200, 0, 0)", "40px"]
    assert outputs.value("document.styleSheets.length + document.adoptedStyleSheets.length") == 1
    inside = "outputs[0].shadowRoot.getElementById('play')"
    assert outputs.value(f"getComputedStyle({inside}).backgroundColor") == "rgb(255, 255, 255)"  # nor does it reach in
    assert outputs.value("document.getElementById('control-seed').value") == "of the notebook"
    press = (
        "(() => {{ let heard = 0; const count = () => heard++; document.addEventListener('keydown', count);"
        "{}.dispatchEvent(new KeyboardEvent('keydown', {{key: 'd', bubbles: true, composed: true}}));"
        "document.removeEventListener('keydown', count); return heard }})()"
    )
    assert outputs.value(press.format("outputs[0].shadowRoot.getElementById('control-seed')")) == 0
    assert outputs.value(press.format("document.getElementById('control-seed')")) == 1
    assert outputs.value("outputs[0].hasAttribute('data-lm-suppress-shortcuts')")


def test_the_plane_of_an_output_has_equal_axes_and_its_wait_is_told(outputs):
    """The fern is about twice as high as wide; a notice of the kernel is no answer to what was asked."""
    across, up = outputs.value(EXTENT.format(root="outputs[2].shadowRoot", side="other"))
    assert 1.8 < up / across < 2.3
    notice = "models.b.trigger('msg:custom', { to: sent, notice: JSON.stringify({ kind: 'compiling' }) }, [])"
    outputs.value(
        "(() => { const send = models.b.send; models.b.send = (content) => { window.sent = content.from;"
        "models.b.send = send; models.b.send(content); } })()"
    )
    outputs.value(
        "(() => { outputs[2].explorer.ready = false; const f = outputs[2].shadowRoot.getElementById('control-seed');"
        f"f.value = 3; f.dispatchEvent(new Event('change')); {notice};"
        "window.busy = outputs[2].shadowRoot.getElementById('busy').textContent })()"
    )
    assert "Compiling kernels" in outputs.value("busy")
    outputs.until("outputs[2].explorer.ready")
    assert shown(outputs, 2, "busy") == ""


def test_a_closed_output_lets_go(outputs):
    heard = outputs.value("models.a.listeners.length")
    outputs.value("ends[1]()")
    assert outputs.value("models.a.listeners.length") < heard
    assert outputs.complaints == []


def test_a_restarted_kernel_is_told(outputs):
    outputs.value("models.b.restart()")
    outputs.until("!outputs[2].shadowRoot.getElementById('message').hidden")
    assert "restarted" in shown(outputs, 2, "message")
    assert outputs.value("outputs[0].shadowRoot.getElementById('message').hidden")
    assert outputs.complaints == []

"""The explorer without a browser: views, systems, frames against NumPy, and who is answered."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.cli import USAGE, main
from iterorder.errors import InvalidInputError
from iterorder.explore import frames, snippet
from iterorder.explore.session import Session
from iterorder.explore.systems import SYSTEMS, Catalogue, own_maps
from iterorder.explore.tables import MAX_TABLES, Tables, read_table
from iterorder.explore.training import training_runs
from iterorder.explore.view import View
from iterorder.plotting import ORDER_COLORS

STATIC = Path(frames.__file__).parent / "static"
#: What a name, a cell or a link may hold.
HOSTILE = "<img src=x onerror=alert(1)>'\"\\\n'); import os; ('</script><script>alert(2)</script>"


@given(
    st.builds(
        View,
        system=st.sampled_from(list(SYSTEMS)),
        step_size=st.floats(1e-9, 1e9),
        order=st.sampled_from(["forward", "backward", "window:3", "anchored:0"]),
        seed=st.integers(0, 2**64 - 1),
        replicas=st.integers(1, 10**6),
        steps=st.integers(2, 500),
        start=st.floats(-1e9, 1e9) | st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=4).map(tuple),
    )
)
def test_a_link_gives_the_view_back(view):
    assert View.from_query(view.query) == view
    assert View.from_query("#" + view.query) == view


@pytest.mark.parametrize(
    ("link", "named"),
    [
        ("steps=1", "steps"),
        ("steps=1e9", "steps"),
        ("replicas=10000001", "replicas"),
        ("step_size=nan", "step_size"),
        ("step_size=inf", "step_size"),
        ("seed=-1", "seed"),
        ("order=window:x", "order"),
        ("order=sideways", "order"),
        ("start=1,x", "start"),
        ("start=", "start"),
        ("start=1,inf", "start"),
        ("colour=red", "colour"),
        ("system=" + "a" * 3000, "characters"),
    ],
)
def test_a_link_that_is_no_view_says_what_is_wrong(link, named):
    with pytest.raises(InvalidInputError, match=named):
        View.from_query(link)


def opened(session: Session, query: str) -> dict:
    return json.loads(session.answer(json.dumps({"do": "open", "view": query})))


def unpacked(message: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A second reading of the layout that frames.py documents."""
    head = np.frombuffer(message, "<u4", 6)
    numbers = np.frombuffer(message, "<f8", 8, offset=24).reshape(2, 2, 2)
    shape = (2, head[1]) if head[2] == 0 else (2, head[1], head[2])
    return head, numbers, np.frombuffer(message, "<u4", offset=88).reshape(shape)


@pytest.mark.parametrize("name", list(SYSTEMS))
def test_a_frame_counts_the_states_of_the_library(name):
    """Against NumPy's histograms of `simulate`: all but the few values on an edge, where the scaling may round."""
    step_size = 0.1
    session = Session(Catalogue(), [])
    view = View(system=name, step_size=step_size, replicas=2000, steps=30, seed=3, order="window:7")
    answer = opened(session, view.query)
    assert answer["kind"] == "opened", answer
    head, numbers, counts = unpacked(session.answer('{"do": "frame", "n": 20}'))
    maps = Catalogue().maps(view)
    for k, order in enumerate(("forward", ito.Window(7))):
        states = ito.simulate(maps, np.zeros(maps.dim), 20, order=order, n_replicas=2000, seed=3).states[:, -1]
        shown = states[:, answer["coordinates"]]
        expected, _ = np.histogramdd(shown, bins=counts[k].shape, range=answer["ranges"])
        assert np.abs(expected - counts[k]).sum() <= 2 * _on_edges(shown, answer["ranges"], counts[k].shape)
        assert head[3 + k] == 2000 - counts[k].sum()
        columns = (shown[:, 0], shown[:, -1])
        np.testing.assert_array_equal(numbers[k], [[column.mean(), column.std()] for column in columns])
    assert list(head[[0, 5]]) == [20, 2000]
    other = ito.simulate(maps, np.zeros(maps.dim), 20, n_replicas=2000, seed=4).states[:, -1]
    wrong, _ = np.histogramdd(other[:, answer["coordinates"]], bins=counts[0].shape, range=answer["ranges"])
    assert np.abs(wrong - counts[0]).sum() > 100 or name == "cyclic_walk"  # another seed is told


def _on_edges(shown, ranges, shape) -> int:
    """Values within four roundings of an edge of a bin."""
    near = np.zeros(len(shown), dtype=bool)
    for column, (low, high), bins in zip(shown.T, ranges, shape, strict=True):
        place = (column - low) * (bins / (high - low))
        scale = bins * max(1.0, abs(low) / (high - low))
        near |= np.abs(place - np.round(place)) <= 4 * np.finfo(float).eps * scale
    return int(near.sum())


@pytest.mark.parametrize(
    "query",
    [
        "system=ar1&a=0.5&steps=20&replicas=500",
        "system=linear_model&loss=logistic&order=anchored:5&steps=20&replicas=50",
    ],
)
def test_the_lines_of_python_print_what_the_command_prints(query, capsys):
    lines = snippet.python_lines(Catalogue(), View.from_query(query))
    assert len([line for line in lines.splitlines() if line]) <= 14
    exec(lines, {})
    printed = capsys.readouterr().out
    assert main(["explore", "--view", query, "--print"]) == 0
    assert re.sub(r"Window\(.*?\)", "W", capsys.readouterr().out) == re.sub(r"Window\(.*?\)", "W", printed)


def test_the_law_and_the_theory_are_those_of_the_library():
    session = Session(Catalogue(), [])
    answer = opened(session, "system=ar1&a=0.5&steps=20&replicas=1000")
    low, high = answer["ranges"][0]
    law = ito.gallery.ar1(0.5, 1.0).law
    np.testing.assert_allclose(sum(answer["law"]), law.cdf(high) - law.cdf(low), rtol=1e-12)
    answer = opened(session, "step_size=0.5")
    assert answer["certificate"]["depth"] == 27  # 2^-n·D/(1−c) with D = ½, c = ½ is below 1e-8 from n = 27 on
    theory = json.loads(session.answer('{"do": "theory"}'))
    assert theory["rate"] == pytest.approx(-np.log(2.0), rel=1e-12)
    assert theory["mean_square_rate"] == pytest.approx(-np.log(2.0), rel=1e-12)
    forward, backward = answer["increments"]
    assert backward[50] < 1e-12 < forward[50]


def test_stability_is_that_of_the_library():
    session = Session(Catalogue(), [])
    opened(session, "system=linear_model&step_size=0.1")
    found = json.loads(session.answer('{"do": "stability"}'))
    catalogue, view = Catalogue(), View(system="linear_model", batch_size=4)
    maps = catalogue.maps(view)
    exact = ito.stability_boundary(
        lambda h: ito.LinearRegressionSGD(maps.features, maps.targets, h, batch_size=4), found["low"], found["high"]
    )
    assert found["boundaries"][2] == pytest.approx(float(exact), rel=1e-9)
    opened(session, "step_size=0.5")
    assert "reason" in json.loads(session.answer('{"do": "stability"}'))


def test_tables_are_numbers_or_an_error_that_names_the_place():
    table = read_table("a.csv", "x,y\n1,2\n3,4\n")
    assert table.header
    np.testing.assert_array_equal(table.features, [[1.0], [3.0]])
    refused = {
        "1,2\n3\n": "line 2, has 1 in place of 2 columns",
        "1,2\n3,nan\n": "line 2, column 2, is 'nan'",
        "x,y\n\n1,2\n3,=cmd|' /C calc'!A0\n": 'line 4, column 2 \\(y\\), is "=cmd',
        "": "no numbers",
        "x,y\n": "no numbers",
        "1\n2\n": "one column",
        ",".join("1" * 201) + "\n" + ",".join("1" * 201): "201 columns",
        '1,"2\n': "1 line of numbers",
        "1,2\n3," + "4" * 200_000: "no CSV file",
        "1,2\n3," + "x" * 1000: "is 'x{40}': give",
    }
    for text, told in refused.items():
        with pytest.raises(InvalidInputError, match=told):
            read_table("a.csv", text)
    with pytest.raises(InvalidInputError, match="larger"):
        read_table("a.csv", "1,2\n" * (3 * 2**20))
    kept = Tables()
    for k in range(MAX_TABLES + 1):
        kept.add(read_table("a.csv", f"1,{k}\n2,3\n"))
    assert kept.get(read_table("a.csv", f"1,{MAX_TABLES}\n2,3\n").digest)
    with pytest.raises(InvalidInputError, match="drop its file"):
        kept.get(read_table("a.csv", "1,0\n2,3\n").digest)


def test_a_hostile_name_stays_a_literal(tmp_path, monkeypatch):
    """The lines of Python hold it as text; run beside a file of that very name, they read it."""
    catalogue = Catalogue()
    name = HOSTILE.replace("/", ":")  # a file's name has no slash
    text = "a,b\n1,2\n3,4\n5,7\n"
    session = Session(catalogue, [])
    answer = json.loads(session.answer(json.dumps({"do": "table", "name": name, "text": text})))
    view = View(system=answer["system"], step_size=0.01, replicas=10, steps=5)
    lines = snippet.python_lines(catalogue, view)
    assert "\n'); import os" not in lines
    (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    exec(lines, {})


def test_answers_are_errors_never_exceptions():
    session = Session(Catalogue(), [])
    for text in ("", "[]", "{", '{"do": "frame", "n": 1}', '{"do": "open"}', '{"do": "rm"}', "[" * 10**5):
        assert json.loads(session.answer(text))["kind"] == "error"
    opened(session, "")
    for n in (-1, 101, 0.5, "1", None, True):
        assert json.loads(session.answer(json.dumps({"do": "frame", "n": n})))["kind"] == "error"
    assert opened(session, "system=file")["kind"] == "error"  # maps of a file come from the command line alone
    assert opened(session, "system=os.system")["kind"] == "error"
    assert opened(session, "step_size=5000&steps=500")["kind"] == "error"  # every replica leaves the numbers


def test_two_sessions_do_not_disturb_each_other():
    catalogue = Catalogue()
    first, second = Session(catalogue, []), Session(catalogue, [])
    opened(first, "replicas=100")
    before = first.answer('{"do": "frame", "n": 10}')
    opened(second, "system=barnsley_fern&replicas=100&seed=9")
    assert first.answer('{"do": "frame", "n": 10}') == before != second.answer('{"do": "frame", "n": 10}')


def test_a_view_of_a_table_that_has_gone_asks_for_it():
    catalogue = Catalogue()
    table = read_table("a.csv", "1,2\n3,4\n5,9\n")
    query = f"system=csv:{table.digest}&step_size=0.01&replicas=10&steps=5"
    assert opened(Session(catalogue, []), query) == {"kind": "missing", "system": f"csv:{table.digest}"}
    catalogue.tables.add(table)
    assert opened(Session(catalogue, []), query)["kind"] == "opened"


def test_maps_come_from_the_file_of_the_command_line(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(
        "import iterorder as ito\nmake = lambda step_size: ito.gallery.two_point_quadratic(step_size)\nx = 1\n"
    )
    own = own_maps(f"{file}:make")
    assert own.uses == ("step_size",)
    assert own.maps(View(step_size=0.25)).step_size == 0.25
    query = "replicas=20&steps=9&step_size=0.25"
    assert main(["explore", "--maps", f"{file}:make", "--view", query, "--print"]) == 0
    printed = capsys.readouterr().out
    exec(snippet.python_lines(Catalogue(own), View.from_query(query + "&system=file")), {})
    assert capsys.readouterr().out == printed
    words = shlex.split(snippet.command(Catalogue(own), View.from_query(query + "&system=file")))
    assert main([*words[1:], "--print"]) == 0
    assert capsys.readouterr().out == printed
    for wrong in (f"{file}:x", f"{file}:gone", f"{file}", f"{tmp_path}/none.py:make"):
        assert main(["explore", "--maps", wrong, "--print"]) == USAGE
    assert "--maps" in capsys.readouterr().err


def test_training_is_read_from_its_folder(tmp_path):
    rng = np.random.default_rng(0)
    model = ito.networks.MLP(rng.normal(size=(20, 3)), rng.integers(0, 2, 20), hidden=(4,), step_size=0.1)
    options = {"batch_size": 4, "n_steps": 6, "pairs": True, "seed": 0}
    for order in ("forward", "backward"):
        run = ito.networks.train(model, order=order, folder=tmp_path / order, **options)
    found = training_runs(tmp_path)
    assert [each["name"] for each in found] == ["backward", "forward"]
    np.testing.assert_array_equal(found[0]["loss"], run.observables["loss"][0, 0])
    np.testing.assert_array_equal(found[0]["moves"], run.moves[0, 0])
    assert json.loads(Session(Catalogue(), found).answer('{"do": "hello"}'))["runs"][0]["order"] == "backward"
    with pytest.raises(InvalidInputError, match="--run"):
        training_runs(tmp_path / "forward" / "none")


def test_the_colours_are_those_of_the_figures():
    script = (STATIC / "style.js").read_text(encoding="utf-8")
    colours = dict(re.findall(r'(\w+): "(#\w{6})"', script))
    assert colours
    assert {name: colour for name, colour in colours.items() if name in ORDER_COLORS} == {
        name: ORDER_COLORS[name] for name in colours
    }


def test_the_page_takes_nothing_from_elsewhere_and_builds_no_html():
    for file in STATIC.iterdir():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function", text), file
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), file
        assert len(text.splitlines()) < 400
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*src=)|<style| style=| on\w+=", page)

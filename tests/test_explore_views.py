"""Views that a system can show: its coordinates, its start, the controls that it uses; what is said of all others."""

from __future__ import annotations

import json

import numpy as np
import pytest

import iterorder as ito
from iterorder.cli import USAGE, main
from iterorder.errors import InvalidInputError
from iterorder.explore import Explorer, frames, snippet
from iterorder.explore.compiling import told_of_compiling
from iterorder.explore.session import Session
from iterorder.explore.systems import SYSTEMS, Catalogue, OwnMaps, own_maps
from iterorder.explore.view import View

FEW = "replicas=50&steps=9"


def opened(query: str, catalogue: Catalogue | None = None) -> dict:
    return json.loads(Session(catalogue or Catalogue(), []).answer(json.dumps({"do": "open", "view": query})))


@pytest.mark.parametrize(
    ("query", "dim", "told"),
    [
        ("first=1", 1, "give 0"),
        ("second=7", 1, "give 0"),
        ("system=sierpinski&second=2", 2, "from 0 to 1"),
        ("system=sierpinski&first=2", 2, "from 0 to 1"),
        ("start=1,2", 1, "give one number"),
        ("system=sierpinski&start=1,2,3", 2, "3 numbers"),
    ],
)
def test_what_the_system_has_not_is_refused_with_its_dimension(query, dim, told, capsys):
    answer = opened(f"{query}&{FEW}")
    assert answer["kind"] == "error"
    for text in (f"dimension {dim}", told, query.split("&")[-1].split("=")[0]):
        assert text in answer["text"]
    assert main(["explore", "--view", query, "--print"]) == USAGE
    assert f"dimension {dim}" in capsys.readouterr().err
    with pytest.raises(InvalidInputError, match=f"dimension {dim}"):
        Explorer(query)


def test_a_start_of_one_number_for_each_coordinate(capsys):
    """In the link, the frame, the lines of Python and the command; one number is one for all, as in old links."""
    catalogue, query = Catalogue(), f"system=sierpinski&{FEW}&start=1,-2"
    view = View.from_query(query)
    assert (
        view == View.from_query(view.query) == View().changed(start=[1, -2], system="sierpinski", replicas=50, steps=9)
    )
    assert view.query.endswith("start=1,-2")
    np.testing.assert_array_equal(frames.scene(view, catalogue.maps(view)).start, [1.0, -2.0])
    np.testing.assert_array_equal(View.from_query("start=0.5").starts(3), [0.5, 0.5, 0.5])
    exec(snippet.python_lines(catalogue, view), {})
    printed = capsys.readouterr().out
    assert main(["explore", "--view", query, "--print"]) == 0
    assert capsys.readouterr().out == printed
    states = ito.simulate(ito.gallery.sierpinski(), [1, -2], 9, n_replicas=50, seed=1).states[:, -1]
    assert str(states.mean(axis=0).tolist()) in printed
    assert query in snippet.command(catalogue, view)


def test_a_link_with_what_the_system_does_not_use_is_opened_without_it():
    answer = opened(f"system=sierpinski&lam=0.3&a=0.1&{FEW}")
    assert answer["kind"] == "opened"
    assert answer["unused"] == ["lam", "a"]
    assert answer["query"] == View.from_query(f"system=sierpinski&{FEW}").query
    for name in SYSTEMS:
        assert opened(f"system={name}&step_size=0.1&{FEW}")["unused"] in ([], ["step_size"]), name


def test_an_explorer_refuses_what_the_system_does_not_use(capsys):
    for given in ({"lam": 0.3}, {"lam": View.lam}):  # that it has its default value does not matter
        with pytest.raises(InvalidInputError, match=r"^lam: sierpinski does not use it: give some of .*\border\b"):
            Explorer(system="sierpinski", **given)
    with pytest.raises(InvalidInputError, match=r"^lam and sigma: .* use them"):
        Explorer("system=sierpinski&lam=0.3", sigma=2.0)
    with pytest.raises(InvalidInputError, match=r"^step_size: file"):
        Explorer(ito.gallery.ar1(0.5, 1.0), step_size=0.3)
    assert main(["explore", "--view", "system=sierpinski&lam=0.3", "--print"]) == USAGE
    assert "lam: sierpinski" in capsys.readouterr().err


def test_an_explorer_takes_a_name_a_view_maps_or_their_function():
    pytest.importorskip("anywidget")
    assert Explorer("ar1", a=0.5).view == Explorer("system=ar1&a=0.5").view == "system=ar1&a=0.5"
    assert Explorer("#system=ar1&a=0.5").view == "system=ar1&a=0.5"
    assert Explorer(ito.gallery.ar1(0.5, 1.0)).view == "system=file"
    assert Explorer(ito.gallery.ar1, a=0.5, start=[2]).view == "system=file&a=0.5&start=2"


def test_what_an_explorer_cannot_be_made_from_is_told():
    maps = ito.gallery.ar1(0.5, 1.0)
    for wrong, given in ((3, {}), (None, {}), (maps, {"maps": maps}), ([maps], {})):
        with pytest.raises(InvalidInputError, match=r"^view is .*: give the name of a system"):
            Explorer(wrong, **given)
    with pytest.raises(InvalidInputError, match="'sierpinsky'"):
        Explorer("sierpinsky")


def test_a_function_of_the_user_that_cannot_be_called_is_told(tmp_path):
    with pytest.raises(InvalidInputError, match="make needs width, which"):
        OwnMaps.of_notebook(_named("make", lambda width, a: ito.gallery.ar1(a, width)))
    file = tmp_path / "mine.py"
    file.write_text("make = lambda width: width\n")
    with pytest.raises(InvalidInputError, match="needs width"):
        own_maps(f"{file}:make")
    failing = Catalogue(OwnMaps.of_notebook(_named("make", lambda a, **others: 1 / 0)))
    answer = opened("system=file", failing)
    assert answer["kind"] == "error"
    assert "make fails with ZeroDivisionError" in answer["text"]


def _halving(x, draw, params, out):
    out[0] = 0.5 * x[0] + draw[0]


def _named(name: str, function):
    function.__name__ = name
    return function


def test_the_certificate_speaks_of_the_page_and_not_of_arguments():
    own = Catalogue(OwnMaps.of_notebook(ito.CustomMaps(_halving, dim=1, noise="uniform")))
    answers = [opened(f"system={name}&step_size=0.1&{FEW}") for name in SYSTEMS]
    reasons = [each["certificate"].get("reason", "") for each in [*answers, opened(f"system=file&{FEW}", own)]]
    for word in ("tol", "CustomMaps", "lipschitz", "=", "(", "_", "stationary_sample"):
        assert not any(word in reason for reason in reasons), (word, reasons)
    assert reasons[0] == ""
    assert "none is known" in reasons[-1]
    assert "normal noise" in opened(f"system=ar1&{FEW}")["certificate"]["reason"]
    assert "largest Lipschitz constant of these is 1" in opened(f"system=reflected_walk&{FEW}")["certificate"]["reason"]


def test_numbers_of_the_theory_have_no_rounding_in_them():
    session = Session(Catalogue(), [])
    session.answer(json.dumps({"do": "open", "view": f"system=reflected_walk&{FEW}"}))
    theory = json.loads(session.answer('{"do": "theory"}'))
    assert theory["rate"] == 0.0
    assert theory["rows"][0][1].startswith("0 ± ")
    session.answer(json.dumps({"do": "open", "view": f"system=ar1&{FEW}"}))
    assert json.loads(session.answer('{"do": "theory"}'))["rows"][0] == ["Lyapunov exponent", "-0.105361"]


def test_axes_are_equal_where_the_ranges_can_be_compared():
    assert opened(f"system=barnsley_fern&{FEW}")["equal_axes"]
    for ratio, equal in ((frames.MOST_ELONGATED / 1.5, True), (frames.MOST_ELONGATED * 1.5, False)):
        maps = ito.AffineMaps(np.full((2, 2, 2), 0.0), [[0.0, 0.0], [1.0, ratio]])
        assert opened(f"system=file&{FEW}", Catalogue(OwnMaps.of_notebook(maps)))["equal_axes"] is equal


def test_compiling_is_told_once_and_only_where_something_is_compiled():
    import numba

    inner = numba.njit(lambda x: x + 1.0)
    outer = numba.njit(lambda x: inner(x) * 2.0)
    told: list[str] = []
    with told_of_compiling(lambda: told.append("first")):
        outer(1.0)  # and in it the inner one
    with told_of_compiling(lambda: told.append("second")):
        outer(2.0)
    outer(1)
    assert told == ["first"]

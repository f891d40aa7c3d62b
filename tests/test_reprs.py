"""Results print their shapes and main facts in a few lines, never whole arrays."""

from __future__ import annotations

import dataclasses
import pickle
from html.parser import HTMLParser

import numpy as np
import pytest

import iterorder as ito
from iterorder.claims import CLAIMS, ClaimRow
from iterorder.html import notebook_html, table_html
from tests.systems import EVERY

DATA = np.random.default_rng(0).normal(size=(442, 10))
REGRESSION = ito.LinearRegressionSGD(DATA, DATA[:, 0], 0.001)
TWO_POINT = ito.gallery.two_point_quadratic(0.5)


def test_families_show_the_shapes_of_their_data():
    assert repr(REGRESSION) == (
        "LinearRegressionSGD(features=<shape 442×10>, targets=<shape 442>, step_size=0.001, batch_size=1, "
        "sampling='iid')"
    )
    assert "ridge=0.5" in repr(ito.LinearRegressionSGD(DATA, DATA[:, 0], 0.001, ridge=0.5))
    assert repr(ito.GaussianRegressionSGD([1.0, 0.5], 1.0, 0.1)) == (
        "GaussianRegressionSGD(eigenvalues=[1, 0.5], noise_std=1, step_size=0.1)"
    )
    # What is None is left out, and what has its own keeps it.
    assert repr(ito.gallery.sierpinski()) == ("AffineMaps(matrices=<shape 3×2×2>, offsets=<shape 3×2>, sampling='iid')")
    assert "probabilities=<shape 4>" in repr(ito.gallery.barnsley_fern())
    assert repr(ito.gallery.ar1(0.5, 1.0)) == (
        "CustomMaps(_ar1, dim=1, noise='normal', params=(0.5, 1), lipschitz=0.5)"
    )


def test_laws_of_the_gallery_show_their_parameters():
    assert repr(ito.gallery.two_point_quadratic(0.3).law) == "BinaryLaw(lam=0.7, low=0, high=0.3)"
    assert repr(ito.gallery.bernoulli_convolution(0.25).law) == "CantorLaw(lam=0.25, low=-1, high=1)"
    assert repr(ito.gallery.vervaat().law) == "DickmanLaw()"
    assert repr(ito.gallery.ar1(0.6, 0.8).law) == "norm(0, 1)"
    assert repr(ito.gallery.cyclic_walk(5).law) == "randint(0, 5)"
    assert repr(pickle.loads(pickle.dumps(ito.gallery.arcsine().law))) == "arcsine()"
    assert repr(ito.gallery.barnsley_fern().law).startswith("MomentLaw(mean=[")


def test_a_law_without_quantiles_is_named_and_its_sample_is_advised():
    law = ito.gallery.two_point_quadratic(0.3).law
    with pytest.raises(
        ito.InvalidInputError, match=r"distribution is BinaryLaw\(lam=0\.7.*wasserstein_1d\(u, law\.rvs"
    ):
        ito.wasserstein_1d_to([0.5], law)
    with pytest.raises(ito.InvalidInputError, match=r"MomentLaw.*norm\(\)$"):  # the control: nothing to draw from
        ito.wasserstein_1d_to([0.5], ito.gallery.sierpinski().law)


@pytest.mark.parametrize("name", EVERY)
def test_every_family_has_one_line(name):
    text = repr(EVERY[name])
    assert text.startswith(type(EVERY[name]).__name__ + "(")
    assert "\n" not in text
    assert "array" not in text
    assert len(text) <= (250 if isinstance(EVERY[name], ito.Optimizer) else 180)  # that shows two families


def test_a_trajectory_tells_what_was_run():
    run = ito.simulate(TWO_POINT, [0.5], 100, n_replicas=30, seed=7, save_steps="all")
    assert repr(run) == (
        "Trajectory(states=<shape 30×101×1, float64>, save_steps=0…100, order='forward', seed=7, "
        "maps=QuadraticSGD(curvatures=[[[1]], [[1]]], minimizers=[[0], [1]], step_size=0.5, batch_size=1, "
        "sampling='iid'))"
    )
    cut = ito.simulate(TWO_POINT, [0.5], 100, order="backward", n_replicas=3, seed=7, tol=1e-6, first_step=5)
    assert "save_steps=100," in repr(cut)
    assert "error_bound=at most " in repr(cut)
    assert "first_step=5" in repr(cut)
    wild = ito.simulate(
        ito.gallery.double_well(0.5, 0.1), [[0.1], [50.0]], 20, n_replicas=2, seed=1, noise="shared", save_steps="all"
    )
    assert "diverged=1 of 2, noise='shared'" in repr(wild)


def test_a_sample_and_a_coupling_tell_their_main_facts():
    sample = ito.stationary_sample(TWO_POINT, 50, seed=0)
    assert repr(sample).startswith("StationarySample(points=<shape 50×1>, certificate='sure', error_bound=at most ")
    assert f"n_steps={sample.n_steps[0]}, seed=0, maps=QuadraticSGD(" in repr(sample)
    coupling = ito.coupling_distance(TWO_POINT, [0.0], [1.0], 10, order="forward", n_replicas=5, seed=0)
    # Both maps halve the distance.
    assert repr(coupling) == "CouplingDistance(steps=0…10, distance=1 → 0.000976562, n_replicas=5, p=2)"


def test_theory_and_a_diagnosis_say_what_is_known():
    text = repr(ito.theory(ito.LinearRegressionSGD(DATA, np.sin(np.arange(442.0)), 0.001)))
    assert text.startswith("Theory of LinearRegressionSGD(features=<shape 442×10>")
    assert "covariance=<shape 10×10>" in text
    assert "not known, see .reasons: " in text
    assert "array" not in text
    assert len(text.splitlines()) <= 14
    assert "mean=[0.5]" in repr(ito.theory(TWO_POINT))
    found = ito.diagnose(TWO_POINT, [0.0], 200, order="backward", n_replicas=50, seed=1)
    assert repr(found) == f"Diagnosis('point': {found.evidence.reason})"
    assert len(repr(found.evidence)) <= 400
    assert "steps 51…100" in repr(found.evidence)


# ---------------------------------------------------------------------------------------------------------- notebooks

EVIL = "<script>alert('&')</script>"


class Tags(HTMLParser):
    """Counts the tags of a document, and refuses one that is closed in the wrong place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_what_a_notebook_shows_is_a_table_with_the_facts_of_the_line():
    run = ito.simulate(TWO_POINT, [0.5], 10, n_replicas=3, seed=7)
    shown = [
        run,
        ito.stationary_sample(TWO_POINT, 5, seed=0),
        ito.coupling_distance(TWO_POINT, [0.0], [1.0], 10, order="forward", n_replicas=5, seed=0),
        ito.diagnose(TWO_POINT, [0.0], 40, order="backward", n_replicas=10, seed=1),
        ito.theory(TWO_POINT),
        ito.check_theory(["C22"]),
        ito.backend_info(),
    ]
    for result in shown:
        tags = Tags(result._repr_html_())
        assert tags.open == []
        assert {"table", "caption", "tr", "th", "td"} <= set(tags.seen)
        assert "array(" not in tags.text
        assert " object at 0x" not in tags.text
    assert "<shape 3×1×1, float64>" in Tags(run._repr_html_()).text  # escaped in the document, whole on the page
    theory = Tags(shown[4]._repr_html_()).text
    assert all(reason in theory for reason in shown[4].reasons.values())


def test_a_name_in_a_notebook_is_text_and_no_tag():
    row = ClaimRow.compared(EVIL, EVIL, EVIL, 0.0, 0.0, 1.0, note=EVIL)
    table = ito.ClaimTable((row, ClaimRow.skipped("C1", "here", EVIL)), 0, "quick")

    def step(x, draw, params, out):
        out[0] = 0.5 * x[0]

    step.__qualname__ = EVIL
    run = ito.simulate(ito.CustomMaps(step, dim=1), [0.5], 3, seed=0)
    for result in (table, run):
        tags = Tags(result._repr_html_())
        assert "script" not in tags.seen
        assert EVIL in tags.text  # the control: it is there, as text
    assert "script" in Tags(f"<td>{EVIL}</td>").seen  # and would be a tag if it were not escaped


def test_tables_and_rows_of_claims_are_one_line():
    table = ito.check_theory(["C22"])
    assert repr(table) == f"ClaimTable({table.summary()})"
    assert repr(table.rows[0]).startswith("ClaimRow(C22, ")
    assert "\n" not in repr(table) + repr(table.rows[0]) + repr(CLAIMS["C1"])
    assert repr(CLAIMS["C1"]) == f"Claim(C1: {CLAIMS['C1'].statement})"


# -------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("module", [ito, ito.gallery, ito.losses, ito.networks, ito.plot])
def test_dir_shows_the_public_names_only_and_all_exist(module):
    assert dir(module) == sorted(module.__all__)
    assert all(getattr(module, name) is not None for name in dir(module))


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: ito.simulate(TWO_POINT, [0.0], 1, seed=0, order="backwards"), "backward"),
        (lambda: ito.simulate(TWO_POINT, [0.0], 1, seed=0, order="Forward"), "forward"),
        (lambda: ito.simulate(TWO_POINT, [0.0], 1, seed=0, noise="sharde"), "shared"),
        (lambda: ito.simulate(TWO_POINT, [0.0], 1, seed=0, dtype="flaot32"), "float32"),
        (lambda: ito.check_theory(["C01"]), "C1"),
        (lambda: ito.check_theory(["c5"]), "C5"),
        (lambda: ito.wasserstein(np.ones((2, 2)), np.ones((2, 2)), method="sinkhorm"), "sinkhorn"),
        (lambda: ito.LinearRegressionSGD(DATA, DATA[:, 0], 0.1, sampling="shuffle"), "reshuffle"),
        (lambda: ito.LinearModelSGD(DATA, DATA[:, 0], 0.1, loss="hubber"), "huber"),
        (lambda: ito.stability_boundary(lambda h: TWO_POINT, 0.1, 3.0, kind="mean square"), "mean-square"),
        (lambda: ito.theory(TWO_POINT, effort="ful"), "full"),
    ],
)
def test_a_word_that_is_nearly_known_is_answered_with_what_was_meant(call, meant):
    with pytest.raises(ito.InvalidInputError, match=f"did you mean '{meant}'\\?"):
        call()


def test_integers_may_be_whole_floats():
    same = ito.simulate(TWO_POINT, [0.0], 1e2, n_replicas=1e3, seed=0, first_step=2e0, first_replica=5.0)
    np.testing.assert_array_equal(
        same.states, ito.simulate(TWO_POINT, [0.0], 100, n_replicas=1000, seed=0, first_step=2, first_replica=5).states
    )
    assert len(ito.stationary_sample(TWO_POINT, 1e1, seed=0).points) == 10
    assert ito.Window(6e1) == ito.Window(60)
    with pytest.raises(ito.InvalidInputError, match=r"n_replicas is 2\.5: give an integer"):
        ito.simulate(TWO_POINT, [0.0], 1, n_replicas=2.5, seed=0)


def test_a_table_of_a_page_and_one_of_a_notebook_have_one_writer():
    page, notebook = table_html([(EVIL, 1234, 0.1, True)], ("", EVIL), bad={0}), notebook_html("c", [(EVIL, "x")])
    for text in (page, notebook):
        assert not {"script", "img"} & set(Tags(text).seen)
        assert 'scope="row"' in text
    assert '<tr class="bad">' in page
    assert '<td class="number">1,234</td><td class="number">0.1</td><td>True</td>' in page
    assert "style" not in page  # a page has a style sheet, a notebook none
    assert notebook.count("text-align: left") == 3  # of both cells and the caption
    assert "thead" not in table_html([("a",)], ("", ""))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ito.AffineMaps([0.5], [[1.0]]), r"matrices has shape \(1,\): give \(m, d, d\), a d×d matrix for each"),
        (lambda: ito.AffineMaps([[[0.5]]], [1.0]), r"offsets has shape \(1,\): give \(m, d\), d numbers for each"),
        (
            lambda: ito.dimension(ito.gallery.sierpinski()),
            "a system: give points of its law, such as stationary_sample",
        ),
        (lambda: ito.dimension(np.zeros((2, 500))), r"or sample\.T if its columns are the points"),
        (lambda: simulate_in("window:20"), r"did you mean the object iterorder\.Window\(20\)\?"),
        (lambda: simulate_in("anchored:7"), r"did you mean the object iterorder\.Window\(start=7\)\?"),
    ],
)
def test_what_is_likely_meant_is_said(call, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        call()


def simulate_in(order):
    return ito.simulate(ito.gallery.sierpinski(), [0.0, 0.0], 3, order=order, seed=0)


def test_custom_maps_show_their_parameters_and_their_bound():
    def half(x, draw, params, out):
        out[0] = params[0] * x[0] + draw[0]

    shown = repr(ito.CustomMaps(half, dim=1, params=(0.5, np.ones(9)), lipschitz=0.5))
    assert shown.endswith("half, dim=1, noise='uniform', params=(0.5, <shape 9>), lipschitz=0.5)")
    assert "lipschitz" not in repr(ito.CustomMaps(half, dim=1, params=(0.5,)))


def test_numbers_with_an_uncertainty_are_read_at_a_glance():
    """Their value as it would be written, and the interval; what is usual is left out."""
    steps = np.arange(30)
    assert repr(ito.Estimate.of(0.5)) == "Estimate(value=0.5, exact=True)"
    assert repr(ito.Estimate.from_mean(0.25, 0.01)) == "Estimate(value=0.25 ± 0.01, interval=[0.2304, 0.2696])"
    assert repr(ito.Estimate(0.9, np.nan, 0.9, np.inf, False)) == "Estimate(value=0.9, interval=[0.9, inf])"
    rate = ito.fit_rate(steps, 5.0 * 0.5**steps)
    told = "Rate(rate=-0.693147, low=-0.6931, high=-0.6931, interval='residuals', steps=15…29, stopped_by='end')"
    assert repr(rate) == told
    assert (f"{rate:.2f}", f"{ito.Estimate.of(0.5):.3f}") == ("-0.69", "0.500")
    assert (f"{rate}", f"{ito.Estimate.from_mean(0.25, 0.01)}") == (told, "0.25 ± 0.01")
    assert repr(dataclasses.replace(rate, curved=True)).endswith("curved=True)")
    assert "stopped_by" in rate._repr_html_()
    path = np.random.default_rng(1).normal(size=20_000)
    told = repr(ito.stationarity_test(path))
    assert told.startswith("StationarityTest(kind='wasserstein', statistic=")
    assert "rejected=False at level 0.05" in told
    distance = repr(ito.wasserstein_estimate(path[:500], path[500:1000], seed=1))
    assert distance.startswith("DistanceEstimate(value=")
    assert ", noise_floor=" in distance
    found = ito.dimension(path)
    assert repr(found).startswith("DimensionEstimate(kind='correlation', value=")
    assert str(found).endswith(f"in [{found.low:.4g}, {found.high:.4g}]")  # whose slope has a smaller standard error

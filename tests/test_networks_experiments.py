"""Baselines, Lyapunov exponents, presets and the experiments that are made of them."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import iterorder as ito
from iterorder.cli.train import print_numbers
from iterorder.networks import MLP, linear_decay, lyapunov_exponent, tail_average, train
from iterorder.networks.baselines import baselines_in
from iterorder.networks.experiment import experiment, orders_of, planned_steps, saves_of
from iterorder.networks.settings import FOLDER, preset, preset_names
from iterorder.sampling import Sampling

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import _networks  # noqa: E402
import figure_network_contraction  # noqa: E402
import train_networks  # noqa: E402

RNG = np.random.default_rng(3)
FEATURES, LABELS = RNG.normal(size=(40, 5)), RNG.integers(0, 3, 40)
COMMON = {"batch_size": 3, "n_steps": 20, "seed": 5}
EPS = np.finfo(float).eps

SMALL = """
title = "small"
[data]
set = "digits"
test = 50
[model]
hidden = [4]
step_size = 0.1
[run]
batch_size = 4
n_steps = 60
stride = {stride}
anchor = 30
seed = 3
[sequences]
count = 12
stride = 5
[baselines]
stride = 20
[control]
hidden = []
step_size = 0.5
weight_decay = 0.2
dtype = "float64"
stride = 10
"""


def model(**options):
    return MLP(FEATURES, LABELS, **{"hidden": (6,), "step_size": 0.2, "dtype": "float64"} | options)


# ---------------------------------------------------------------------------------------------------------- baselines


def test_a_tail_average_is_the_mean_of_the_second_half():
    of = model()
    found = tail_average(of, save_steps="all", **COMMON)
    path = train(of, save_steps="all", keep_states=True, **COMMON).states[0, 0]
    for n in range(21):
        mean = path[n // 2 + 1 : n + 1].mean(axis=0) if n else path[0]
        # The running sum of at most 20 positions, and a loss of slope below ten.
        assert found.observables["loss"][n] == pytest.approx(of.observe(of.at(mean))["loss"][0], abs=10 * 57 * 20 * EPS)
    assert (found.gradients == np.arange(21)).all()
    other = tail_average(of, save_steps=[20], sequence=1, **COMMON)
    assert other.observables["loss"][0] != found.observables["loss"][20]


def test_a_decaying_step_size_is_a_run_of_its_own_for_each_end():
    of, law = model(weight_decay=0.1), Sampling.validated(40, batch_size=3)
    found = linear_decay(of, save_steps=[0, 3, 4, 20], **COMMON)
    for i, n in enumerate([0, 3, 4, 20]):
        state = of.start(1, seed=5, start=0)
        for k in range(n):
            smaller = model(weight_decay=0.1, step_size=0.2 * (1 - k / n))
            state = smaller.step(state, law.draw(5, 0, k), 0)
        # Step sizes are rounded once more; errors grow by less than two a step for twenty steps.
        expected = of.observe(state)["loss"][0]
        assert found.observables["loss"][i] == pytest.approx(expected, abs=20 * 2**20 * 64 * EPS)
    assert found.gradients.tolist() == [0, 3, 7, 27]


def test_a_model_that_cannot_is_told():
    class Bare:
        def __getattr__(self, name):
            if name in ("at", "advance"):
                raise AttributeError(name)
            return getattr(model(), name)

    with pytest.raises(ito.InvalidInputError, match="without at"):
        tail_average(Bare(), **COMMON)
    with pytest.raises(ito.InvalidInputError, match="takes no factor"):
        linear_decay(Bare(), **COMMON)


# --------------------------------------------------------------------------------------------------------- exponents


def test_a_ridge_softmax_contracts_at_the_rate_of_its_decay():
    """The slowest direction of the convex loss has curvature zero: adding a constant to the weights of all classes.

    Along it every map multiplies by 1 − h·decay, and no direction contracts less.
    """
    of = model(hidden=(), step_size=0.5, weight_decay=0.1)
    rate = lyapunov_exponent(of, 1000, batch_size=3, n_replicas=4, seed=1)
    # After half of the steps other directions have gone down by exp(−500·h·λ) beside it; rounding of a state of length
    # ten over the distance of neighbours, in each of 20 steps.
    assert rate.value == pytest.approx(np.log(1 - 0.5 * 0.1), abs=10 * EPS * 20 / 1e-9)
    assert abs(rate.value - np.log(1 - 0.5 * 0.12)) > 1e-3


def test_the_exponent_is_that_of_the_product_of_derivatives():
    """By exact Hessian products along the path of one replica, from another direction."""
    of = model(activation="tanh", step_size=0.5, weight_decay=0.05)
    steps, law = 600, Sampling.validated(40, batch_size=3)
    state, v, growth = of.start(1, seed=1, start=0), np.random.default_rng(9).normal(size=57), 0.0
    for n in range(steps):
        items, theta = law.draw(1, 0, n), of.position(state)[0]
        v = (1 - 0.5 * 0.05) * v - 0.5 * of.hessian_products(theta, v, items)
        if n >= steps // 2:
            growth += np.log(np.linalg.norm(v))
        v /= np.linalg.norm(v)
        state = of.step(state, items, n)
    found = lyapunov_exponent(of, steps, batch_size=3, n_replicas=2, seed=1)
    rates = _rates_of_each(of, steps)
    assert found.value == pytest.approx(np.mean(rates), rel=1e-6)
    # The directions have aligned by the middle, up to the ratio of the two largest exponents.
    assert rates[0] == pytest.approx(growth / (steps - steps // 2), abs=2e-3)


def _rates_of_each(of, steps):
    """Of two replicas: an estimate of n holds their mean and standard error, from which both follow."""
    found = lyapunov_exponent(of, steps, batch_size=3, n_replicas=2, seed=1)
    half = found.standard_error
    values = [found.value - half, found.value + half]
    alone = _alone(of, steps)
    return values if abs(values[0] - alone) < abs(values[1] - alone) else values[::-1]


def _alone(of, steps):
    """Sequence 0 by differences of two neighbours that are renewed in each step."""
    law, eps = Sampling.validated(40, batch_size=3), 1e-9
    near = of.position(of.start(1, seed=1, start=0))[0]
    v, growth = np.random.default_rng(2).normal(size=57), 0.0
    for n in range(steps):
        v *= eps / np.linalg.norm(v)
        items = law.draw(1, 0, n)
        both = of.position(of.step(of.at(np.stack([near, near + v])), items, n))
        near, v = both[0], both[1] - both[0]
        growth += np.log(np.linalg.norm(v) / eps) if n >= steps // 2 else 0.0
    return growth / (steps - steps // 2)


def test_exponents_need_float64():
    with pytest.raises(ito.InvalidInputError, match="give a model in float64"):
        lyapunov_exponent(model(dtype="float32"), 100, batch_size=3, n_replicas=2, seed=1)


# ------------------------------------------------------------------------------------------------------------ presets


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_read_and_says_whose_values_it_has(name):
    found = preset(name)
    assert found.title
    assert "are ours" in (FOLDER / f"{name}.toml").read_text().replace("\n#", "")
    assert found.sequences["count"] >= 12
    assert found.control or not found.model["hidden"]
    assert saves_of(found)[-1] == found.run["n_steps"]
    assert set(orders_of(found)) >= {"forward", "backward"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("batch_size = 4\n", ""), r"lacks run.batch_size"),
        (('set = "digits"', 'set = "letters"'), "data.set is 'letters'"),
        (("seed = 3", "seed = 3\nspeed = 4"), r"has run.speed"),
        (('title = "small"', "title = "), "no TOML file"),
        (("[model]", "[mode]"), "lacks model"),
        (("count = 12", "count = 11"), "sequences.count is 11: give at least 12"),
        (("[sequences]", "[sequence]"), r"lacks sequences.count"),
        (("hidden = [4]", 'kind = "tree"'), "model.kind is 'tree'"),
    ],
)
def test_bad_presets_are_told(change, message, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(SMALL.format(stride=1).replace(*change))
    with pytest.raises(ito.InvalidInputError, match=message):
        experiment(preset(file))


def test_all_that_is_wrong_with_a_preset_is_told_at_once(tmp_path):
    file = tmp_path / "mine.toml"
    text = SMALL.format(stride=1)
    for old, new in (("batch_size = 4\n", ""), ('set = "digits"', 'set = "letters"'), ("count = 12", "count = 11")):
        text = text.replace(old, new)
    file.write_text(text)
    with pytest.raises(ito.InvalidInputError) as told:
        preset(file)
    lines = str(told.value).splitlines()
    assert all(line.startswith("mine.toml: ") for line in lines)
    assert [line.split()[1] for line in lines] == ["lacks", "data.set", "sequences.count"]


def test_an_unknown_preset_lists_the_known():
    with pytest.raises(ito.InvalidInputError, match="digits-mlp"):
        preset("digits")


# -------------------------------------------------------------------------------------------------------- experiments


@pytest.fixture(scope="module", params=[1, 10])
def small(request, tmp_path_factory):
    file = tmp_path_factory.mktemp("preset") / "small-one.toml"
    file.write_text(SMALL.format(stride=request.param))
    return preset(file), experiment(preset(file))


def test_an_experiment_holds_all_that_a_figure_shows(small):
    settings, found = small
    assert set(found.runs) == {"forward", "backward", "anchored"}
    assert set(found.controls) == set(found.sequences) == {"forward", "backward"}
    assert set(found.baselines) == {"tail average", "linear decay"}
    assert found.complete
    data = _networks.numbers(found)
    for name in found.runs:
        assert len(data[f"{name}_loss"]) == len(data[f"{name}_n"]) > 0
        assert len(data[f"{name}_move"]) > 0
    within, between, (low, high) = found.spread("backward")
    losses = found.sequences["backward"].observables["loss"][0]
    assert within.tolist() == losses.std(axis=1, ddof=1).tolist()
    assert low < between == losses.mean(axis=1).std(ddof=1) < high
    steps = planned_steps(settings, found.model)
    assert steps["forward"] == 60
    assert steps["backward"] >= saves_of(settings).sum()


def test_the_control_settles(small):
    """Its maps contract by 1 − h·decay = .9 each."""
    moves = small[1].controls["backward"].moves[0, 0]
    known = np.flatnonzero(np.isfinite(moves))
    assert moves[known[-1]] < 0.9 ** (small[1].controls["backward"].save_steps[known[-1]]) * moves[known[0]] * 1.001
    assert np.nanmin(small[1].controls["forward"].moves) > 10 * moves[known[-1]]


def test_the_figure_has_three_panels_and_a_sidecar(small, tmp_path, monkeypatch):
    """Never one without the others."""
    seen = []
    monkeypatch.setattr(_networks, "save_figure", lambda figure, *a, **b: seen.append((figure, b)) or [])
    _networks.draw_experiment(small[1], tmp_path)
    figure, given = seen[0]
    assert len(figure.axes) == 3
    assert given["parameters"]["sequences"]["count"] >= 12
    assert "control_backward_move" in given["data"]


def test_the_script_runs_goes_on_and_says_its_steps(tmp_path, capsys):
    file = tmp_path / "small-two.toml"
    file.write_text(SMALL.format(stride=1))
    command = [str(file), "--folder", str(tmp_path / "runs"), "--figures", str(tmp_path / "figures")]
    assert train_networks.main([*command, "--max-seconds", "0"]) == 0
    told = capsys.readouterr().out
    assert "no iterate is finished: give more --max-seconds" in told
    assert "test loss" not in told  # a table without rows
    assert "the time was over" in told
    assert not (tmp_path / "figures").exists()  # nothing is there to be drawn
    assert train_networks.main([*command, "--order", "forward"]) == 0
    assert train_networks.main(command) == 0
    told = capsys.readouterr().out
    assert "backward: 1,8" in told  # 60·61/2 = 1830 and none more: one block
    assert "sequences" in told
    sidecar = json.loads((tmp_path / "figures" / "network_small_two.json").read_text())
    assert sidecar["parameters"]["device"] == "cpu"
    assert train_networks.main(["nothing"]) == 2
    assert "digits-mlp" in capsys.readouterr().err


def test_a_table_tells_how_much_of_a_run_it_is_of(small, capsys):
    """Late numbers of a part of the iterates are those of the part."""
    found = small[1]
    run = found.runs["backward"]
    done = np.broadcast_to(run.save_steps <= run.save_steps[-1] // 2, run.done.shape)
    cut = dataclasses.replace(run, done=done, moves=np.where(done, run.moves, np.nan))
    print_numbers(dataclasses.replace(found, runs={**found.runs, "backward": cut}))
    told = capsys.readouterr().out
    assert f"backward, {done.mean():.0%} done" in told
    assert "forward," not in told.replace("control, forward", "")


def test_the_command_trains_without_a_figure(tmp_path, capsys):
    from iterorder.cli import main

    file = tmp_path / "small-three.toml"
    file.write_text(SMALL.format(stride=1))
    assert main(["train", str(file), "--order", "backward", "--folder", str(tmp_path / "runs")]) == 0
    told = capsys.readouterr().out
    assert "backward: 1,8" in told
    assert "forward:" not in told
    assert list((tmp_path / "runs" / "small-three" / "backward").glob("unit-*.npz"))
    assert main(["train", "nothing"]) == 2
    assert "digits-mlp" in capsys.readouterr().err


def test_only_one_order_is_run_where_that_is_wished(small):
    found = experiment(small[0], order="backward")
    assert set(found.runs) == {"backward"}
    assert not found.baselines
    with pytest.raises(ito.InvalidInputError, match="order is 'sideways'"):
        experiment(small[0], order="sideways")


def test_baselines_end_with_the_time_too(small, monkeypatch):
    """All of it goes to them on this clock, which moves with the steps of the linear decay: 20, 40 and 60."""
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    for module in ("train", "pace", "experiment"):
        monkeypatch.setattr(importlib.import_module(f"iterorder.networks.{module}"), "time", clock)
    own = MLP.advance

    def advance(self, state, items, k, factor=None, step_noise=None):
        now[0] += factor is not None  # of the linear decay alone
        return own(self, state, items, k, factor, step_noise)

    monkeypatch.setattr(MLP, "advance", advance)
    found = experiment(small[0], max_seconds=50.0)
    assert found.missed == ["linear decay"]
    assert set(found.baselines) == {"tail average"}
    assert found.runs["backward"].complete
    assert not found.complete
    assert "linear_decay_n" not in _networks.numbers(found)
    now[0] = 0.0
    assert experiment(small[0], max_seconds=70.0).complete


# ------------------------------------------------------------------------------------- figures that are committed


@pytest.mark.parametrize("name", ["network_digits_mlp", "network_contraction", "network_fashion_mlp"])
def test_committed_figures_show_what_is_said_of_them(name):
    sidecar = json.loads((ROOT / "figures" / f"{name}.json").read_text())
    data = sidecar["data"]
    if name == "network_contraction":
        decays = np.array(sidecar["parameters"]["weight_decays"])
        assert (np.array(data["network_low"]) > 0).all()
        assert (np.array(data["control_high"])[:, decays > 0] < 0).all()
        expected = np.log1p(-np.outer(sidecar["parameters"]["step_sizes"], decays))
        # The softmax regression settles at the rate of its decay: within a tenth where the decay dominates.
        strong = expected < -1e-3
        assert (np.abs(np.array(data["control"]) / np.where(strong, expected, 1) - 1)[strong] < 0.1).all()
        return
    late = {order: np.array(data[f"{order}_move"])[-30:] for order in ("forward", "backward")}
    assert np.median(late["backward"]) > 3 * np.median(late["forward"])
    assert data["control_backward_move"][-1] < 1e-6 * data["control_backward_move"][0]
    assert np.median(data["within_backward"]) < np.median(data["within_forward"])
    assert data["between_backward"] > data["between_forward"]
    assert len(data["within_backward"]) >= 12


def test_the_grid_is_made_of_exponents():
    values = figure_network_contraction.SYSTEMS
    assert set(values) == {"network", "control"}
    assert values["control"] == ()


def test_baselines_are_kept_beside_the_runs_and_told_in_the_report(small, tmp_path, monkeypatch):
    from iterorder.report.written import document

    settings, literal = small
    folder = tmp_path / "net"
    experiment(settings, folder=folder)
    kept = dict(baselines_in(folder))
    assert list(kept) == ["tail average", "linear decay"]
    for name, found in kept.items():
        exact = literal.baselines[name]
        np.testing.assert_array_equal(found.save_steps, exact.save_steps)
        np.testing.assert_array_equal(found.gradients, exact.gradients)
        for observable, values in exact.observables.items():
            np.testing.assert_array_equal(found.observables[observable], values)
    page = document(folder).html()
    for name, found in kept.items():
        row = re.search(rf"{name}, a baseline.*?</tr>", page, re.DOTALL)[0]
        numbers = [float(number.replace(",", "")) for number in re.findall(r"number\">([\d.,]+)<", row)]
        assert numbers[:2] == [found.save_steps[-1], found.gradients[-1]]
        assert numbers[2] == pytest.approx(found.late().mean, rel=1e-3)
    # The same call again computes none of them; another stride does, and a damaged file is told.
    code = importlib.import_module("iterorder.networks.experiment")

    def refused(*args, **kwargs):
        raise AssertionError("computed anew")

    monkeypatch.setattr(code, "tail_average", refused)
    monkeypatch.setattr(code, "linear_decay", refused)
    assert set(experiment(settings, folder=folder).baselines) == set(kept)
    other = dataclasses.replace(settings, baselines={"stride": 30})
    with pytest.raises(AssertionError, match="computed anew"):
        experiment(other, folder=folder)
    (folder / "tail-average" / "baseline.npz").write_bytes(b"PK nothing")
    with pytest.raises(ito.InvalidInputError, match="is cut or no result"):
        experiment(settings, folder=folder)

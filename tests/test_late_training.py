"""Numbers of late training: one definition, which tables, reports and sweeps share."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2

import iterorder as ito
from iterorder.networks import MLP, Baseline, train
from iterorder.networks.late import late_saves, late_training


def literally(steps, values, moves):
    """In plain loops: level, spread within, spread between, move; of one start."""
    late = [k for k, n in enumerate(steps) if 3 * n > 2 * steps[-1]]
    means = [sum(row[k] for k in late) / len(late) for row in values]

    def deviation(numbers):
        mean = sum(numbers) / len(numbers)
        return math.sqrt(sum((x - mean) ** 2 for x in numbers) / (len(numbers) - 1))

    within = [deviation([row[k] for k in late]) for row in values]
    move = np.median([row[k] for row in moves for k in late if math.isfinite(row[k])])
    return sum(means) / len(means), sum(within) / len(within), deviation(means), move


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(0)
    model = MLP(rng.normal(size=(40, 3)), rng.integers(0, 2, 40), hidden=(4,), step_size=0.1)
    return train(model, batch_size=4, n_steps=31, save_steps="all", n_sequences=3, seed=1)


def test_the_numbers_are_those_of_their_definition(run):
    late = run.late()
    found = (late.mean, late.mean_within, late.between, late.move)
    expected = literally(run.save_steps.tolist(), run.observables["loss"][0].tolist(), run.moves[0].tolist())
    # A sum of 33 numbers rounds by at most 33 units in the last place, and differences from a mean cancel some digits.
    assert found == pytest.approx(expected, rel=2**10 * np.finfo(float).eps)
    assert late.steps.tolist() == list(range(21, 32))  # 3·21 > 2·31, 3·20 < 62
    wrong = run.observables["loss"][0][:, late.steps].std(axis=1).mean()  # with as many degrees of freedom as values
    assert late.mean_within > 1.04 * wrong


def test_an_interval_holds_the_spread_and_narrows_with_sequences(run):
    late = run.late()
    low, high = late.between_interval()
    assert low < late.between < high
    assert high == pytest.approx(late.between * math.sqrt(2 / chi2.ppf(0.025, 2)), rel=1e-12)
    assert np.ptp(late.between_interval(0.5)) < high - low


def test_one_sequence_has_no_spread_between_and_one_step_none_within():
    late = late_training(np.array([10, 20]), np.ones((1, 1, 2)))
    assert (late.mean, late.steps.tolist()) == (1.0, [20])
    assert np.isnan([late.mean_within, late.between, late.move]).all()


def test_what_was_not_computed_is_left_out_and_what_diverged_is_not():
    steps, values = np.arange(1, 10), np.tile(np.arange(1.0, 10.0), (1, 2, 1))
    done = np.ones(values.shape, bool)
    done[0, 1, 8] = False
    late = late_training(steps, np.where(done, values, np.nan), done=done)
    assert late.mean == (7 + 8 + 9 + 7 + 8) / 5
    assert late.within[0] == pytest.approx([1.0, math.sqrt(0.5)], rel=1e-15)
    assert math.isnan(late.between)  # means over other steps
    diverged = late_training(steps, np.where(done, values, np.nan))
    assert math.isnan(diverged.mean)
    assert diverged.within[0, 0] == 1.0


def test_starts_are_pooled(run):
    values = np.concatenate([run.observables["loss"], 2.0 * run.observables["loss"]])
    late = late_training(run.save_steps, values)
    assert late.between == pytest.approx(math.sqrt(2.5) * run.late().between, rel=1e-12)
    assert late.within.shape == (2, 3)


def test_saves_are_late_and_end_at_the_last_step():
    for n_steps in range(1, 40):
        for stride in (1, 3):
            saves = late_saves(n_steps, stride)
            assert saves[-1] == n_steps
            assert 3 * saves[0] > 2 * n_steps
    assert (late_saves(30, 1) == np.arange(21, 31)).all()


def test_a_baseline_has_the_same_numbers(run):
    loss = run.observables["loss"][0, 0]
    late = Baseline(run.save_steps, {"loss": loss}, run.gradients).late()
    assert late.mean_within == run.late().within[0, 0]
    with pytest.raises(ito.InvalidInputError, match=r"observable is 'los'.*'loss'"):
        run.late("los")
    assert "steps=21…31" in repr(late)

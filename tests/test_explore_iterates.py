"""Iterates of the explorer go on from what is held: the bits of `simulate`, few maps, little time of a processor."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

import iterorder as ito
from iterorder.explore import frames, iterates
from iterorder.explore.iterates import Iterates
from iterorder.explore.session import Session
from iterorder.explore.systems import Catalogue
from iterorder.explore.view import View

#: Steps as a visitor takes them: on, back, far, and on again.
VISITS = (0, 1, 2, 3, 40, 41, 39, 60, 7, 60, 59, 60)
#: CPU time of the server for a frame of 10⁵ replicas, in seconds: the issue's bound for page and server together.
MOST_CPU = 0.040
#: So many frames that one of them is hardly disturbed, after some that compile and fill caches.
TIMED, WARM = 41, 5


def finished(pieces):
    """What a generator returns, and how many pieces it had."""
    count = 0
    while True:
        try:
            next(pieces)
            count += 1
        except StopIteration as end:
            return end.value, count


def iterates_of(view: View) -> Iterates:
    return Iterates(frames.scene(view, Catalogue().maps(view)))


@pytest.mark.parametrize("order", ["forward", "backward", "window:20", "anchored:10"])
@pytest.mark.parametrize(
    ("system", "options"),
    [
        ("two_point_quadratic", {"step_size": 0.9}),
        ("ar1", {"a": 0.5}),
        ("barnsley_fern", {}),
        ("double_well", {"step_size": 0.1}),
        ("linear_model", {"step_size": 0.1, "batch_size": 3, "sampling": "reshuffle"}),
    ],
)
@pytest.mark.parametrize("piece", [iterates.PIECE, 2000])
def test_whatever_was_visited_before_the_bits_are_those_of_simulate(system, options, order, piece, monkeypatch):
    monkeypatch.setattr(iterates, "PIECE", piece)
    monkeypatch.setattr(iterates, "FEWEST", 1)
    view = View(system=system, order=order, replicas=300, steps=60, seed=5, **options)
    maps, held = Catalogue().maps(view), iterates_of(view)
    for n in VISITS:
        both, _ = finished(held.at(n))
        for found, one in zip(both, ("forward", view.composition), strict=True):
            run = ito.simulate(maps, np.zeros(maps.dim), n, order=one, n_replicas=300, seed=5)
            np.testing.assert_array_equal(found, run.states[:, -1])
    wrong = ito.simulate(maps, np.zeros(maps.dim), 60, n_replicas=300, seed=6).states[:, -1]
    assert not np.array_equal(both[0], wrong)


def test_replicas_that_left_the_numbers_stay_lost():
    """A quadratic map whose far replicas leave; what is held of them is not gone on from."""
    view = View(system="double_well", step_size=1.9, s=0.5, replicas=2000, steps=16, seed=2)
    maps, held = Catalogue().maps(view), iterates_of(view)
    for n in (1, 14, 15, 5, 16):
        expected = [
            ito.simulate(maps, np.zeros(1), n, order=order, n_replicas=2000, seed=2).states[:, -1]
            for order in ("forward", "backward")
        ]
        np.testing.assert_array_equal(finished(held.at(n))[0], expected)
    assert 0 < np.isnan(expected[0]).sum() < 2000


def applied(monkeypatch) -> list[int]:
    """The maps that each call of `simulate` applies, from now on."""
    counts: list[int] = []

    def counted(maps, x0, n_steps, **options):
        counts.append(n_steps)
        return ito.simulate(maps, x0, n_steps, **options)

    monkeypatch.setattr(iterates, "simulate", counted)
    return counts


def test_one_step_on_is_one_map_and_a_jump_back_starts_from_what_is_held(monkeypatch):
    held = iterates_of(View(order="forward", replicas=100, steps=360))
    counts = applied(monkeypatch)
    for n, most in ((360, 360), (359, 39), (360, 1), (123, 3), (124, 1), (0, 0)):
        counts.clear()
        finished(held.at(n))
        assert sum(counts) <= most, n


def test_a_backward_iterate_ends_where_it_meets_the_one_before(monkeypatch):
    """Maps that halve forget within 64 steps, to the bit; those of a random walk never do."""
    contracting = iterates_of(View(step_size=0.5, replicas=100, steps=500))
    walking = iterates_of(View(system="ar1", a=1.0, replicas=100, steps=500))
    spacing = -(-500 // (iterates.MOST_HELD + 1))
    counts = applied(monkeypatch)
    for held, least, most in ((contracting, 1, 64 + spacing), (walking, 500, 500)):
        finished(held.at(499))
        counts.clear()
        finished(held.at(500))
        backward = sum(counts) - 1  # one more map of the forward path
        assert least <= backward <= most


def test_long_work_is_done_in_pieces(monkeypatch):
    monkeypatch.setattr(iterates, "PIECE", 1000)  # ten maps of 100 replicas
    _, pieces = finished(iterates_of(View(replicas=100, steps=90)).at(90))
    assert pieces >= 2 * (90 // (2 * 10))  # a piece ends before it has grown to twice its size
    assert finished(iterates_of(View(replicas=10, steps=90)).at(1))[1] == 0


@pytest.mark.parametrize(
    "query", ["", "system=barnsley_fern", "system=ar1&steps=500", "system=linear_model&step_size=0.1"]
)
def test_a_frame_of_a_hundred_thousand_replicas_takes_little_of_a_processor(query):
    """Seconds of all threads of this process, not of the clock, and of the frame that was disturbed least.

    Beside other programs threads wait for each other and share caches, so that the median doubles. The one bound on
    time in these tests, as the page stands or falls with it.
    The browser's part is measured in benchmarks/explore.py.
    """
    session = Session(Catalogue(), [])
    opened = json.loads(session.answer(json.dumps({"do": "open", "view": query})))
    assert opened["kind"] == "opened"
    spent = []
    for n in range(WARM + TIMED):
        begun = time.process_time()
        assert isinstance(session.answer(json.dumps({"do": "frame", "n": n})), bytes)
        spent.append(time.process_time() - begun)
    assert min(spent[WARM:]) <= MOST_CPU

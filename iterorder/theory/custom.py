"""Lyapunov exponents of maps that a user wrote, from differences of their images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from iterorder.estimate import Estimate
from iterorder.maps.custom import CustomMaps
from iterorder.theory.differences import (
    AffineDifferences,
    CurvedDifferences,
    Images,
    is_affine,
    linear_images,
    pushed_by_differences,
)
from iterorder.theory.growth import (
    COORDINATE_COST,
    DRAW_COST,
    ENTRY_COST,
    FEWEST_STEPS,
    STEP_COST,
    WORK,
    Growth,
    Plan,
    exponents,
    follow,
    n_replicas_for,
    planned,
    replica_cost,
)
from iterorder.theory.settled_paths import refuse_several_growths, settled, steps_to_settle
from iterorder.theory.step_draws import BLOCK_ENTRIES
from iterorder.theory.tangent import generator, slowest_directions
from iterorder.theory.undefined import NoLawReachedError, Undefined

#: The longest run for the one exponent that `theory` always asks for.
MOST_SECONDS = 3.0
#: Estimated nanoseconds of a number of a draw in compiled code, where steps need no vectors.
COMPILED_DRAW_COST = 8.0
#: Steps and replicas on which a map is tried for being affine: fewer in many dimensions, or with long draws.
TRIED_STEPS, MOST_TRIED, FEWEST_TRIED = 64, 256, 16
#: Up to this dimension the mean linear part is written out, to start from its slowest directions.
MAX_WRITTEN_OUT, STEPS_OF_MEAN = 64, 8
#: At most this share of the lengths may have an error of their own size.
MAY_BE_UNRESOLVED = 2.0**-10
#: Where differences vanish with some probability in every step, on some paths by the middle of a measurement and on no
#: other until its end, that is an event of at most this probability.
CHANCE = 1e-6
#: Replicas that coincide are moved apart by so much of their size, and followed for so many steps: 10⁶ is e^(.03·500).
APART, APART_STEPS = 1e-6, 500
#: Growths of a step that differ by less are those of one path, followed by several vectors.
ONE_PATH = 1e-9


def custom_spectrum(
    maps: CustomMaps,
    k: int,
    *,
    seed: int,
    effort: str,
    backend: str = "cpu",
    states: np.ndarray | None = None,
    first: int = 0,
) -> tuple[Estimate, ...]:
    """The k largest exponents of custom maps, by Monte Carlo.

    Of maps that are affine in the state the products of their linear parts, whether a law exists or not. Of others
    along paths that start near the origin and at distance one of it, those left out that leave the finite numbers
    before the measurement begins. Until then the backend simulates; images whose differences are taken are those of
    the processor. Or along paths that go on from `states` (n, d), a sample of the law, with step `first` of the noise:
    where there are several laws, the exponent is that of this one.

    Raises
    ------
    Undefined
        If paths diverge, different starts lead to different growth, or differences do not show the derivative.
    """
    from iterorder.kernels.cpu.images import images_of, words_of

    n_vectors = min(k + 1, maps.dim)
    cost = _cost(maps, n_vectors)
    replicas = np.arange(n_replicas_for(cost, n_vectors))
    seconds = FEWEST_STEPS * len(replicas) * cost / 1e9
    if n_vectors <= 2 and seconds > MOST_SECONDS:
        raise Undefined(
            f"differences of maps in {maps.dim} dimensions, with {maps.noise_dim} numbers a draw, would take about "
            f"{seconds:.0f} s"
        )
    plan = planned(1, STEP_COST + len(replicas) * cost, WORK[effort])
    images, random = images_of(maps.form()), generator(seed)
    early = words_of(maps.sampling_law, seed, replicas, 0, STEPS_OF_MEAN)
    if looks_affine(maps, images, seed):
        mean = _mean_linear_part(lambda v, words: linear_images(images, v, words)[0], early, len(replicas), maps.dim)
        frames = _frames(mean, len(replicas), n_vectors, maps.dim, random)
        blocks = words_in_blocks(maps, seed, replicas, 0, plan.n_steps)
        return exponents(follow(AffineDifferences(images, frames), blocks, plan))[:k]
    kept = np.ones(len(replicas), bool)
    if states is None:
        moved = _image_cost(maps) + COMPILED_DRAW_COST * maps.noise_dim
        first = steps_to_settle(len(replicas), moved, effort)
        states, kept = settled(maps, len(replicas), seed, first, random, backend)
    else:  # evenly over the sample: starts of one kind may stand side by side
        states = states[np.arange(len(replicas)) * len(states) // len(replicas)]
        states, first = _spread_out(maps, images, states, seed, first, random)
    here = lambda v, words: pushed_by_differences(images, states, v, words)[1]  # noqa: E731
    mean = _mean_linear_part(here, early[:, :, kept], len(states), maps.dim)
    tangent = CurvedDifferences(images, states, _frames(mean, len(states), n_vectors, maps.dim, random))
    tangent.calibrate(early[:, :, kept])
    growth = follow(tangent, words_in_blocks(maps, seed, replicas[kept], first, plan.n_steps), plan)
    _check_paths(tangent, growth, plan, k)
    return exponents(growth.of(_apart(tangent.states, growth)), first + plan.start)[:k]


def looks_affine(maps: CustomMaps, images: Images, seed: int) -> bool:
    """`is_affine` along the paths from the origin, on the first draws of `simulate`."""
    from iterorder.kernels.cpu.images import words_of

    affordable = BLOCK_ENTRIES // (TRIED_STEPS * max(maps.dim, maps.noise_dim))
    count = int(np.clip(affordable, FEWEST_TRIED, MOST_TRIED))
    words = words_of(maps.sampling_law, seed, np.arange(count), 0, TRIED_STEPS)
    path = np.zeros((TRIED_STEPS, count, maps.dim))
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(1, TRIED_STEPS):
            path[step] = images(path[step - 1][:, None], words[step - 1])[:, 0]
        return is_affine(images, words, path, generator(seed))


def _cost(maps: CustomMaps, n_vectors: int) -> float:
    """Estimated nanoseconds of a step of one replica: its draw, five images a vector, and the algebra of vectors."""
    drawn = maps.noise_dim * DRAW_COST
    return replica_cost(maps.dim, 0, 1, n_vectors) + (1 + 4 * n_vectors) * _image_cost(maps) + drawn


def _image_cost(maps: CustomMaps) -> float:
    """The same of one image: of a body with a loop over the coordinates, or over a matrix where it is given one."""
    entries = sum(np.size(p) for p in maps.params)
    return 0.25 * (maps.dim * COORDINATE_COST + min(entries, maps.dim**2) * ENTRY_COST)


def words_in_blocks(
    maps: CustomMaps, seed: int, replicas: np.ndarray, first: int, n_steps: int
) -> Iterator[np.ndarray]:
    """Blocks of the draws of some replicas, each (steps, slots, R)."""
    from iterorder.kernels.cpu.images import words_of

    length = max(1, BLOCK_ENTRIES // (len(replicas) * (maps.noise_dim + 1)))
    for start in range(0, n_steps, length):
        yield words_of(maps.sampling_law, seed, replicas, first + start, min(length, n_steps - start))


def _spread_out(
    maps: CustomMaps, images: Images, states: np.ndarray, seed: int, first: int, random: np.random.Generator
) -> tuple[np.ndarray, int]:
    """States of several paths, and their step: where replicas coincide, a little apart, after some steps.

    Maps that draw nothing lead equal states along one path, whose growth over some hundred steps is not that of the
    law, and which no spread between replicas tells of. Points that the maps fix stay where they are.
    """
    if len(np.unique(states, axis=0)) > len(states) // 2:
        return states, first
    replicas = np.arange(len(states))
    blocks = words_in_blocks(maps, seed, replicas, first, APART_STEPS)
    moved = states + APART * np.abs(states).max() * random.standard_normal(states.shape)
    fixed = np.ones(len(states), bool)
    with np.errstate(over="ignore", invalid="ignore"):
        for words in (words for block in blocks for words in block):
            fixed &= (images(states[:, None], words)[:, 0] == states).all(axis=1)
            moved = images(moved[:, None], words)[:, 0]
    stays = fixed | ~np.isfinite(moved).all(axis=1)
    return np.where(stays[:, None], states, moved), first + APART_STEPS


def _frames(mean, n_replicas: int, n_vectors: int, dim: int, random: np.random.Generator) -> np.ndarray:
    """Vectors to start from: the slowest directions of the mean linear part, where that is known."""
    if mean is None or not np.isfinite(mean).all():
        return random.standard_normal((n_replicas, n_vectors, dim))
    return slowest_directions(mean, np.empty((n_replicas, 0, dim)), n_vectors, random)


def _mean_linear_part(pushed: Callable[[np.ndarray, np.ndarray], np.ndarray], block, n_replicas: int, dim: int):
    """The mean over some steps of the columns that `pushed` makes of unit vectors; None in one or many dimensions."""
    if not 1 < dim <= MAX_WRITTEN_OUT:
        return None
    units = np.broadcast_to(np.eye(dim), (n_replicas, dim, dim))
    with np.errstate(over="ignore", invalid="ignore"):
        return np.mean([pushed(units, words).mean(axis=0).T for words in block], axis=0)


def _apart(states: np.ndarray, growth: Growth) -> np.ndarray:
    """One of each of the paths: maps that draw nothing lead equal starts along the same one, which is seen once.

    Paths that have met and still grow apart are several: at a point that all maps fix, say.
    """
    _, first, group = np.unique(states, axis=0, return_index=True, return_inverse=True)
    group, mean = group.ravel(), growth.mean(0)
    spread = np.zeros(len(first))
    with np.errstate(invalid="ignore"):  # minus infinity from itself
        np.maximum.at(spread, group, np.abs(mean - mean[first][group]))
    kept = ~(spread <= ONE_PATH)[group]  # a spread that is no number keeps all
    kept[first] = True
    return np.flatnonzero(kept)


def _check_paths(tangent: CurvedDifferences, growth: Growth, plan: Plan, k: int) -> None:
    """Refuse what is no one number: paths that left, lengths that were not seen, several laws."""
    lost = int((~np.isfinite(tangent.states)).any(axis=1).sum())
    if lost:
        raise NoLawReachedError(
            f"no stationary law is reached: {lost} of {tangent.n_replicas} paths leave the finite numbers"
        )
    if (tangent.flat < 0.5 * tangent.vanished)[:k].any():
        raise Undefined(
            "the derivative is below what differences resolve: they vanish along the paths, and the maps are not flat "
            "there (as where paths collapse onto a superattracting point)"
        )
    share = tangent.unresolved[:k].max() / (tangent.n_replicas * plan.n_steps)
    if share > MAY_BE_UNRESOLVED:
        raise Undefined(
            f"differences do not show the derivative in {share:.2%} of the steps: it is zero or tiny along the paths "
            "(as where they collapse onto a superattracting point), or the maps are rough at every scale"
        )
    _refuse_some_flat(growth.vanished(0), tangent.n_replicas, plan)
    refuse_several_growths(growth, k)


def _refuse_some_flat(vanished: tuple[int, int], n_replicas: int, plan: Plan) -> None:
    """Refuse differences that vanish on some paths and never on the others: the exponent is −∞ for the former alone."""
    early, late = vanished
    left = n_replicas - early
    if early == 0 or late > early or left == 0:
        return
    # Paths of one law lose their differences at one rate, that of the first part of the run.
    hazard = -math.log(left / n_replicas) / plan.middle
    if math.exp(-hazard * (plan.n_steps - plan.middle) * left) < CHANCE:
        raise Undefined(
            f"paths from different starts grow at different rates: on {early} of {n_replicas} all differences vanish, "
            "on the others they never do: there are several stationary laws, or one that is reached too slowly to see"
        )

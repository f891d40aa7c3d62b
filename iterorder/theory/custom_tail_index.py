"""Kesten's index of maps that a user wrote, on the line."""

from __future__ import annotations

import math

import numpy as np

from iterorder.estimate import Estimate
from iterorder.maps.custom import CustomMaps
from iterorder.theory.custom import looks_affine, words_in_blocks
from iterorder.theory.differences import EPS, OPERATIONS, Images, linear_images
from iterorder.theory.step_draws import MAX_LISTED
from iterorder.theory.tail_index import tail_index
from iterorder.theory.undefined import Undefined

#: Draws for Kesten's equation, and the replicas that they are those of; fewer where one holds more than four numbers,
#: and none of the longest.
DRAWS, REPLICAS, SHORT_DRAW, LONGEST_DRAW = {"quick": 2**20, "full": 2**24}, 4096, 4, 512
#: A draw that makes up this share of a mean carries it: the sample does not know it. Measured on a = ξ·C, C Cauchy,
#: with 100 seeds for each κ: intervals of 95 % hold κ = 1/3 in 94 of 96 % accepted, and 97 % of the samples with the
#: infinite variance of κ ≥ ½ are refused.
HEAVY = 0.02
#: The sign of E log|a| is known at this many standard errors.
SIGN = 4.0


def custom_tail_index(maps: CustomMaps, *, seed: int, effort: str) -> Estimate:
    """The root of E|a|^κ = 1 for custom maps x → a·x + b of the line, from draws of a, or all of finitely many maps.

    Raises
    ------
    Undefined
        If the maps are not affine in the state, no law or no tail is seen, or a few draws carry E|a|^κ or its variance.
    """
    if maps.dim > 1:
        raise Undefined("the tail index is computed in one dimension only")
    if maps.noise_dim > LONGEST_DRAW:
        raise Undefined(f"the tail index is computed from many draws: one of {maps.noise_dim} numbers is too long")
    from iterorder.kernels.cpu.images import images_of

    images = images_of(maps.form())
    if not looks_affine(maps, images, seed):
        raise Undefined("no equation for the tail: the maps are not affine in the state")
    listed = maps.noise == "index" and (maps.n_maps or 0) <= MAX_LISTED
    count = DRAWS[effort] // max(1, maps.noise_dim // SHORT_DRAW)
    slopes, offsets = _all_maps(maps, images) if listed else _drawn_maps(maps, images, seed, count)
    if not (np.isfinite(slopes).all() and np.isfinite(offsets).all()):
        raise Undefined("no equation for the tail: linear parts exceed the finite numbers")
    _refuse_a_point(slopes, offsets)
    count = len(slopes)
    with np.errstate(divide="ignore"):
        logs = np.log(np.abs(slopes))
    mean, error = float(logs.mean()), 0.0 if listed or not np.isfinite(logs).all() else _standard_error(logs)
    if not mean + SIGN * error < 0.0:
        raise Undefined(f"there is no stationary law with a tail, or none is seen: E log|a| = {mean:.3g} ± {error:.2g}")
    if logs.max() <= (1 + OPERATIONS) * EPS:  # one, to rounding
        seen = f"none of {count} drawn linear parts" if not listed else "no linear part"
        raise Undefined(f"the stationary law has no power tail: {seen} exceeds one in modulus")
    kappa = tail_index(logs, np.full(count, 1.0 / count))
    powers = np.exp(kappa * logs)
    slope = float((powers[powers > 0.0] * logs[powers > 0.0]).sum()) / count
    if listed:
        return Estimate.from_mean(kappa, (1 + OPERATIONS) * EPS * max(kappa / abs(slope), kappa))
    share = max(float(powers.max() / powers.sum()), float((powers**2).max() / (powers**2).sum()))
    if share > HEAVY:
        raise Undefined(
            f"E|a|^κ = 1 is not solved by {count} draws: near κ = {kappa:.3g} one of them makes up {share:.0%} of the "
            "mean or of its variance"
        )
    return Estimate.from_mean(kappa, _standard_error(powers) / abs(slope))


def _all_maps(maps: CustomMaps, images: Images) -> tuple[np.ndarray, np.ndarray]:
    """a and b of every map of an index."""
    assert maps.n_maps is not None
    linear, offsets = linear_images(images, np.ones((maps.n_maps, 1, 1)), np.arange(maps.n_maps)[None])
    return linear[:, 0, 0], offsets[:, 0]


def _drawn_maps(maps: CustomMaps, images: Images, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """a and b of the first draws of `simulate`."""
    ones = np.ones((REPLICAS, 1, 1))
    drawn = [
        linear_images(images, ones, words)
        for block in words_in_blocks(maps, seed, np.arange(REPLICAS), 0, count // REPLICAS)
        for words in block
    ]
    slopes, offsets = zip(*drawn, strict=True)
    return np.concatenate(slopes).ravel(), np.concatenate(offsets).ravel()


def _refuse_a_point(slopes, offsets) -> None:
    """A point that all maps fix is the law, where there is one: it has no tail."""
    fixed = int(np.abs(1.0 - slopes).argmax())
    if slopes[fixed] == 1.0:
        return
    point = offsets[fixed] / (1.0 - slopes[fixed])
    left = np.abs(slopes * point + offsets - point)
    size = np.abs(slopes * point) + np.abs(offsets) + abs(point)
    if (left <= (1 + OPERATIONS) * EPS * size).all():
        raise Undefined("the maps have a common fixed point: a stationary law that is a point has no tail")


def _standard_error(values) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))

"""Forward iterates beside hand-written C, JAX and NumPy: the same maps, the same numbers of replicas and steps.

Beside two kinds of C: "C limit" may add in any order and take any exp, "C, same bits" gives the library's states to the
last bit, which is asserted. Where the first does that by itself, it is the second as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numba
import numpy as np
from limits import limit, peers
from measure import LIBRARY, compared

import iterorder as ito

SAME_BITS = "C, same bits"
ASKED: dict[str, dict[str, float]] = {
    "two-point": {"C limit": 0.9, "JAX tuned": 4, "JAX plain": 100},
    "table of 1000 maps": {"C limit": 0.8},
    "linear regression d=10": {"C limit": 0.95, "JAX tuned": 10},
    "linear regression d=100": {"C limit": 0.85, "JAX tuned": 10},
    "linear regression d=10, batch 8": {"C limit": 0.7},
    "linear regression d=100, batch 8": {"C limit": 0.7},
    "logistic regression d=10": {"C limit": 0.85, "JAX tuned": 8},
    "logistic regression d=100": {"C limit": 0.85, "JAX tuned": 8},
    "linear regression d=100, float32": {"C limit": 0.85},
    "logistic regression d=100, float32": {"C limit": 0.85},
    "linear regression d=1, one replica": {SAME_BITS: 0.85},
    "linear regression d=10, one replica": {SAME_BITS: 0.85},
}


def library_run(name: str, work: limit.Work) -> Callable[[], np.ndarray]:
    """The work in the public interface."""
    maps: ito.RandomMaps
    if name == "two-point":
        maps = ito.gallery.two_point_quadratic(work.maps[0])
    elif name.startswith("table"):
        slopes, offsets = work.maps[:2]
        maps = ito.AffineMaps(slopes[:, None, None], offsets[:, None])
    elif name.startswith("linear"):
        maps = ito.LinearRegressionSGD(*work.maps, batch_size=8 if name.endswith("batch 8") else 1)
    else:
        features, labels, step_size, ridge = work.maps
        maps = ito.LogisticRegressionSGD(features, labels, step_size, ridge=ridge)
    start = np.full(maps.dim, work.maps[1] if name == "two-point" else 0.0)
    options: dict = {"n_replicas": work.n_replicas, "seed": 0, "dtype": "float32" if "float32" in name else "float64"}
    return lambda: ito.simulate(maps, start, work.n_steps, **options).states[:, 0]


def measure(rounds: int) -> list[dict]:
    """A row for each work; the library's states are compared with those of the C first."""
    threads = numba.get_num_threads()
    others, reason = _peers()
    limits = {name: work for name, work in limit.standard_works().items() if "composed" not in name}  # breaks cuts
    same_bits = limit.same_bits_works() if limit.available() else {}
    rows = []
    for name, work in (same_bits | limits).items():
        run, skipped = library_run(name, work), {}
        variants: dict[str, Callable[[], object]] = {LIBRARY: run}
        is_same = False
        if limit.available():
            states = run()
            if name in limits:
                variants["C limit"] = partial(work.run, threads)
                is_same = _is_near(name, states, work.run(threads))
            if name in same_bits and not is_same:
                variants[SAME_BITS] = partial(same_bits[name].run, threads)
                if not np.array_equal(states, same_bits[name].run(threads)):
                    raise RuntimeError(f"{name}: the states of the library and of the C with its bits differ")
        else:
            skipped["C limit"] = "needs gcc with OpenMP and a processor with AVX-512, or AVX2 and FMA"
        amounts = dict.fromkeys(variants, work.map_applications / 1e9)
        for library, peer in others.get(name, {}).items():
            variants[library], amounts[library] = peer, peer.map_applications / 1e9
        if reason:
            skipped["JAX"] = reason
        if name not in others:
            skipped[f"JAX and NumPy on {name}"] = "no such variant is written"
        row = compared(name, variants, amounts, unit="10⁹ maps/s", rounds=rounds, skipped=skipped, asked=ASKED[name])
        if is_same:
            row["ratios"][SAME_BITS] = row["ratios"]["C limit"]
        rows.append(row)
    order = list(ASKED)
    return sorted(rows, key=lambda row: order.index(row["work"]))


def _is_near(name: str, states: np.ndarray, expected: np.ndarray) -> bool:
    """Whether states are the same to the bit; they are near at least.

    The maps contract: rounding errors of some thousand steps do not add up to a thousand eps.
    """
    difference = float(np.abs(states - expected).max())
    if not difference < 1000 * np.finfo(expected.dtype).eps:
        raise RuntimeError(f"{name}: the states of the library and of the C differ by {difference:g}")
    return bool(np.array_equal(states, expected))


def _peers() -> tuple[dict, str]:
    """The peers that are installed, and why JAX is not among them."""
    try:
        return peers.simulation_peers(), ""
    except ImportError as error:
        return peers.simulation_peers(with_jax=False), f"{error}: pip install jax"

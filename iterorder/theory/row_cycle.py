"""SGD on a linear model without randomness: the cycle of a fixed order of batches, by Newton's method."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.lengths import euclidean_norm
from iterorder.maps.rows import RowMaps
from iterorder.sampling import Sampling
from iterorder.theory.affine.epochs import log_radius_of_cycle
from iterorder.theory.affine.items import DenseItems
from iterorder.theory.settled_paths import SETTLING, may_have_several_laws, settled
from iterorder.theory.small_step import near_minimizer
from iterorder.theory.spectrum import cycle_spectrum
from iterorder.theory.tangent import generator
from iterorder.theory.undefined import Undefined

EPS = float(np.finfo(np.float64).eps)
MAX_NEWTON_STEPS = 50
#: Paths that are followed to where they settle, and how near to each other they are on one cycle, per unit of size.
PATHS, CLOSE = 64, 1e-6


@dataclass(frozen=True, eq=False)
class RowCycle:
    """A cycle of the forward iterates.

    Attributes
    ----------
    states : ndarray, shape (N, d)
        Point k follows map k.
    increments : ndarray, shape (N, d, d)
        The derivative of each map where it is applied, less I.
    """

    states: np.ndarray
    increments: np.ndarray

    @cached_property
    def exponent(self) -> float:
        """The Lyapunov exponent per step: the log of the spectral radius of the product of derivatives, over N."""
        return log_radius_of_cycle(*self._tangent) / len(self.states)

    @property
    def spectrum(self) -> np.ndarray:
        """The same of all eigenvalues, largest first, shape (d,)."""
        return cycle_spectrum(*self._tangent) / len(self.states)

    @property
    def _tangent(self) -> tuple[Sampling, DenseItems]:
        """The derivatives as linear maps in cyclic order."""
        return Sampling(len(self.states), kind="cyclic"), DenseItems(self.increments, np.zeros_like(self.states))


def only_cycle(maps: RowMaps, *, seed: int, backend: str) -> RowCycle:
    """`row_cycle`, where different starts lead to no other one.

    Maps that do not expand have no other; of others paths from several starts are followed until they have settled.

    Raises
    ------
    Undefined
        As `row_cycle`, or if the paths have not come to one cycle.
    """
    if not may_have_several_laws(maps, maps.step_size):
        return row_cycle(maps)
    epoch = maps.sampling_law.batches_per_epoch
    steps = -(-SETTLING["quick"] // epoch) * epoch
    ends, _ = settled(maps, PATHS, seed, steps, generator(seed), backend)
    near = CLOSE * float(np.abs(ends).max())
    apart = float(np.ptp(ends, axis=0).max())
    if apart > near:
        raise Undefined(
            "the forward iterates have several cycles, or come to one too slowly to see: from different starts they "
            f"are {apart:.3g} apart after {steps} steps"
        )
    cycle = row_cycle(maps, ends[0])
    if np.abs(cycle.states[-1] - ends[0]).max() > near:
        raise Undefined("no cycle was found: Newton's method leads away from where the forward iterates end")
    return cycle


def row_cycle(maps: RowMaps, start: np.ndarray | None = None) -> RowCycle:
    """An attracting cycle of the forward iterates in a fixed order (C13).

    Newton's method on T_{N−1} ∘ … ∘ T_0, from a start or else the minimiser, until a step no longer makes the move of
    an epoch smaller. A batch of all items has a cycle of one point in any sampling.

    Raises
    ------
    Undefined
        If Newton's method does not converge, or the cycle does not attract.

    Examples
    --------
    >>> from iterorder.maps import LogisticRegressionSGD
    >>> maps = LogisticRegressionSGD([[1.0], [2.0]], [1, 0], 0.5, ridge=0.5, sampling="cyclic")
    >>> cycle = row_cycle(maps).states
    >>> bool(np.allclose(maps.apply(cycle[0], 1), cycle[1])), bool(np.allclose(maps.apply(cycle[1], 0), cycle[0]))
    (True, True)
    """
    try:
        end = near_minimizer(maps) if start is None else start
    except InvalidInputError as error:
        raise Undefined(f"no cycle was found: {error}") from None
    cycle, total = _follow(maps, end)
    move = float(euclidean_norm(cycle.states[-1] - end))
    for _ in range(MAX_NEWTON_STEPS):
        candidate = end - np.linalg.lstsq(total, cycle.states[-1] - end, rcond=None)[0]
        trial, trial_total = _follow(maps, candidate)
        trial_move = float(euclidean_norm(trial.states[-1] - candidate))
        if not trial_move < move:
            break
        end, cycle, total, move = candidate, trial, trial_total, trial_move
    # N steps round by eps of the state each, and of the moves of one step, which cancel over the epoch.
    size = float(euclidean_norm(cycle.states).max())
    if not move <= 4.0 * len(cycle.states) * maps.dim * EPS * size:
        raise Undefined(f"no cycle was found: an epoch still moves the end of the best candidate by {move:.3g}")
    if not cycle.exponent < 0.0:
        raise Undefined(
            "the cycle of the forward iterates does not attract: the maps of an epoch do not contract there"
        )
    return cycle


def _follow(maps: RowMaps, start) -> tuple[RowCycle, np.ndarray]:
    """One epoch from a start, closed or not, and its derivative less I (d, d)."""
    law = maps.sampling_law
    x, total = start, np.zeros((maps.dim, maps.dim))
    states = np.empty((law.batches_per_epoch, maps.dim))
    increments = np.empty((law.batches_per_epoch, maps.dim, maps.dim))
    for step in range(law.batches_per_epoch):
        rows = np.arange(step * law.batch_size, (step + 1) * law.batch_size)
        features = maps.features[rows]
        curvatures = maps.loss.curvatures(features @ x, maps.outcomes[rows])
        curvature = (features * (curvatures / len(rows))[:, None]).T @ features
        increments[step] = -maps.step_size * (curvature + maps.ridge * np.eye(maps.dim))
        total = total + increments[step] + increments[step] @ total
        x = states[step] = maps.apply(x, rows)
    return RowCycle(states, increments), total

"""`stationarity_test`: whether one path has reached its stationary law."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from iterorder.device_arrays import to_numpy
from iterorder.drawn import drawn_by
from iterorder.errors import InvalidInputError
from iterorder.laws.block_test import block_order_test, check_length, correlation_time
from iterorder.laws.drift_test import check_maps, drift_test, mean_square_drift
from iterorder.maps import RandomMaps
from iterorder.orders import Window
from iterorder.records import Recorded
from iterorder.request import as_system
from iterorder.shown import ShownByFacts, shown
from iterorder.trajectory import Trajectory
from iterorder.types import ArrayLike, FloatArray, Seed
from iterorder.validation import as_choice, as_floats, as_level, as_seed, read_only

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class StationarityTest(ShownByFacts, Recorded):
    """The result of `stationarity_test`.

    Attributes
    ----------
    statistic : float
        The largest √(n·share·(1−share))·W₁ between a first part and the rest, or Student's t of the drift.
    p_value : float
        Of the hypothesis that the path is stationary.
    level : float
        That of the test: how often a stationary path is rejected.
    rejected : bool
        Whether the p-value is at most the level: the path is then not stationary. Not rejected is not proved.
    kind : {"wasserstein", "fluctuation-dissipation"}
        Which of the two tests it was.
    correlation_time : float
        In steps of the path, 1 + 2Σ of the autocorrelations.
    block_length : int
        Steps of each of the 64 blocks.
    critical : float
        The statistic is rejected above this value, that of the drift below its negative too; infinite where no order
        of the blocks could be rejected at the level.
    parts : ndarray, shape (32,) or (64,)
        √(n·share·(1−share))·W₁ between the first k blocks and the rest, k = 1 … 32, whose largest is the statistic; or
        the mean drift of each block.
    """

    statistic: float
    p_value: float
    level: float
    rejected: bool
    kind: str
    correlation_time: float
    block_length: int
    critical: float
    parts: FloatArray = field(repr=False, compare=False)

    def _facts(self) -> dict[str, str]:
        return {
            "kind": repr(self.kind),
            "statistic": shown(self.statistic),
            "critical": shown(self.critical),
            "p_value": f"{self.p_value:.3g}",
            "rejected": f"{self.rejected} at level {self.level:.3g}",
            "correlation_time": f"{self.correlation_time:.3g}",
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw where along the path it departs from a stationary one.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.

        Returns
        -------
        matplotlib Axes
            The distance between the first part and the rest over the length of that part, and the value above which
            the largest is rejected. Of the drift its mean in each block, and in all of them with the interval of the
            test, which holds zero unless the path is rejected.

        Examples
        --------
        >>> import numpy as np
        >>> path = np.random.default_rng(0).normal(size=2000)
        >>> stationarity_test(path).plot().get_xlabel()
        'steps in the first part'
        """
        return drawn_by("stationarity", self, ax)


def stationarity_test(
    path: Trajectory | ArrayLike,
    *,
    kind: str = "wasserstein",
    maps: RandomMaps | None = None,
    centre: ArrayLike | None = None,
    level: float = 0.05,
    seed: Seed = 0,
) -> StationarityTest:
    """Test from one path whether it is stationary.

    Parameters
    ----------
    path : Trajectory or array_like, shape (n,) or (n, d)
        Of a trajectory the forward states of its single replica, save_steps="all" or evenly spaced.
    kind : {"wasserstein", "fluctuation-dissipation"}
        The first parts of the path against the rest by W₁, whatever made the path; or the mean of
        ‖T(x) − c‖² − ‖x − c‖² over the path and fresh maps T, which is zero under a stationary law with finite second
        moments. For SGD that is 2⟨(x − c)·∇L⟩ = h⟨|g|²⟩ [1]_, h the step size and g the gradient of a batch.
    maps : RandomMaps, optional
        What made the path: needed for "fluctuation-dissipation", and that of the trajectory by default.
    centre : array_like, shape (d,), optional
        The c of that relation, the origin by default: it holds for each, with power that differs. Not one chosen
        by looking at the path.
    level : float in (0, 1)
        Of the test: so often a stationary path is rejected.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the orders of blocks, or of the fresh maps: another one than that of the path.

    Returns
    -------
    StationarityTest
        The statistic, its p-value, and whether the path is rejected at the level.

    Raises
    ------
    InvalidInputError
        If the path is shorter than 640 of its correlation times, not finite, or the maps are missing or go by epochs.

    Notes
    -----
    The path is cut into 64 blocks of one length, from its first state on: up to 63 states at its end are left over.
    Under contraction in the mean the empirical process of a path has a central limit theorem, so that √n·W₁ of its
    parts is tight, with a limit that depends on all autocovariances. Blocks that are long beside the correlation time
    are nearly independent and so exchangeable under stationarity: the distance between the first k ≤ 32 blocks and the
    rest, the largest over k, is compared with that under 1999 random orders. The least p-value of a path that differs
    in its first block only is about 1/64, so give a level above that. For the relation the means of the blocks are
    taken as independent and normal, with the spread of those of the second half.

    A path that has seen one well of two looks stationary: no test of one path knows what it has not visited.

    References
    ----------
    .. [1] Yaida (2019), Fluctuation-dissipation relations for stochastic gradient descent, ICLR, arXiv 1810.00004.

    Examples
    --------
    >>> import iterorder as ito
    >>> maps = ito.gallery.ar1(0.5, 1.0)
    >>> def path(start):
    ...     return ito.simulate(maps, [start], 6399, seed=1, save_steps="all")
    >>> ito.stationarity_test(path(0.0)).rejected, ito.stationarity_test(path(500.0)).rejected
    (False, True)
    """
    kind = as_choice("kind", kind, ("wasserstein", "fluctuation-dissipation"))
    level, seed = as_level(level), as_seed(seed)
    if maps is None and isinstance(path, Trajectory):
        maps = path.maps
    states = _states(path)
    time = max(correlation_time(values) for values in states.T)
    length = check_length(len(states), time)
    if kind == "wasserstein":
        found = block_order_test(states, length, seed, level)
    else:
        if maps is None:
            raise InvalidInputError("maps is None: the relation needs the maps that made the path")
        check_maps(as_system(maps))
        if maps.dim != states.shape[1]:
            raise InvalidInputError(f"path has {states.shape[1]} coordinates and maps have {maps.dim}: give the same")
        middle = np.zeros(maps.dim) if centre is None else as_floats("centre", centre, ndim=(1,))
        if middle.shape != (maps.dim,):
            raise InvalidInputError(f"centre has shape {middle.shape}: give ({maps.dim},)")
        found = drift_test(mean_square_drift(states, maps, middle, seed), length, level)
    rejected, parts = found.p_value <= level, read_only(found.parts)
    return StationarityTest(found.statistic, found.p_value, level, rejected, kind, time, length, found.critical, parts)


def _states(path: Trajectory | ArrayLike) -> np.ndarray:
    """The states in the order of their steps, shape (n, d)."""
    if isinstance(path, Trajectory):
        if len(path.states) != 1 or path.order == "backward" or isinstance(path.order, Window):
            raise InvalidInputError(
                f"path has {len(path.states)} replicas in {path.order!r} order: give one replica in forward order; for "
                "many, compare save_steps by wasserstein_estimate"
            )
        path = to_numpy(path.states)[0]
    states = as_floats("path", path, ndim=(1, 2))
    return states[:, None] if states.ndim == 1 else states

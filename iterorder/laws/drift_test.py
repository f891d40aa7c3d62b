"""The fluctuation–dissipation relation along one path: a stationary law does not drift in the mean square."""

from __future__ import annotations

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.laws.block_test import BLOCKS, Tested
from iterorder.maps import RandomMaps
from iterorder.sampling import FreshNoise
from iterorder.simulate import simulated


def check_maps(maps: RandomMaps) -> None:
    """The relation needs the next state's law to depend on the state alone."""
    if not maps.time_homogeneous or (not isinstance(maps.sampling_law, FreshNoise) and maps.sampling_law.kind != "iid"):
        raise InvalidInputError(
            "maps does not draw its steps independently with a constant step size: the relation is for such maps; "
            "give kind='wasserstein', and states at the ends of epochs"
        )


def mean_square_drift(path: np.ndarray, maps: RandomMaps, centre: np.ndarray, seed: int) -> np.ndarray:
    """‖T(x) − c‖² − ‖x − c‖² at every state x of a path, T a fresh draw, shape (n,).

    For SGD it is −2h(x−c)·g + h²‖g‖²: that its mean is zero is the relation of Yaida. Fresh draws matter: those of the
    path itself telescope to its two ends.
    """
    image = simulated(maps, path, 1, n_replicas=len(path), seed=seed, backend="cpu").states[:, 0]
    return ((image - centre) ** 2).sum(axis=1) - ((path - centre) ** 2).sum(axis=1)


def drift_test(drifts: np.ndarray, length: int, level: float) -> Tested:
    """Student's t of the mean of all blocks against zero, and its two-sided p-value.

    The error is that of the second half of the blocks, which a transient at the beginning does not blow up: of normal
    means it is as independent of the mean of all as that of all of them, with half the degrees of freedom.
    """
    from scipy.special import stdtr, stdtrit

    means = drifts[: BLOCKS * length].reshape(BLOCKS, length).mean(axis=1)
    freedom, error = BLOCKS // 2 - 1, drift_error(means)
    critical = float(stdtrit(freedom, 1.0 - 0.5 * level))
    if error == 0.0:
        return Tested(0.0, 1.0 if means.mean() == 0.0 else 0.0, critical, means)
    statistic = float(means.mean()) / error
    return Tested(statistic, float(2.0 * stdtr(freedom, -abs(statistic))), critical, means)


def drift_error(means: np.ndarray) -> float:
    """The standard error of the mean of all blocks, from the spread of the second half of their means."""
    return float(means[BLOCKS // 2 :].std(ddof=1)) / float(np.sqrt(BLOCKS))

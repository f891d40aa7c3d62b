"""A law of the line by its quantile function: what is asked of it, and how long it may take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from iterorder.arrays import as_array
from iterorder.errors import AccuracyError, InvalidInputError

#: Seconds that the quantiles of one distance may take.
LONGEST = 60.0
#: Levels in the first calls, by how much a quick call lets the next one grow, and how long a call should take.
FIRST_CALLS, GROWTH, CALL_SECONDS = (1, 1, 32), 16, 0.5
#: The classes that all of SciPy's laws descend from.
GENERIC = ("rv_generic", "rv_continuous", "rv_discrete")
#: A relative error of the result above the first is told, above the second it is no result.
TOLD, REFUSED = 1e-10, 1e-6


class Law:
    """A distribution with ``ppf`` and ``isf``, or with ``icdf`` and ``iccdf`` as in SciPy's newer laws.

    Every call is checked, and its time is taken: `LONGEST` seconds are all that there are.
    """

    def __init__(self, distribution) -> None:
        self.distribution = distribution
        names = [name for name in ("ppf", "icdf") if callable(getattr(distribution, name, None))]
        if not names:
            draws = callable(getattr(distribution, "rvs", None))
            raise InvalidInputError(
                f"distribution is {distribution!r}: give an object with a method ppf (or icdf), such as "
                "scipy.stats.norm()" + draws * ", or a large sample of this law to wasserstein_1d(u, law.rvs(10**6))"
            )
        self._names = (names[0], {"ppf": "isf", "icdf": "iccdf"}[names[0]])
        self.has_isf = callable(getattr(distribution, self._names[1], None)) and not self._isf_is_ppf()
        self._chunk, self._spent, self._slowness = 1, 0.0, 0.0
        # A law of several variables, with arrays as parameters, gives several values for one level.
        self.ppf(np.array([0.5]))

    def is_a(self, name: str) -> bool:
        """Whether the law, or the one that it has frozen, has a class of SciPy's of that name, without importing it."""
        kinds = (type(self.distribution), type(getattr(self.distribution, "dist", None)))
        return any(base.__name__ == name and base.__module__.startswith("scipy.") for k in kinds for base in k.__mro__)

    def _isf_is_ppf(self) -> bool:
        """Whether `isf` is the one of all of SciPy's laws, ppf(1 − q), which sees no level below 2⁻⁵³."""
        kind = type(getattr(self.distribution, "dist", self.distribution))
        owner = next((base for base in kind.__mro__ if "_isf" in vars(base)), object)
        return owner.__module__.startswith("scipy.") and owner.__name__ in GENERIC

    def ppf(self, levels: np.ndarray) -> np.ndarray:
        """The quantiles of an array of levels."""
        return self._values(self._names[0], levels)

    def isf(self, levels: np.ndarray) -> np.ndarray:
        """The quantiles of one minus the levels."""
        return self._values(self._names[1], levels)

    def support(self) -> tuple[float, float]:
        """The ends of the support, from the quantiles of 0 and 1 where the law does not tell."""
        if callable(getattr(self.distribution, "support", None)):
            low, high = (float(np.asarray(end)) for end in self.distribution.support())
        else:
            with np.errstate(all="ignore"):
                low, high = (float(end) for end in self.ppf(np.array([0.0, 1.0])))
        return low, high

    def expect(self, levels: int) -> None:
        """An error now where so many levels would take too long: a slow law is seen at its first values."""
        for size in FIRST_CALLS:  # the first may be one of imports; of one level, most of it may be overhead
            self._chunk = size
            self.ppf((np.arange(size) + 0.5) / size)
            if self._slowness > CALL_SECONDS:
                break
        if self._slowness * levels > LONGEST:
            raise self._too_slow(levels)

    def _values(self, name: str, levels: np.ndarray) -> np.ndarray:
        """The method `name` of an array of levels, a chunk after the other."""
        function = getattr(self.distribution, name)
        flat = levels.ravel()
        values = np.empty(flat.size)
        done = 0
        while done < flat.size:
            part = flat[done : done + self._chunk]
            begin = time.thread_time()  # its own work: a busy machine makes no law slower
            values[done : done + part.size] = self._checked(name, function, part)
            seconds = time.thread_time() - begin
            self._spent += seconds
            self._slowness = seconds / part.size
            done += part.size
            if self._spent > LONGEST:
                raise self._too_slow(flat.size)
            if seconds < CALL_SECONDS / GROWTH:
                self._chunk *= GROWTH
            elif seconds > CALL_SECONDS:
                self._chunk = max(self._chunk // 2, 1)
        return values.reshape(levels.shape)

    def _checked(self, name: str, function: Callable, levels: np.ndarray) -> np.ndarray:
        advice = "give a law of one variable, with numbers as parameters, that works on arrays of levels"
        try:
            values = as_array("distribution.ppf(levels)", function(levels))
            if values.dtype.kind not in "fiubO":
                raise TypeError(f"it gives dtype {values.dtype}")
            values = values.astype(float)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(
                f"distribution.{name} fails for levels of shape {levels.shape} ({error}): {advice}"
            ) from error
        if values.shape != levels.shape:
            raise InvalidInputError(
                f"distribution.{name} gives shape {values.shape} for levels of shape {levels.shape}: {advice}"
            )
        return values

    def _too_slow(self, levels: int) -> AccuracyError:
        return AccuracyError(
            f"distribution.{self._names[0]} takes {self._slowness:.2g} s a level, and {levels} levels or more are "
            f"needed for the documented accuracy, above the limit of {LONGEST:g} s: give a law with a quicker quantile "
            "function, such as an interpolation of it, or wasserstein_1d with a large sample of the law"
        )


def inner_levels(n_points: int, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The n − 1 levels between sorted points, counted from below and from above.

    With weights they are sums from the nearer side, so that a small weight at either end keeps its digits.
    """
    if weights is None:
        k = np.arange(1, n_points)
        return k / n_points, (n_points - k) / n_points
    precise = weights.astype(np.longdouble)
    total = precise.sum()
    below, above = np.cumsum(precise[:-1]) / total, np.cumsum(precise[:0:-1])[::-1] / total
    return below.astype(float), above.astype(float)


def log_sum(logs) -> float:
    """log Σ exp(logs), −inf for no terms.

    Examples
    --------
    >>> log_sum([-math.inf, 0.0])
    0.0
    """
    largest = max(logs, default=-math.inf)
    if math.isinf(largest):
        return largest
    return largest + math.log(math.fsum(math.exp(log - largest) for log in logs))

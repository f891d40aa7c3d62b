"""`Estimate`: a number that may be random, with its uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

from iterorder.arrays import own_array
from iterorder.records import Recorded
from iterorder.shown import ShownByFacts, interval_shown
from iterorder.types import DTypeLike, FloatArray

#: Standard errors of an interval of 95 %.
QUANTILE = 1.959963984540054


@dataclass(frozen=True, repr=False)
class Estimate(ShownByFacts, Recorded):
    """A value with its standard error and an interval.

    Attributes
    ----------
    value : float
        The number itself: what ``float()`` gives.
    standard_error : float
        Zero where the value is exact, NaN where it is not known.
    low, high : float
        Ends of the interval for the value (95 % unless the function that made it says otherwise).
    exact : bool
        True for a closed form or a linear solve, false for a Monte Carlo mean.

    Examples
    --------
    >>> Estimate.of(0.25), float(Estimate.from_mean(0.25, 0.01))
    (Estimate(value=0.25, exact=True), 0.25)
    """

    value: float
    standard_error: float
    low: float
    high: float
    exact: bool

    def __float__(self) -> float:
        return self.value

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> FloatArray:
        """The value, as `float` gives it: an array of estimates is one of floats."""
        return own_array(self.value, dtype, copy)

    @classmethod
    def of(cls, value: float) -> Estimate:
        """An exact value."""
        value = float(value)
        return cls(value, 0.0, value, value, True)

    @classmethod
    def from_mean(cls, value: float, standard_error: float, quantile: float = QUANTILE) -> Estimate:
        """A Monte Carlo mean with the normal interval of `quantile` standard errors (1.96: 95 %)."""
        value, spread = float(value), float(standard_error)
        return cls(value, spread, value - quantile * spread, value + quantile * spread, False)

    def __format__(self, spec: str) -> str:
        """The value by a format for numbers; without one as `str`."""
        return format(self.value, spec) if spec else str(self)

    def _facts(self) -> dict[str, str]:
        if self.exact:
            return {"value": str(self), "exact": "True"}
        return {"value": str(self), **self._interval_fact()}

    def _interval_fact(self) -> dict[str, str]:
        return {"interval": interval_shown(self.low, self.high)}

    def __str__(self) -> str:
        if self.exact or math.isnan(self.standard_error):
            return f"{self.value:.6g}"
        return f"{self.value:.6g} ± {self.standard_error:.2g}"

"""A regression gate on convergence rates: measured, saved, and held against what was saved."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from iterorder._version import __version__
from iterorder.convergence import coupling_distance, fit_rate
from iterorder.errors import InvalidInputError, IterorderError
from iterorder.files import whole_file
from iterorder.gate.systems_file import Entry
from iterorder.orders import BACKWARD

SCHEMA = "iterorder.rates/1"
#: The chance of a false alarm of a whole comparison, shared by its systems.
LEVEL = 1e-3
#: Replicas and steps of a measurement; a fit stops by itself at rounding, and where means of products fail.
REPLICAS, STEPS = {"quick": 400, "full": 6400}, 400
# The interval that is saved, and what rounding of two fits may differ by.
INTERVAL, ROUNDING = 0.95, 1e-9


@dataclass(frozen=True)
class MeasuredRate:
    """The rate per step at which two starts of a system approach each other, in the first mean.

    Attributes
    ----------
    system : str
    rate, low, high : float
        With the 95 % interval from resampled replicas.
    first, last : int
        Steps of the fit.
    stopped_by : str
        Why the fit ends there.
    """

    system: str
    rate: float
    low: float
    high: float
    first: int
    last: int
    stopped_by: str

    @property
    def warning(self) -> str:
        """What is wrong with a rate that is not negative; empty where it is."""
        if self.rate < 0.0:
            return ""
        return f"{self.system}: the rate is {self.rate:+.3g}, not negative: starts do not approach each other"


@dataclass(frozen=True)
class Unfitted:
    """A system without a rate, and the reason."""

    system: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """A rate beside that of the baseline; `allowed` is the largest difference at the level of the test."""

    system: str
    before: MeasuredRate | None
    now: MeasuredRate | Unfitted | None
    allowed: float

    @property
    def verdict(self) -> str:
        """Whether the rate is the "same" or has "changed".

        A system that only the baseline has is "gone", one that only the present has is "new", and where no rate could
        be fitted it "failed".
        """
        if isinstance(self.now, Unfitted):
            return "failed"
        if self.now is None:
            return "gone"
        if self.before is None:
            return "new"
        return "same" if abs(self.now.rate - self.before.rate) <= self.allowed else "changed"

    @property
    def passed(self) -> bool:
        """Whether the gate lets it through: a new system is no regression, one that is gone is not checked any more."""
        return self.verdict in ("same", "new")


def measure(systems: list[Entry], *, seed: int, effort: str = "quick") -> list[MeasuredRate | Unfitted]:
    """The rates of some systems, from synchronous couplings of backward iterates; one without a rate stops no other."""
    return [_measured(entry, seed, effort) for entry in systems]


def _measured(entry: Entry, seed: int, effort: str) -> MeasuredRate | Unfitted:
    start, other = entry.x0, entry.x0 + 1.0
    try:
        coupling = coupling_distance(
            entry.maps, start, other, STEPS, order=BACKWARD, n_replicas=REPLICAS[effort], seed=seed, p=1
        )
        fit = fit_rate(coupling, level=INTERVAL)
    except IterorderError as error:
        return Unfitted(entry.name, str(error))
    return MeasuredRate(entry.name, fit.rate, fit.low, fit.high, fit.first, fit.last, fit.stopped_by)


def save(path, rates: list[MeasuredRate], *, seed: int, effort: str) -> None:
    """Write rates as JSON, under a temporary name first."""
    content = {
        "schema": SCHEMA,
        "version": __version__,
        "seed": seed,
        "effort": effort,
        "rates": [asdict(rate) for rate in rates],
    }
    with whole_file(Path(path)) as file:
        file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def read(path) -> tuple[list[MeasuredRate], int]:
    """The rates that `save` wrote, and their seed.

    Raises
    ------
    InvalidInputError
        If there is no such file, or it is another one.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidInputError(
            f"there is no baseline {path}: write one with `iterorder rates --save {path}`, where the rates are right"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"the baseline {path} cannot be read ({error}): give a file of `--save`") from error
    try:
        content = json.loads(text)
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']!r}")
        rates = [MeasuredRate(**item) for item in content["rates"]]
        numbers = [number for rate in rates for number in (rate.rate, rate.low, rate.high)]
        if not np.isfinite(np.array(numbers, np.float64)).all():
            raise ValueError("a rate is not finite")
        return rates, int(content["seed"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"{path} is no baseline ({error}): give a file that `iterorder rates --save` wrote"
        ) from error


def compare(before: list[MeasuredRate], now: list[MeasuredRate | Unfitted]) -> list[Comparison]:
    """Each system of either list. Differences are tested at equal shares of `LEVEL`.

    The half widths of the two intervals add in squares, and are stretched from their 95 % to the level of the test.
    """
    from scipy.special import ndtri

    old, new = {rate.system: rate for rate in before}, {rate.system: rate for rate in now}
    names = list(dict.fromkeys([*old, *new]))
    stretch = float(ndtri(0.5 * LEVEL / len(names)) / ndtri(0.5 * (1.0 - INTERVAL)))
    rows = []
    for name in names:
        pair = old.get(name), new.get(name)
        widths = [0.5 * (rate.high - rate.low) for rate in pair if isinstance(rate, MeasuredRate)]
        rows.append(Comparison(name, *pair, stretch * math.hypot(*widths) + ROUNDING))
    return rows

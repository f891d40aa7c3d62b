"""Rows of the benchmark: variants of one work, timed in turn, and their ratios."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

from limits.compare import interleave, ratio

LIBRARY = "iterorder"


def compared(
    work: str,
    variants: Mapping[str, Callable[[], object]],
    amounts: Mapping[str, float],
    *,
    unit: str,
    rounds: int,
    skipped: Mapping[str, str],
    asked: Mapping[str, float] | None = None,
) -> dict:
    """One row: speeds as (least, median, largest) and the library's speed in units of each other variant's.

    Parameters
    ----------
    work : str
    variants : mapping of str to callable
        Each does the work once and returns when it is done; one of them is the library.
    amounts : mapping of str to float
        How much of the work one call does, in `unit` seconds.
    unit : str
    rounds : int
        Every round calls each variant once.
    skipped : mapping of str to str
        Variants that could not run, and why.
    asked : mapping of str to float, optional
        The ratio that is asked for.
    """
    times = interleave(variants, rounds)
    speeds = {name: [amounts[name] / seconds for seconds in times[name]] for name in variants}
    return {
        "work": work,
        "unit": unit,
        "speeds": {name: spread(values) for name, values in speeds.items()},
        "ratios": {
            name: dict(zip(("median", "low", "high"), ratio(times, LIBRARY, name, amounts), strict=True))
            for name in variants
            if name != LIBRARY
        },
        "asked": dict(asked or {}),
        "skipped": dict(skipped),
    }


def spread(values) -> dict[str, float]:
    """Least, median and largest."""
    return {"low": min(values), "median": statistics.median(values), "high": max(values)}

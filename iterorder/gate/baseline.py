"""Rates in a file: what later measurements are held against."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from iterorder._version import __version__
from iterorder.errors import InvalidInputError
from iterorder.files import write_json
from iterorder.gate.rates import MeasuredRate

SCHEMA = "iterorder.rates/1"


def save(path, rates: list[MeasuredRate], *, seed: int, effort: str) -> None:
    """Write rates as JSON, under a temporary name first."""
    content = {
        "schema": SCHEMA,
        "version": __version__,
        "seed": seed,
        "effort": effort,
        "rates": [asdict(rate) for rate in rates],
    }
    write_json(Path(path), content)


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

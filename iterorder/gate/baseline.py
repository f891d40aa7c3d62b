"""Rates in a file: what later measurements are held against."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from pathlib import Path

from iterorder._version import __version__
from iterorder.errors import InvalidInputError
from iterorder.files import write_json
from iterorder.gate.rates import MeasuredRate
from iterorder.validation import MAX_SEED

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
    if path.is_dir():
        raise InvalidInputError(
            f"the baseline {path} is a folder: give the file in it that `iterorder rates --save` wrote"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors write a mark first
    except FileNotFoundError:
        raise InvalidInputError(
            f"there is no baseline {path}: write it where the rates are right, by the same command with --save {path} "
            "in place of --against"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"the baseline {path} cannot be read ({error}): give a file of `--save`") from error
    try:
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA!r}")
        rates = [_rate(item) for item in _of_type(list, content, "rates")]
        seed = _of_type(int, content, "seed")
        if not 0 <= seed <= MAX_SEED:
            raise ValueError(f"its seed {seed} is not in [0, 2⁶⁴)")
        names = [rate.system for rate in rates]
        if twice := [name for k, name in enumerate(names) if name in names[:k]]:
            raise ValueError(f"it has {twice[0]!r} twice")
        return rates, seed
    except json.JSONDecodeError as error:
        raise InvalidInputError(
            f"{path} is no baseline (it is cut or no JSON, line {error.lineno}): give a file that `iterorder rates "
            "--save` wrote"
        ) from error
    except (ValueError, KeyError, OverflowError, RecursionError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise InvalidInputError(
            f"{path} is no baseline ({what}): give a file that `iterorder rates --save` wrote"
        ) from error


def _rate(item) -> MeasuredRate:
    """A rate as it was saved: numbers that a comparison may rest on, or an error."""
    known = {field.name for field in fields(MeasuredRate)}
    if not isinstance(item, dict) or not set(item) <= known:
        raise ValueError(f"{item!r:.60} is no rate")
    name, reason = _of_type(str, item, "system"), _of_type(str, item, "stopped_by")
    rate, low, high = (float(_of_type((int, float), item, key)) for key in ("rate", "low", "high"))
    first, last = _of_type(int, item, "first"), _of_type(int, item, "last")
    if not (low <= rate <= high and math.isfinite(high - low)):
        raise ValueError(f"the rate {rate} of {name!r} is not inside a finite interval, {low} to {high}")
    if not isinstance(curved := item.get("curved", False), bool):
        raise ValueError(f"its curved is {curved!r:.60}")
    replicas = _of_type(int, {"replicas": 0, **item}, "replicas")
    return MeasuredRate(name, rate, low, high, first, last, reason, replicas, curved)


def _of_type(kind, content: dict, key: str):
    """An entry of a dict of JSON, whose numbers are no truth values."""
    value = content[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"its {key} is {value!r:.60}")
    return value

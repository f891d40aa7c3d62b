"""Which system a command works on: by its name, from data with a loss, or from a Python file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.cli.data_files import is_data_file, read_data
from iterorder.cli.options import number
from iterorder.errors import InvalidInputError
from iterorder.log import detail
from iterorder.validation import as_floats, did_you_mean

if TYPE_CHECKING:
    from iterorder.gate.systems_file import Entry

#: Prefix of the systems of the gallery in the table of families, which users of the command leave out.
GALLERY = "gallery."
#: Options that are parameters of families, by the name of the parameter.
OF_FAMILIES = {
    "step_size": "--step-size",
    "batch_size": "--batch-size",
    "ridge": "--ridge",
    "sampling": "--sampling",
    "loss": "--loss",
}


def add_system(parser: argparse.ArgumentParser) -> None:
    """The arguments that say what the maps are."""
    group = parser.add_argument_group("system")
    group.add_argument(
        "system",
        nargs="?",
        metavar="SYSTEM",
        help="a system of the gallery, such as two_point_quadratic; a family, such as GaussianRegressionSGD; or a name "
        "in the file of --systems",
    )
    group.add_argument("--systems", type=Path, metavar="FILE.py", help="a Python file that defines SYSTEMS; it is run")
    group.add_argument(
        "--data",
        metavar="FILE",
        help="rows for SGD: a .csv file (the last column is the target), a .npz file (features, targets), or diabetes, "
        "breast_cancer, normal",
    )
    group.add_argument("--target", metavar="COLUMN", help="with a .csv file of --data: the column of targets")
    group.add_argument("--loss", metavar="NAME", help="with --data: squared (default), logistic, huber, …")
    group.add_argument("--step-size", type=number, metavar="H", help="of SGD, or the h of a system of the gallery")
    group.add_argument("--batch-size", type=number, metavar="B", help="of SGD; default 1")
    group.add_argument("--ridge", type=number, metavar="R", help="of SGD; default 0")
    group.add_argument("--sampling", metavar="NAME", help="of SGD: iid (default), reshuffle or cyclic")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another parameter, such as lam=0.5, eigenvalues=[1,0.5] or momentum=0.9; may be given again",
    )
    group.add_argument(
        "--start",
        dest="x0",
        metavar="X,Y,…",
        help="where every replica starts; default: the origin. --start=-1,2 where it begins with -",
    )


def chosen_system(arguments: argparse.Namespace) -> Entry:
    """The system that was asked for, and where it starts."""
    from iterorder.gate.systems_file import Entry

    entry = _of_file(arguments) if arguments.systems is not None else _of_family(arguments)
    detail(f"system {entry.name}: {entry.maps!r}")
    if arguments.x0 is None:
        return entry
    return Entry(entry.name, entry.maps, _as_start(arguments.x0, entry.maps.dim))


def _of_file(arguments: argparse.Namespace) -> Entry:
    from iterorder.gate.systems_file import systems_of_file

    for option, value in (
        ("--data", arguments.data),
        *_given(arguments).items(),
        *(("--set", v) for v in arguments.set),
    ):
        if value is not None:
            raise InvalidInputError(f"{option} {value} is given beside --systems: set it in {arguments.systems}")
    try:
        entries = systems_of_file(arguments.systems)
    except FileNotFoundError as error:
        raise InvalidInputError(str(error)) from error
    known = [entry.name for entry in entries]
    if arguments.system is None and len(entries) > 1:
        raise InvalidInputError(
            f"{arguments.systems} has {len(entries)} systems: give the name of one, {_listed(known)}"
        )
    if arguments.system is not None and arguments.system not in known:
        meant = did_you_mean(arguments.system, known)
        raise InvalidInputError(
            f"SYSTEM {arguments.system!r} is not in {arguments.systems}: give one of {_listed(known)}{meant}"
        )
    return entries[0 if arguments.system is None else known.index(arguments.system)]


def _of_family(arguments: argparse.Namespace) -> Entry:
    from iterorder.gate.systems_file import Entry
    from iterorder.sweeps.systems import OF_NORMAL, OF_ROWS, data_set, made

    family = _family(arguments)
    given = _parameters(arguments, family)
    rows = None
    if family in OF_ROWS:
        if arguments.data is None:
            raise InvalidInputError(f"{family} has no data: give --data FILE.csv, or the name of a data set")
        of_set = {name: given.pop(name) for name in OF_NORMAL if name in given}
        if not is_data_file(arguments.data):
            rows = data_set(arguments.data, tuple(of_set.items()))
        elif of_set:
            raise InvalidInputError(f"--set {next(iter(of_set))} is an option of --data normal, not of a file")
        else:
            rows = read_data(Path(arguments.data), arguments.target)
        detail(f"--data {arguments.data}: {len(rows[1])} points of {rows[0].shape[1]} features")
    maps = made(family, rows, given)
    return Entry(arguments.system or f"{arguments.data}, {given.get('loss', family)}", maps, np.zeros(maps.dim))


def _family(arguments: argparse.Namespace) -> str:
    """The key in the table of families."""
    from iterorder.sweeps.systems import FAMILIES, OF_ROWS

    name = arguments.system
    if name is None:
        if arguments.data is None:
            raise InvalidInputError(
                "no system is given: name one, such as two_point_quadratic, or give --data or --systems"
            )
        return "LinearModelSGD"
    family = GALLERY + name if GALLERY + name in FAMILIES else name
    if family not in FAMILIES:
        gallery = [other.removeprefix(GALLERY) for other in FAMILIES if other.startswith(GALLERY)]
        known = [*gallery, *(other for other in FAMILIES if not other.startswith(GALLERY))]
        raise InvalidInputError(
            f"SYSTEM {name!r} is not known: give one of {_listed(known)}{did_you_mean(name, known)}"
        )
    if arguments.data is not None and family not in OF_ROWS:
        raise InvalidInputError(f"--data {arguments.data} is no option of {name}: give it with {_listed(OF_ROWS)}")
    if arguments.target is not None and arguments.data is None:
        raise InvalidInputError(f"--target {arguments.target} is given without --data: it names a column of its file")
    return family


def _parameters(arguments: argparse.Namespace, family: str) -> dict[str, Any]:
    """Parameters of a family by their names; those that it does not have, or that it lacks, are errors."""
    from iterorder.sweeps.systems import names_of, needed_by

    shown, known = family.removeprefix(GALLERY), names_of(family)
    given: dict[str, Any] = {}
    options = {}
    for option, value in _given(arguments).items():
        name = next(key for key, flag in OF_FAMILIES.items() if flag == option)
        options["h" if name == "step_size" and "step_size" not in known and "h" in known else name] = (option, value)
    for text in arguments.set:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInputError(f"--set {text!r} is no NAME=VALUE: give such as lam=0.5")
        if name in options:
            raise InvalidInputError(f"--set {text} is given beside {options[name][0]}: give one of them")
        options[name] = (f"--set {name}", _value(value))
    # Errors name them so, and the h of a system of the gallery as it was typed.
    arguments.by_hand = {
        name: option for name, (option, _) in options.items() if option.startswith("--set") or name == "h"
    }
    for name, (option, value) in options.items():
        if name not in known - {"data"}:
            has = f"it has {_listed(sorted(known - {'data'}))}" if known else "it has no parameters"
            raise InvalidInputError(f"{option} is no parameter of {shown}: {has}{did_you_mean(name, known)}")
        given[name] = value
    if family == "LinearModelSGD":
        given.setdefault("loss", "squared")
    if missing := [name for name in needed_by(family) if name not in given]:
        wanted = ", ".join({"h": "--step-size", **OF_FAMILIES}.get(name, f"--set {name}=VALUE") for name in missing)
        raise InvalidInputError(f"{shown} is not wholly given: add {wanted}")
    return given


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Options of families that were given, by their flags."""
    values = {flag: getattr(arguments, name) for name, flag in OF_FAMILIES.items()}
    return {flag: value for flag, value in values.items() if value is not None}


def _value(text: str):
    """A number, a list or a truth value as JSON has it; anything else is a word."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _as_start(text: str, dim: int) -> np.ndarray:
    try:
        start = as_floats("--start", [float(word) for word in text.split(",")])
    except ValueError as error:
        raise InvalidInputError(
            f"--start {text!r} is no list of numbers ({error}): give {dim}, such as 0,1.5"
        ) from None
    if start.shape != (dim,):
        raise InvalidInputError(f"--start {text} has {start.size} numbers: give {dim}, one for each dimension")
    return start


def _listed(names) -> str:
    return ", ".join(names)

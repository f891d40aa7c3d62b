"""Data of a regression from a CSV or NPZ file: a row a point."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.number_table import read_numbers
from iterorder.validation import as_floats, did_you_mean

#: Names under which an NPZ file may have its arrays.
FEATURES, TARGETS = ("features", "X", "x"), ("targets", "labels", "y")
SUFFIXES = (".csv", ".npz")


def is_data_file(name: str) -> bool:
    """Whether this is meant as a file, not as the name of a data set."""
    return Path(name).suffix.lower() in SUFFIXES


def read_data(path: Path, target: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    r"""Features (n, d) and targets (n,).

    Parameters
    ----------
    path : Path
        A CSV file of numbers, separated by commas, with or without a line of names; or an NPZ file with the arrays
        ``features`` and ``targets`` (also ``X`` and ``y``), of which nothing is unpickled.
    target : str, optional
        Of a CSV file, the name of the column of targets; the last by default.

    Raises
    ------
    InvalidInputError
        If there is no such file, or it is not as described; the message names the file, and the line that is wrong.

    Examples
    --------
    >>> _ = Path("points.csv").write_text("a,b,y\n1,2,0.5\n3,4,1.5\n")
    >>> features, targets = read_data(Path("points.csv"))
    >>> features.shape, targets.tolist()
    ((2, 2), [0.5, 1.5])
    """
    if not path.is_file():
        raise InvalidInputError(
            f"--data {path} is no file: give a {' or '.join(SUFFIXES)} file, or the name of a data set"
        )
    if path.suffix.lower() == ".csv":
        return _of_csv(path, target)
    if target is not None:
        raise InvalidInputError(f"--target {target} is an option of a CSV file, and --data is {path}: leave it out")
    return _of_npz(path)


def _of_csv(path: Path, target: str | None) -> tuple[np.ndarray, np.ndarray]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        names, table = read_numbers(f"--data {path}", file)
    column = table.shape[1] - 1 if target is None else _column(path, target, names)
    return np.delete(table, column, axis=1), table[:, column]


def _column(path: Path, target: str, names: tuple[str, ...]) -> int:
    if target not in names:
        known = f"give one of {', '.join(names)}" if names else "the file has no line of names, so leave it out"
        raise InvalidInputError(f"--target {target!r} is no column of {path}: {known}{did_you_mean(target, names)}")
    return names.index(target)


def _of_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except Exception as error:  # damaged bytes make NumPy and zipfile raise nearly anything
        reason = "it holds pickled objects" if "allow_pickle" in str(error) else error
        raise InvalidInputError(f"--data {path} is no NPZ file of numbers ({reason})") from None
    found = [next((name for name in names if name in arrays), None) for names in (FEATURES, TARGETS)]
    if None in found:
        raise InvalidInputError(
            f"--data {path} has the arrays {', '.join(arrays) or 'none'}: give features (or X), shape (n, d), and "
            "targets (or y), shape (n,)"
        )
    features, targets = (as_floats(f"{name} of {path}", arrays[name]) for name in found if name)
    if features.ndim != 2 or targets.shape != features.shape[:1]:
        raise InvalidInputError(
            f"--data {path} has features of shape {features.shape} and targets of shape {targets.shape}: give "
            "(n, d) and (n,)"
        )
    return features, targets

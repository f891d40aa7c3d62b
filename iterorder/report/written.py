"""`write_report`: the page of a folder, written beside what it tells of."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from iterorder._version import __version__
from iterorder.errors import InvalidInputError
from iterorder.files import as_path, whole_file
from iterorder.report.document import Document, Section
from iterorder.report.reproduced import claims, figures
from iterorder.report.runs import saved_results
from iterorder.report.sweeps import sweep
from iterorder.report.training import training
from iterorder.types import PathLike

#: The name of the page in its folder.
PAGE = "report.html"
#: Files that one of them reads.
FILES = ("sweep.sqlite", "*.npz", "check.json")
#: What looks at a folder, and the sections that each finds there.
READERS = (claims, sweep, training, saved_results, figures)


def write_report(folder: PathLike, out: PathLike | None = None) -> Path:
    """Tell what a folder holds in one HTML file that opens without a network.

    Parameters
    ----------
    folder : path-like
        Of a sweep, of runs of training, of saved trajectories and samples, or ``reports`` of ``make reproduce``.
    out : path-like, optional
        The file; ``report.html`` in the folder by default. It is written under another name and renamed.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    InvalidInputError
        If it is a file, holds nothing that is known, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with (folder / "check.json").open("w") as file:
    ...     _ = file.write('{"seed": 0, "effort": "quick", "rows": []}')
    >>> write_report(folder).name
    'report.html'
    """
    folder = as_path(folder)
    out = folder / PAGE if out is None else as_path(out)
    write_document(document(folder), out)
    return out


def write_document(page: Document, out: Path) -> None:
    """Write a page under another name, then rename it."""
    with whole_file(out) as file:
        file.write(page.html().encode())


def _may_tell(folder: Path) -> bool:
    """Whether a folder, or one just below, has files that a report reads."""
    return any(True for name in FILES for level in ("", "*/") for _ in folder.glob(level + name))


def document(folder: Path) -> Document:
    """What `write_report` writes."""
    if folder.is_file():
        raise InvalidInputError(f"{folder} is a file: give the folder that it lies in")
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    sections: list[Section] = [section for reader in READERS for section in reader(folder)]
    if not sections:
        below = next((place for place in sorted(folder.iterdir()) if place.is_dir() and _may_tell(place)), None)
        advice = f"; did you mean {below}?" if below else ""
        raise InvalidInputError(
            f"folder {folder} holds nothing that a report can tell: give that of a sweep (sweep.sqlite), of training "
            "(result.npz), of trajectories or samples (.npz of their save), or that of make reproduce (check.json)"
            f"{advice}"
        )
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Document(folder.resolve().name, f"iterorder {__version__}, report of {when}", sections)

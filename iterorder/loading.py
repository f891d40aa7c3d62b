"""`load`: a result from the file that its `save` wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iterorder import trajectory
from iterorder.archive import loaded
from iterorder.files import as_path
from iterorder.types import PathLike


def load(
    path: PathLike,
) -> Any:  # which class is in the file only its reader knows: of a union each use would ask again
    """Read a result that `save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    Trajectory, StationarySample, Continuation or networks.TrainingRun
        Of the class that wrote the file. Its maps are whole, but for those of a user's own code, of which a file keeps
        nothing but a name and a digest: they are None.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InvalidInputError
        If the file is cut, holds no result, or comes from a newer version.

    Examples
    --------
    >>> import tempfile
    >>> import iterorder as ito
    >>> path = tempfile.mkdtemp() + "/sample.npz"
    >>> ito.stationary_sample(ito.gallery.arcsine(), 100, seed=0).save(path)
    >>> sample = ito.load(path)
    >>> sample.certificate, sample.maps.law.mean().item()
    ('probability', 0.5)
    """
    from iterorder.networks.run import check_written

    return loaded(check_written(as_path(path)), _readers())


def _readers() -> dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]]:
    from iterorder.laws import continued
    from iterorder.networks import run
    from iterorder.stationary import result

    return {
        trajectory.SCHEMA: trajectory.Trajectory._of_parts,
        result.SCHEMA: result.StationarySample._of_parts,
        continued.SCHEMA: continued.Continuation._of_parts,
        run.SCHEMA: run.TrainingRun._of_parts,
    }

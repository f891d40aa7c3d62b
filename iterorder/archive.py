"""Files of results: arrays and a header in one .npz archive, whole or not there, without pickles and without code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from iterorder._version import __version__
from iterorder.errors import InvalidInputError
from iterorder.files import as_path, whole_file
from iterorder.maps import RandomMaps
from iterorder.maps.described import described, is_described, rebuilt

#: How a file of another kind begins, and what it is.
MAGIC = {
    b"\x93NUMPY": "a single array, a .npy file",
    b"\x89HDF": "an HDF5 or NetCDF file",
    b"CDF": "a NetCDF file",
    b"PAR1": "a Parquet file",
    b"\x80": "a pickle, and those are never loaded",
}
#: Suffixes that say another format, and what writes that of a `result` whose main array is `array`.
FOREIGN = {
    **dict.fromkeys((".nc", ".nc4", ".cdf", ".h5", ".hdf5"), "{result}.to_xarray().to_netcdf(path)"),
    ".zarr": "{result}.to_xarray().to_zarr(path)",
    ".npy": "np.save(path, {result}.{array})",
    ".mat": "scipy.io.savemat(path, {{'{array}': {result}.{array}}})",
    **dict.fromkeys((".pkl", ".pickle"), "pickle.dump({result}, file)"),
    **dict.fromkeys((".csv", ".tsv", ".txt"), "{result}.to_dataframe().to_csv(path)"),
    ".json": "{result}.to_dataframe().to_json(path)",
    ".parquet": "{result}.to_dataframe().to_parquet(path)",
    **dict.fromkeys((".feather", ".arrow"), "{result}.to_dataframe().reset_index().to_feather(path)"),
    ".xlsx": "{result}.to_dataframe().to_excel(path)",
}
#: Of the arrays of maps, how their names begin.
OF_MAPS = "maps_"


def write_result(path, header: Mapping[str, object], arrays: Mapping[str, np.ndarray], *, shown: str) -> None:
    """Write a result.

    Parameters
    ----------
    path : str or path-like
        The name of the file, which is written as it is.
    header : dict
        With its ``schema``; the version of the library is added.
    arrays : dict of str to ndarray
        By the names that they have in the file.
    shown : str
        What errors call the result and its main array, such as "run.states".
    """
    path = as_path(path)
    if (other := FOREIGN.get(path.suffix.lower())) is not None:
        result, _, array = shown.partition(".")
        raise InvalidInputError(
            f"path {path} has the suffix of another format, and what is written is a .npz file: give a name that "
            f"ends with .npz, or write {other.format(result=result, array=array)}"
        )
    text = json.dumps({"version": __version__, **header}).encode()
    with whole_file(path) as file:
        np.savez(file, allow_pickle=False, header=np.frombuffer(text, np.uint8), **arrays)


def loaded(path: Path, readers: dict[str, Callable[[dict, dict], Any]]) -> Any:
    """What a file holds, by the reader of its schema."""
    try:
        header, arrays = _read(path)
        schema = header["schema"]
        if schema not in readers:
            raise ValueError(f"schema {schema!r}, and what can be read is {', '.join(map(repr, readers))}")
        return readers[schema](header, arrays)
    except OSError as error:
        # Errors of damaged bytes have no number; the system's, such as of a missing file, tell all by themselves.
        if error.errno is None:
            raise _refused(path, error) from error
        raise
    except Exception as error:  # damaged bytes make NumPy, zipfile and json raise nearly anything
        # NumPy advises to unpickle what it cannot read, which would run whatever code the file holds.
        if "allow_pickle" in str(error):
            raise _refused(path, "it holds pickled objects, which are never loaded") from None
        raise _refused(path, error) from error


def _refused(path: Path, reason: object) -> InvalidInputError:
    return InvalidInputError(f"{path} is cut or no result ({reason}): give a file that save wrote")


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header of a file and its arrays; whatever is wrong with it is some exception that tells what."""
    with open(path, "rb") as file:
        start = file.read(8)
        file.seek(0)
        if not start.startswith(b"PK"):
            known = (name for magic, name in MAGIC.items() if start.startswith(magic))
            raise ValueError(f"it is {next(known, 'no .npz file')}" if start else "it is empty")
        with np.load(file, allow_pickle=False) as content:
            if "header" not in content.files:
                raise ValueError("it has no header")
            arrays = {name: content[name] for name in content.files}
    return json.loads(arrays.pop("header").tobytes()), arrays


def with_maps(maps: RandomMaps | None, prefix: str = OF_MAPS) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """What a header and the arrays hold of maps: all of them, or of those of a user's code its name and a digest."""
    none: dict[str, object] = {"family": None, "parameters": {}}
    description, arrays = (none, {}) if maps is None or not is_described(maps) else described(maps, prefix)
    names = None if maps is None else getattr(maps, "feature_names", None)
    return {"custom": None if maps is None else maps.code, "names": names, **description}, arrays


def maps_of(header: dict[str, Any], arrays: dict[str, np.ndarray], prefix: str = OF_MAPS) -> RandomMaps | None:
    """The maps of a file; None where they were of a user's code."""
    maps = rebuilt(header, arrays, prefix) if header.get("family") or header.get("gallery") else None
    if header.get("names") and hasattr(maps, "feature_names"):  # older files do not have them
        object.__setattr__(maps, "feature_names", tuple(map(str, header["names"])))
    return maps


def maps_shown(maps: RandomMaps | None) -> str:
    """Of maps in the repr of a result."""
    return repr(maps) if maps is not None else "None (of a user's code, which no file keeps)"

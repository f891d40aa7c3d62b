"""What a run keeps on disk: one file for each finished unit, the states where others begin, and what is half done."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from iterorder.arrays import as_array
from iterorder.errors import InvalidInputError
from iterorder.files import make_folder, whole_file, write_json

SCHEMA = "iterorder.training-unit/1"
#: What says which run a folder belongs to.
NAME = "run.json"


class Folder:
    """Files of a run: NumPy archives without pickles, written under another name and renamed.

    A file is there whole or not at all, and carries the digest of its run: a folder of another run is refused.
    """

    def __init__(self, path, digest: str, description: dict) -> None:
        try:
            self.path = Path(path)
        except TypeError:
            raise InvalidInputError(f"folder is {path!r}: give the name of a folder, a str or a pathlib.Path") from None
        self.digest = digest
        make_folder(self.path)
        self._claim(description)

    def _claim(self, description: dict) -> None:
        file = self.path / NAME
        if not file.exists():
            if others := sorted(path.name for path in self.path.iterdir() if path.suffix != ".part"):
                raise InvalidInputError(
                    f"folder {self.path} holds {others[0]} and no {NAME}: give that of a run, or an empty or new one"
                )
            write_json(file, {"schema": SCHEMA, "digest": self.digest, **description})
            return
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            digest = found["digest"]
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(f"{file} cannot be read ({error}): give another folder") from error
        if digest != self.digest:
            changed = [
                f"{name} was {found.get(name)!r} and is {value!r}"
                for name, value in description.items()
                if found.get(name) != value
            ]
            what = "; ".join(changed) or "the model, its data or its settings differ"
            raise InvalidInputError(
                f"folder {self.path} belongs to another run ({what}): give another folder, or the arguments of that run"
            )

    def read(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays of a file; None where it is not there."""
        path = self.path / f"{name}.npz"
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as content:
                arrays = {key: content[key] for key in content.files}
            header = json.loads(arrays.pop("header").tobytes())
            if header != {"schema": SCHEMA, "digest": self.digest}:
                raise ValueError("it belongs to another run")
        except Exception as error:  # damaged bytes make NumPy, zipfile and json raise nearly anything
            raise InvalidInputError(
                f"{path} is cut or foreign ({error}): remove it, and it is computed again"
            ) from error
        return arrays

    def write(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        """A file, whole or not at all."""
        header = json.dumps({"schema": SCHEMA, "digest": self.digest}).encode()
        with whole_file(self.path / f"{name}.npz") as file:
            np.savez(file, allow_pickle=False, header=np.frombuffer(header, np.uint8), **arrays)

    def remove(self, name: str) -> None:
        """Forget what was half done."""
        (self.path / f"{name}.npz").unlink(missing_ok=True)


def is_of_a_run(path: Path) -> bool:
    """Whether a folder is one of a run."""
    return (path / NAME).is_file()


def prefixed(prefix: str, arrays) -> dict[str, np.ndarray]:
    """Arrays under names that begin with a word and a dot."""
    return {f"{prefix}.{name}": as_array(name, array) for name, array in arrays.items()}


def without_prefix(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those whose names begin so, without it."""
    return {name.removeprefix(f"{prefix}."): array for name, array in arrays.items() if name.startswith(f"{prefix}.")}

"""Files that are whole or not there."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from iterorder.errors import InvalidInputError


def as_path(value) -> Path:
    """What a user gave as `path`."""
    try:
        return Path(value)
    except TypeError:
        raise InvalidInputError(f"path is {value!r}: give the name of a file, a str or a pathlib.Path") from None


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write to, beside `path` until the block ends, then renamed to it.

    An interruption or an error inside the block leaves the old file or none, never half of one.
    """
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else f"is in {path.parent}, which is no folder"
        raise InvalidInputError(f"path {path} {what}: give the name of a file in an existing folder")
    temporary = path.parent / f".{os.getpid()}-{threading.get_ident()}-{path.name[-100:]}.part"
    # Opened by hand for the rights of any new file; tempfile's are private.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: dict) -> None:
    """The content as one JSON file, whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as file:
        file.write(f"{text}\n".encode())

"""Files that are whole or not there, and devices and pipes that stay what they are."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from iterorder.errors import InvalidInputError, NotWrittenError

#: Where devices are, and what this process has open: a file there may be the one that its output is redirected to.
STREAMS = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))


def as_path(value) -> Path:
    """What a user gave as `path`."""
    try:
        path = Path(value)
    except TypeError:
        raise InvalidInputError(f"path is {value!r}: give the name of a file, a str or a pathlib.Path") from None
    if "\0" in str(path):
        raise InvalidInputError(f"path is {value!r}: give a name without null characters")
    return path


def is_stream(path: Path) -> bool:
    """Whether this is no file that can be replaced: a device, a pipe, or a name for what a process has open."""
    if not path.exists() or path.is_dir():
        return False
    return not path.is_file() or path.absolute().parent in STREAMS


@contextmanager
def writing(path: Path, name: str = "") -> Iterator[None]:
    """A block that writes to a path: what the system says against it becomes a `NotWrittenError`.

    A reader that has gone from a pipe is no such error: who writes to pipes expects it.
    """
    try:
        yield
    except (NotWrittenError, BrokenPipeError):
        raise
    except OSError as error:
        raise NotWrittenError.of(f"{name} {path}".lstrip(), error) from error


@contextmanager
def replacing(path: Path, suffix: str = "") -> Iterator[Path]:
    """A name beside `path`, with this suffix, for what takes its place when the block ends, or never.

    An interruption or an error inside the block leaves the old file or none, never half of one.
    """
    with writing(path):
        check_place(path)
        temporary = _beside(path.resolve(), suffix)
        try:
            yield temporary
            os.replace(temporary, path.resolve())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write to, beside `path` until the block ends, then renamed to it.

    Where `path` is a link to a file, that one is replaced. A device or a pipe, such as ``/dev/null``, is written to:
    renamed over, it would be gone for all processes.

    Raises
    ------
    InvalidInputError
        If the path is a folder, or in none.
    NotWrittenError
        If the system refuses, for want of room or of rights.
    """
    with writing(path):
        if is_stream(path):
            content = BytesIO()
            yield content
            with path.open("ab") as stream:
                stream.write(content.getvalue())
            return
    with replacing(path) as temporary, _opened(temporary) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def check_place(path: Path, name: str = "path") -> None:
    """Refuse a path that is a folder, or in none."""
    target = path.resolve()
    if target.is_dir() or not target.parent.is_dir():
        what = "is a folder" if target.is_dir() else f"is in {path.parent}, which is no folder"
        raise InvalidInputError(f"{name} {path} {what}: give the name of a file in an existing folder")


def check_writable(path: Path, name: str = "path") -> None:
    """Refuse a path that cannot be written to, by a file beside it that is gone at once: rights alone do not tell."""
    with writing(path, name):
        if is_stream(path):
            return
        check_place(path, name)
        temporary = _beside(path.resolve())
        with _opened(temporary):
            temporary.unlink()


def make_folder(path: Path, name: str = "folder") -> Path:
    """A folder that is there, made if need be."""
    with writing(path, name):
        if path.exists() and not path.is_dir():
            raise InvalidInputError(f"{name} {path} is a file: give the name of a folder, which is made if need be")
        path.mkdir(parents=True, exist_ok=True)
    return path


def _beside(target: Path, suffix: str = "") -> Path:
    """A name for this thread alone, short enough wherever that of the file is."""
    return target.parent / f".{os.getpid()}-{threading.get_ident()}-{target.name[-100:]}.part{suffix}"


def _opened(path: Path) -> BinaryIO:
    """A new file, opened by hand for the rights of any new file; tempfile's are private."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), "wb")


def write_json(path: Path, content: dict) -> None:
    """The content as one JSON file, whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as file:
        file.write(f"{text}\n".encode())


def plain(value) -> Any:
    """A value as strict JSON has it: arrays are lists, and what is no finite number is null.

    Examples
    --------
    >>> plain({"mean": np.array([0.5, np.nan]), "count": np.int64(3), "file": Path("a.npz")})
    {'mean': [0.5, None], 'count': 3, 'file': 'a.npz'}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value

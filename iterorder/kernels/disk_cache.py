"""Kernels kept on disk: the one place that touches what Numba does not promise, its cache of compiled functions.

A cache only saves time. Where there is no folder to write to, where a file is damaged or the disk is full, and where
another version of Numba keeps its cache in another way, kernels are compiled in each process, and that is said once.

Kernels that enclose a function of a user are kept by what that computes (`maps.fingerprint`), each in files of its own,
of which the latest stay; where that cannot be told, they are compiled in each process.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FunctionType

import numba

from iterorder import noise
from iterorder.forms import FINGERPRINT
from iterorder.log import say

# Numba's cache notices a change of the file that a kernel stands in, but not of the files that it calls. All kernels
# therefore carry the contents of this folder and of their own file: after an update every one is compiled anew. The
# contents and not the times, so that a cache that a workflow has kept fits a fresh installation of the same files.
_FOLDER = Path(__file__).parent
#: Kernels of users' functions that are kept in a folder, some 100 kB each, and how the names of their files begin.
MOST_OWN, OWN = 256, "own-"
# What helps where a folder cannot be written, and where a file of it is damaged.
ELSEWHERE, REPLACED = ": set NUMBA_CACHE_DIR to a folder that can be written", ", and writes them again"


@cache
def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@cache
def _stamp(source: Path) -> tuple[tuple[str, str], ...]:
    """The contents that a kernel of a file depends on."""
    files = {*_FOLDER.rglob("*.py"), Path(noise.__file__), source}
    return tuple((file.name, _digest(file)) for file in sorted(files) if file.exists())


def compiled_lazily(function, options: dict):
    """A function that Numba compiles when it is called, kept on disk where that can be."""
    try:
        enclosed = _Enclosed(function)
    except _Unknown:
        return numba.njit(**options)(function)
    if function.__closure__:  # a name of its own, as `forms.name_apart` gives
        function.__qualname__ = f"{function.__name__}{enclosed.suffix}"
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
    except (RuntimeError, OSError) as error:
        why = "no folder for them can be written" if "no locator" in str(error) else str(error)
        _warn(f"compiled kernels are not kept ({why})", ELSEWHERE)
        dispatcher = numba.njit(**options)(function)
    try:
        dispatcher._cache = _Forgiving(dispatcher._cache, function, enclosed)
    except AttributeError:  # a cache made in another way, which would also miss changes of the package
        _warn(f"compiled kernels are not kept (the cache of Numba {numba.__version__} is not known)", "")
        dispatcher = numba.njit(**options)(function)
    return dispatcher


def is_kept(dispatcher, signature: tuple) -> bool:
    """Whether a function of `compiled_lazily` is compiled for these types, here or on disk."""
    if signature in dispatcher.overloads:
        return True
    cache = dispatcher._cache
    return isinstance(cache, _Forgiving) and cache.holds(signature, dispatcher.targetctx.codegen())


class _Unknown(Exception):
    """A function of a user is enclosed, and nobody can tell whether another process will find the same."""


class _Enclosed:
    """What a function encloses, with its own code, as a digest that is the same in every process.

    `own` says whether a function of a user is among it.
    """

    def __init__(self, function) -> None:
        self.own = False
        self.digest = self._of(function)
        self.suffix = f"_{self.digest[:16]}"

    def _of(self, function) -> str:
        cells = [self._described(cell.cell_contents) for cell in function.__closure__ or ()]
        # Functions that only read other globals share their code: its own name tells them apart.
        code = function.__code__
        return hashlib.sha256(repr((code.co_qualname, code.co_code, cells)).encode()).hexdigest()

    def _described(self, value) -> str:
        """An enclosed function by its name, its file and what it encloses: the file may be one that no stamp covers."""
        if isinstance(value, tuple):
            return f"({', '.join(map(self._described, value))})"
        if isinstance(value, numba.types.Type):  # pickles of types are others in each process
            return repr(value)
        function = getattr(value, "py_func", getattr(value, "_defn", value))
        if not isinstance(function, FunctionType):
            return f"{type(value).__name__}({pickle.dumps(value)!r})"
        found = getattr(function, FINGERPRINT, None)
        if found == "":
            raise _Unknown
        if found is not None:
            self.own = True
            return found
        file = Path(function.__code__.co_filename)
        text = _digest(file) if file.exists() else ""
        return f"{function.__module__}.{function.__qualname__}:{text}({self._of(function)})"


class _Forgiving:
    """Numba's cache of one function, with the state of the folder in its stamp, and without its errors."""

    def __init__(self, kept, function, enclosed: _Enclosed) -> None:
        self._kept, self._folder, self._own = kept, kept.cache_path, enclosed.own
        self._name = function.__qualname__
        if self._folder is None:  # where nothing is kept, there is no file
            return
        # A stamp in place of Numba's own, which is a time in some versions.
        stamp, name = _stamp(Path(function.__code__.co_filename)), kept._impl.filename_base
        # One file for all that a function of the package encloses, which a change of the package empties.
        name = OWN + name if self._own else name.replace(enclosed.suffix, "")
        kept._cache_file = type(kept._cache_file)(self._folder, name, stamp)
        # And a key for Numba's, which names a compiled function that another one encloses anew in every process.
        kept._index_key = lambda signature, codegen: (signature, codegen.magic_tuple(), enclosed.digest)

    def __getattr__(self, name: str):
        return getattr(self._kept, name)

    def holds(self, signature, codegen) -> bool:
        """Whether the function is on disk for a signature."""
        try:
            return self._kept._index_key(signature, codegen) in self._kept._cache_file._load_index()
        except Exception:  # where nothing is kept there is no index, and a damaged one raises nearly anything
            return False

    def load_overload(self, signature, target_context):
        """The compiled function for a signature; None where it must be compiled."""
        found = None
        try:
            found = self._kept.load_overload(signature, target_context)
        except Exception as error:  # unpickling damaged bytes raises nearly anything
            _warn(f"compiled kernels in {self._folder} cannot be read ({_reason(error)})", REPLACED)
            self._forget()
        if found is not None and not self._is(found, signature):
            found = None
        if found is None:  # what follows takes seconds, and the user should know why
            _announce()
        elif self._own:
            with suppress(OSError):
                os.utime(self._kept._cache_file._index_path)  # the latest to be used are the last to go
        return found

    def _is(self, found, signature) -> bool:
        """Whether this is the function: two processes that write at once may give two functions one file."""
        return found.fndesc.qualname == self._name and tuple(found.signature.args) == tuple(signature)

    def save_overload(self, signature, result) -> None:
        """Keep a compiled function, if that can be."""
        try:
            self._kept.save_overload(signature, result)
        except Exception as error:  # a full disk, a folder that is gone
            _warn(f"compiled kernels cannot be kept in {self._folder} ({_reason(error)})", ELSEWHERE)
        else:
            if self._own:
                _keep_latest(Path(self._folder))

    def _forget(self) -> None:
        """Empty the index that names a damaged file: the next process finds what this one writes."""
        try:
            self._kept.flush()
        except Exception as error:
            _warn(f"compiled kernels cannot be kept in {self._folder} ({_reason(error)})", ELSEWHERE)


def _keep_latest(folder: Path) -> None:
    """Remove the kernels of users' functions that were used the longest ago, beyond `MOST_OWN`."""
    with suppress(OSError):  # another process may remove the same
        indices = sorted(folder.glob(f"{OWN}*.nbi"), key=lambda file: file.stat().st_mtime)
        for index in indices[:-MOST_OWN]:
            index.unlink(missing_ok=True)
            for data in folder.glob(f"{index.name.removesuffix('nbi')}*"):
                data.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """The same words for the same fault of any file."""
    return getattr(error, "strerror", None) or type(error).__name__


@cache
def _announce() -> None:
    """Say once that this process compiles."""
    say("iterorder: compiling for this processor (once, where the cache can be written)")


@cache
def _warn(what: str, advice: str) -> None:
    """Say once, for all functions, what keeps the cache from its work."""
    say(f"iterorder: {what}, so this process compiles them anew{advice}")

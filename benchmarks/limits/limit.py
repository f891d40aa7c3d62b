"""Speed limits of the random-map kernels: hand-written C for AVX-512 or AVX2, called from Python.

Each function runs the forward iterates of `n_replicas` independent replicas for `n_steps` steps and returns
their last states, shape (n_replicas, dim). The noise, its counter layout and the data layout are described at
the top of kernels.c; `_library` compiles it, or kernels_avx2.c where there is no AVX-512, on first use.
"""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# benchmarks/run.py takes parts of the processor away.
TARGET = ["-march=native", *os.environ.get("LIMITS_TARGET", "").split()]
FLAGS = ["-O3", *TARGET, "-fopenmp", "-shared", "-fPIC"]


@dataclass(frozen=True)
class Source:
    """A text of the kernels: the macros that gcc defines where it runs, and doubles a row for each dimension."""

    name: str
    needed: frozenset[str]
    strides: dict[int, int]
    single: bool = False  # whether it has the kernels in float32


SOURCES = (  # the first that runs here
    Source("kernels.c", frozenset({"__AVX512F__", "__AVX512DQ__"}), {10: 16, 100: 104}),
    Source("kernels_avx2.c", frozenset({"__AVX2__", "__FMA__"}), {10: 12, 100: 104}, single=True),
)

REAL, COUNT, ROWS = ctypes.c_double, ctypes.c_uint64, np.ctypeslib.ndpointer(np.float64, flags="C")
SINGLE_ROWS = np.ctypeslib.ndpointer(np.float32, flags="C")
KERNELS = {  # the arguments between (seed, n_replicas, n_steps) and (states, threads)
    "two_point": (REAL, REAL, REAL),
    "two_point_composed": (REAL, REAL, REAL),
    "table_maps": (ROWS, COUNT, REAL),
    "linear_regression_10": (ROWS, COUNT, REAL),
    "linear_regression_100": (ROWS, COUNT, REAL),
    "linear_regression_10_batch_8": (ROWS, COUNT, REAL),
    "linear_regression_100_batch_8": (ROWS, COUNT, REAL),
    "logistic_regression_10": (ROWS, COUNT, REAL, REAL),
    "logistic_regression_100": (ROWS, COUNT, REAL, REAL),
}
SINGLE_KERNELS = {
    "linear_regression_100_single": (SINGLE_ROWS, COUNT, REAL),
    "logistic_regression_100_single": (SINGLE_ROWS, COUNT, REAL, REAL),
}
STEPS_PER_BLOCK, BITS_PER_BLOCK = 4, 128  # steps that one Philox block feeds


class LimitUnavailableError(RuntimeError):
    """The C limits cannot be measured on this machine; the message says why."""


def available() -> bool:
    """Whether the C limits can be measured here: gcc with OpenMP, and a processor with AVX-512, or AVX2 and FMA."""
    try:
        _library()
    except LimitUnavailableError:
        return False
    return True


@functools.cache
def _library() -> ctypes.CDLL:
    """The compiled kernels. The file is deleted once it is loaded: the next process compiles anew, in a second."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise LimitUnavailableError("gcc is not on the PATH: install it to measure the C limits")
    source = _source(gcc)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # idle threads must not spin beside those of other variants
    with tempfile.TemporaryDirectory(prefix="iterorder-limits-") as folder:
        compiled = Path(folder) / "kernels.so"
        path = Path(__file__).with_name(source.name)
        gcc_run = subprocess.run([gcc, *FLAGS, str(path), "-o", str(compiled)], capture_output=True, text=True)
        if gcc_run.returncode != 0:
            raise LimitUnavailableError(f"gcc could not compile {source.name}:\n{gcc_run.stderr}")
        library = ctypes.CDLL(str(compiled))
    for name, arguments in (KERNELS | SINGLE_KERNELS if source.single else KERNELS).items():
        kernel = getattr(library, name)
        states = SINGLE_ROWS if name in SINGLE_KERNELS else ROWS
        kernel.argtypes = (COUNT, ctypes.c_long, ctypes.c_long, *arguments, states, ctypes.c_int)
        kernel.restype = None
    library.philox_words.argtypes = (COUNT, COUNT, ctypes.c_uint32, ctypes.c_uint32, np.ctypeslib.ndpointer(np.uint32))
    library.philox_words.restype = None
    return library


@functools.cache
def _source(gcc) -> Source:
    """The kernels for this processor."""
    macros = subprocess.run([gcc, *TARGET, "-dM", "-E", "-x", "c", os.devnull], capture_output=True, text=True)
    defined = set(macros.stdout.split())
    for source in SOURCES:
        if source.needed <= defined:
            return source
    raise LimitUnavailableError(f"gcc {' '.join(TARGET)}: the C limits need AVX-512, or AVX2 and FMA")


def source() -> Source:
    """The text that is compiled here."""
    _library()
    return _source(shutil.which("gcc"))


def _run(kernel, arguments, n_steps, n_replicas, seed, threads, dim=1, dtype=np.float64):
    steps_per_block = BITS_PER_BLOCK if kernel.startswith("two_point") else STEPS_PER_BLOCK
    if n_steps <= 0 or n_steps % steps_per_block:
        raise ValueError(f"n_steps = {n_steps}: this kernel takes positive multiples of {steps_per_block}")
    if not 0 < n_replicas < 2**32:
        raise ValueError(f"n_replicas = {n_replicas}: the counter holds 1 to 2**32 - 1 replicas")
    states = np.empty((n_replicas, dim), dtype)
    getattr(_library(), kernel)(seed, n_replicas, n_steps, *arguments, states, threads)
    return states


def _aligned(rows, stride, dtype=np.float64):
    """A copy of `rows`, each zero-padded to `stride` numbers, that starts on a 64-byte boundary."""
    n_rows, width = rows.shape
    memory = np.zeros(n_rows * stride + 64, dtype)
    start = -memory.ctypes.data % 64 // memory.itemsize
    aligned = memory[start : start + n_rows * stride].reshape(n_rows, stride)
    aligned[:, :width] = rows
    return aligned


def _regression(name, rows, dim, step_arguments, n_steps, n_replicas, seed, threads, suffix=""):
    if dim not in (10, 100):
        raise ValueError(f"features has {dim} columns: the C limits are written for 10 and 100")
    rows = _aligned(rows, source().strides[dim])
    return _run(f"{name}_{dim}{suffix}", (rows, len(rows), *step_arguments), n_steps, n_replicas, seed, threads, dim)


def philox_words(seed, block, replica, stream=0):
    """The four words of one Philox4x32-10 block, shape (4,), uint32: key = seed, counter = (block, replica, stream)."""
    words = np.empty(4, np.uint32)
    _library().philox_words(seed, block, replica, stream, words)
    return words


def two_point(step_size, x0, n_steps, n_replicas, seed, threads=2):
    """x -> (1-h) x + h B, B = 0 or 1 with probability 1/2: SGD on x^2/2 and (x-1)^2/2, one multiply-add per map.

    The kernel iterates y = x - 1/2, for which the two offsets are +h/2 and -h/2.
    """
    centred = (1 - step_size, step_size / 2, x0 - 0.5)
    return 0.5 + _run("two_point", centred, n_steps, n_replicas, seed, threads)


def two_point_composed(step_size, x0, n_steps, n_replicas, seed, threads=2):
    """The same maps in the same order as `two_point`, four composed by each table lookup.

    This needs equal slopes and never sees three of four states: it is the limit for last states only.
    """
    centred = (1 - step_size, step_size / 2, x0 - 0.5)
    return 0.5 + _run("two_point_composed", centred, n_steps, n_replicas, seed, threads)


def table_maps(slopes, offsets, x0, n_steps, n_replicas, seed, threads=2):
    """x -> slopes[i] x + offsets[i], i uniform."""
    maps = _aligned(np.stack([slopes, offsets], axis=1), 2)
    return _run("table_maps", (maps, len(maps), x0), n_steps, n_replicas, seed, threads)


def linear_regression(features, targets, step_size, n_steps, n_replicas, seed, threads=2):
    """x -> x - h a (a.x - b) from x = 0, (a, b) a uniformly drawn row; features of shape (n, 10) or (n, 100)."""
    rows = np.column_stack([features, np.negative(targets)])
    dim = np.shape(features)[1]
    return _regression("linear_regression", rows, dim, (step_size,), n_steps, n_replicas, seed, threads)


def linear_regression_batch_8(features, targets, step_size, n_steps, n_replicas, seed, threads=2):
    """The same with batches of eight distinct rows, mean gradient."""
    rows = np.column_stack([features, np.negative(targets)])
    arguments = ((step_size,), n_steps, n_replicas, seed, threads, "_batch_8")
    return _regression("linear_regression", rows, np.shape(features)[1], *arguments)


def logistic_regression(features, labels, step_size, ridge, n_steps, n_replicas, seed, threads=2):
    """x -> (1 - h ridge) x + h y a / (1 + exp(y a.x)) from x = 0, (a, y) a uniformly drawn row, y = -1 or 1."""
    if not 0.5 <= 1 - step_size * ridge <= 1:
        raise ValueError(f"step_size * ridge = {step_size * ridge}: the C limits take 0 to 0.5")
    rows = np.multiply(features, np.reshape(labels, (-1, 1)))
    return _regression(
        "logistic_regression", rows, rows.shape[1], (step_size, ridge), n_steps, n_replicas, seed, threads
    )


def linear_regression_single(features, targets, step_size, n_steps, n_replicas, seed, threads=2):
    """`linear_regression` for d = 100 in float32."""
    return _single(
        "linear_regression_100_single", features, np.negative(targets), (step_size,), n_steps, n_replicas, seed, threads
    )


def logistic_regression_single(features, labels, step_size, ridge, n_steps, n_replicas, seed, threads=2):
    """`logistic_regression` for d = 100 in float32."""
    rows = np.multiply(features, np.reshape(labels, (-1, 1)))
    return _single("logistic_regression_100_single", rows, 0, (step_size, ridge), n_steps, n_replicas, seed, threads)


def _single(kernel, rows, constants, step_arguments, n_steps, n_replicas, seed, threads):
    if np.shape(rows)[1] != 100 or not source().single:
        raise ValueError(
            f"features has {np.shape(rows)[1]} columns: the limits in float32 are written for 100, with AVX2"
        )
    rows = _aligned(np.asarray(rows), 112, np.float32)
    rows[:, 104] = constants
    return _run(kernel, (rows, len(rows), *step_arguments), n_steps, n_replicas, seed, threads, 100, np.float32)


@dataclass(frozen=True)
class Work:
    """One row of the speed table: `kernel(*maps, n_steps, n_replicas, seed, threads)`."""

    kernel: Callable
    maps: tuple
    n_steps: int
    n_replicas: int

    @property
    def map_applications(self) -> int:
        return self.n_steps * self.n_replicas

    def run(self, threads: int = 2) -> np.ndarray:
        return self.kernel(*self.maps, self.n_steps, self.n_replicas, 0, threads)


def regression_data(dim, n_rows=1000):
    """Standard normal features (n_rows, dim), targets with noise 0.1, and labels: the signs of the targets."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n_rows, dim))
    targets = features @ rng.normal(size=dim) + 0.1 * rng.normal(size=n_rows)
    return features, targets, np.sign(targets)


def standard_works() -> dict[str, Work]:
    """The works of the speed table, at sizes that take about 20 to 80 ms each on two cores."""
    rng = np.random.default_rng(0)
    table = rng.uniform(0.5, 0.95, 1000), rng.normal(size=1000)
    a10, b10, y10 = regression_data(10)
    a100, b100, y100 = regression_data(100)
    works = {
        "two-point": Work(two_point, (0.3, 0.25), 10_240, 98_304),
        "two-point, composed": Work(two_point_composed, (0.3, 0.25), 10_240, 98_304),
        "table of 1000 maps": Work(table_maps, (*table, 0.0), 4_000, 65_536),
        "linear regression d=10": Work(linear_regression, (a10, b10, 0.02), 4_000, 16_384),
        "linear regression d=100": Work(linear_regression, (a100, b100, 0.004), 4_000, 4_096),
        "linear regression d=10, batch 8": Work(linear_regression_batch_8, (a10, b10, 0.02), 600, 16_384),
        "linear regression d=100, batch 8": Work(linear_regression_batch_8, (a100, b100, 0.004), 500, 4_096),
        "logistic regression d=10": Work(logistic_regression, (a10, y10, 0.1, 0.1), 4_000, 16_384),
        "logistic regression d=100": Work(logistic_regression, (a100, y100, 0.02, 0.1), 4_000, 4_096),
    }
    if available() and source().single:
        works |= {
            "linear regression d=100, float32": Work(linear_regression_single, (a100, b100, 0.004), 4_000, 4_096),
            "logistic regression d=100, float32": Work(
                logistic_regression_single, (a100, y100, 0.02, 0.1), 4_000, 4_096
            ),
        }
    return works

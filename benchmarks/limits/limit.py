"""Speed limits of the random-map kernels: hand-written C for AVX-512 or AVX2, called from Python.

Each function runs the forward iterates of `n_replicas` independent replicas for `n_steps` steps and returns
their last states, shape (n_replicas, dim). The noise, its counter layout and the data layout are described at
the top of kernels.c; `_library` compiles it, or kernels_avx2.c where there is no AVX-512, on first use.

There are two limits. `standard_works` takes any arithmetic that is right to rounding: sums in the order that is
fastest, exp in float32, states kept scaled. `same_bits_works` computes the library's numbers to the last bit, in the
order and with the roundings that the library promises to keep: what is possible with these bits. It has the rows in
which the first one has other bits and is faster by a good deal, and chains of one replica, which latency bounds.
"""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
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
    same_bits: str  # the text of the kernels that give the library's bits
    single: bool = False  # whether it has the kernels in float32


SOURCES = (  # the first that runs here
    Source("kernels.c", frozenset({"__AVX512F__", "__AVX512DQ__"}), {10: 16, 100: 104}, "same_bits.c"),
    Source("kernels_avx2.c", frozenset({"__AVX2__", "__FMA__"}), {10: 12, 100: 104}, "same_bits_avx2.c", single=True),
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
#: A product and a sum are one rounding only where the text says so; a chain of one replica is as gcc finds it fastest.
SAME_BITS_FLAGS = {
    "same_bits.c": ["-ffp-contract=off"],
    "same_bits_avx2.c": ["-ffp-contract=off", "-fno-tree-slp-vectorize"],
}
SAME_BITS_KERNELS = {
    "linear_regression_1_one_replica": (ROWS, COUNT, REAL),
    "linear_regression_10_one_replica": (ROWS, COUNT, REAL),
    "linear_regression_100_batch_8_same_bits": (ROWS, COUNT, REAL),
}
SINGLE_SAME_BITS_KERNELS = {"logistic_regression_100_single_same_bits": (SINGLE_ROWS, COUNT, REAL, REAL)}
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
    """The compiled kernels."""
    source = _source(_gcc())
    library = _compiled(source.name, [], KERNELS, SINGLE_KERNELS if source.single else {})
    library.philox_words.argtypes = (COUNT, COUNT, ctypes.c_uint32, ctypes.c_uint32, np.ctypeslib.ndpointer(np.uint32))
    library.philox_words.restype = None
    return library


@functools.cache
def _same_bits_library() -> ctypes.CDLL:
    """Those that give the library's bits."""
    source = _source(_gcc())
    single = SINGLE_SAME_BITS_KERNELS if source.single else {}
    return _compiled(source.same_bits, SAME_BITS_FLAGS[source.same_bits], SAME_BITS_KERNELS, single)


def _gcc() -> str:
    gcc = shutil.which("gcc")
    if gcc is None:
        raise LimitUnavailableError("gcc is not on the PATH: install it to measure the C limits")
    return gcc


def _compiled(name, flags, kernels, single_kernels) -> ctypes.CDLL:
    """A text of kernels. The file is deleted once it is loaded: the next process compiles anew, in a second."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # idle threads must not spin beside those of other variants
    with tempfile.TemporaryDirectory(prefix="iterorder-limits-") as folder:
        compiled, path = Path(folder) / "kernels.so", Path(__file__).with_name(name)
        command = [_gcc(), *FLAGS, *flags, str(path), "-o", str(compiled)]
        gcc_run = subprocess.run(command, capture_output=True, text=True)
        if gcc_run.returncode != 0:
            raise LimitUnavailableError(f"gcc could not compile {name}:\n{gcc_run.stderr}")
        library = ctypes.CDLL(str(compiled))
    for kernel_name, arguments in (kernels | single_kernels).items():
        kernel = getattr(library, kernel_name)
        states = SINGLE_ROWS if kernel_name in single_kernels else ROWS
        kernel.argtypes = (COUNT, ctypes.c_long, ctypes.c_long, *arguments, states, ctypes.c_int)
        kernel.restype = None
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
    return _source(_gcc())


def _run(kernel, arguments, n_steps, n_replicas, seed, threads, dim=1, dtype=np.float64):
    same_bits = kernel in SAME_BITS_KERNELS | SINGLE_SAME_BITS_KERNELS
    steps_per_block = BITS_PER_BLOCK if kernel.startswith("two_point") else STEPS_PER_BLOCK
    if kernel.endswith("one_replica"):
        steps_per_block = 8 * STEPS_PER_BLOCK
    if n_steps <= 0 or n_steps % steps_per_block:
        raise ValueError(f"n_steps = {n_steps}: this kernel takes positive multiples of {steps_per_block}")
    if not 0 < n_replicas < 2**32:
        raise ValueError(f"n_replicas = {n_replicas}: the counter holds 1 to 2**32 - 1 replicas")
    states = np.empty((n_replicas, dim), dtype)
    library = _same_bits_library() if same_bits else _library()
    getattr(library, kernel)(seed, n_replicas, n_steps, *arguments, states, threads)
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


def linear_regression_batch_8_same_bits(features, targets, step_size, n_steps, n_replicas, seed, threads=2):
    """`linear_regression_batch_8` for d = 100, with the library's bits."""
    rows = np.column_stack([features, np.negative(targets)])
    arguments = ((step_size,), n_steps, n_replicas, seed, threads, "_batch_8_same_bits")
    return _regression("linear_regression", rows, np.shape(features)[1], *arguments)


def logistic_regression_single_same_bits(features, labels, step_size, ridge, n_steps, n_replicas, seed, threads=2):
    """`logistic_regression_single` with the library's bits."""
    rows = np.multiply(features, np.reshape(labels, (-1, 1)))
    kernel = "logistic_regression_100_single_same_bits"
    return _single(kernel, rows, 0, (step_size, ridge), n_steps, n_replicas, seed, threads)


def one_replica(features, targets, step_size, n_steps, n_replicas, seed, threads=1):
    """`linear_regression` of replica 0 alone for d = 1 or 10, with the library's bits."""
    dim = np.shape(features)[1]
    if n_replicas != 1 or dim not in (1, 10):
        raise ValueError(f"n_replicas = {n_replicas}, features of {dim} columns: this kernel takes 1, and 1 or 10")
    rows = _aligned(np.column_stack([features, np.negative(targets)]), 2 if dim == 1 else 12)
    kernel = f"linear_regression_{dim}_one_replica"
    return _run(kernel, (rows, len(rows), step_size), n_steps, 1, seed, threads, dim)


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


def same_bits_works() -> dict[str, Work]:
    """Works of `standard_works` with the library's bits, by the same names, and chains of one replica."""
    standard = standard_works()
    kernels: dict[str, Callable] = {"linear regression d=100, batch 8": linear_regression_batch_8_same_bits}
    if "logistic regression d=100, float32" in standard:
        kernels["logistic regression d=100, float32"] = logistic_regression_single_same_bits
    works = {name: replace(standard[name], kernel=kernel) for name, kernel in kernels.items()}
    for dim, n_steps in ((1, 6_400_000), (10, 3_200_000)):
        features, targets, _ = regression_data(dim)
        works[f"linear regression d={dim}, one replica"] = Work(one_replica, (features, targets, 0.02), n_steps, 1)
    return works

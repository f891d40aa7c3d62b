"""Sampling laws as the kernels read them: which function draws, from which thresholds, with which key."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from iterorder import noise
from iterorder.forms import Affine, Form
from iterorder.sampling import FreshNoise, Sampling

# Ways to draw, by the words that a step reads.
PACKED_BITS, BITS, INDEX, WEIGHTED, BATCH, CYCLIC, FISHER_YATES, FEISTEL, UNIFORMS, NORMALS, INDEX_AND_NORMALS = range(
    11
)

#: Of no thresholds: no word reaches any.
NO_GUIDE = np.array([1, 0, 0], np.uint32)


class Draws(NamedTuple):
    """The law of the draws and the key of the noise.

    Item i is drawn when a word reaches i of the `thresholds`. ``guide[0]`` is a number of bits, and ``guide[1 + j]``
    says how many thresholds are reached by every word whose leading bits are j. A step takes `batch_size` rows of the
    drawn words: items, or floats. A keyed permutation works on a rectangle of the sides `rows` and `columns`.
    """

    kind: int
    n_items: np.uint64
    batch_size: int
    thresholds: np.ndarray
    guide: np.ndarray
    rows: np.uint64
    columns: np.uint64
    key_low: np.uint64
    key_high: np.uint64


def draws_of(form: Form, law: Sampling | FreshNoise, seed: int) -> Draws:
    """The kernels' form of a sampling law."""
    thresholds = np.empty(0, np.uint64) if law.probabilities is None else noise.thresholds(law.probabilities)
    kind = _draw_kind(form, law)
    rows, columns = noise.feistel_sides(law.n_items) if kind == FEISTEL else (1, 1)
    size = law.count + (law.n_items > 0) if isinstance(law, FreshNoise) else law.batch_size
    return Draws(
        kind,
        np.uint64(law.n_items),
        size,
        thresholds,
        _guide(thresholds) if thresholds.size else NO_GUIDE,
        np.uint64(rows),
        np.uint64(columns),
        np.uint64(seed & 0xFFFFFFFF),
        np.uint64(seed >> 32),
    )


def _guide(thresholds) -> np.ndarray:
    bits = max(1, len(thresholds).bit_length())
    first_words = np.arange(2**bits, dtype=np.uint64) << np.uint64(32 - bits)
    reached = np.searchsorted(thresholds, first_words, side="right")
    return np.concatenate([[bits], reached]).astype(np.uint32)


def _draw_kind(form: Form, law: Sampling | FreshNoise) -> int:
    if isinstance(law, FreshNoise):
        ways = {"uniform": UNIFORMS, "normal": NORMALS, "index+normal": INDEX_AND_NORMALS}
        if law.noise not in ways:
            raise ValueError(f"no way to draw {law.noise!r} noise")
        return ways[law.noise]
    if law.kind == "cyclic":
        return CYCLIC
    if law.kind == "reshuffle":
        return FISHER_YATES if law.n_items <= noise.FISHER_YATES_MAX else FEISTEL
    if law.kind != "iid":
        raise ValueError(f"no way to draw by {law.kind!r} sampling")
    if law.batch_size > 1:
        return BATCH
    if law.probabilities is not None:
        return WEIGHTED
    if law.n_items != 2:
        return INDEX
    return PACKED_BITS if isinstance(form, Affine) and form.dim == 1 else BITS

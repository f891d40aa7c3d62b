"""How a step chooses its map: independently, by reshuffling the data every epoch, or in a fixed cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iterorder import noise
from iterorder.errors import InvalidInputError
from iterorder.types import ArrayLike, DrawSeed, FloatArray, IntArray
from iterorder.validation import MAX_STEPS, as_choice, as_floats, as_int, as_key, read_only

SAMPLINGS = ("iid", "reshuffle", "cyclic")
NOISES = ("uniform", "normal", "index+normal")
MAX_ITEMS = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Sampling:
    """The law of the draws: which items (maps or data points) each step uses.

    Attributes
    ----------
    n_items : int
        How many items there are to draw from.
    batch_size : int
        Items of one step, all distinct.
    kind : {"iid", "reshuffle", "cyclic"}
        How batches follow each other: independently, by a fresh permutation each epoch, or in a fixed cycle.
    probabilities : ndarray, shape (n_items,), or None
        None where all items are equally likely.
    """

    n_items: int
    batch_size: int = 1
    kind: str = "iid"
    probabilities: FloatArray | None = None

    def __post_init__(self) -> None:
        as_choice("sampling", self.kind, SAMPLINGS)  # theory asks for the kinds that it treats alone

    @classmethod
    def validated(
        cls, n_items: int, *, batch_size: int = 1, kind: str = "iid", probabilities: ArrayLike | None = None
    ) -> Sampling:
        """Check the arguments as a user gave them."""
        as_choice("sampling", kind, SAMPLINGS)
        if n_items > MAX_ITEMS:
            raise InvalidInputError(f"{n_items} maps: at most {MAX_ITEMS} can be indexed")
        batch_size = as_int("batch_size", batch_size, low=1, high=n_items)
        noise.check_words_per_step("batch_size", batch_size)
        if probabilities is not None:
            probabilities = _as_probabilities(probabilities, n_items)
            if kind != "iid":
                raise InvalidInputError(f"probabilities with sampling={kind!r}: only 'iid' draws with probabilities")
        return cls(n_items, batch_size, kind, probabilities)

    @property
    def batches_per_epoch(self) -> int:
        """Steps of one epoch; an incomplete last batch is dropped."""
        return self.n_items // self.batch_size

    @property
    def weights(self) -> FloatArray:
        """Probability that a given slot of a step holds each item, shape (n_items,).

        For the cyclic order: the frequency over an epoch, zero for the items of a dropped batch.
        """
        if self.probabilities is not None:
            return self.probabilities
        if self.kind == "cyclic":
            used = self.batches_per_epoch * self.batch_size
            return np.where(np.arange(self.n_items) < used, 1.0 / used, 0.0)
        return np.full(self.n_items, 1.0 / self.n_items)

    def draw(self, seed: DrawSeed, replica: int, step: int) -> int | IntArray:
        """The item of one step (an int), or its items (int64, shape (batch_size,)); steps count from 0."""
        seed = as_key(seed)
        replica = as_int("replica", replica, low=0, high=noise.MAX_REPLICAS - 1)
        step = as_int("step", step, low=0, high=MAX_STEPS)
        items = self._items(seed, replica, step)
        return int(items[0]) if self.batch_size == 1 else items

    def _items(self, seed: int, replica: int, step: int) -> np.ndarray:
        size = self.batch_size
        if self.kind == "iid":
            if size == 1:
                return np.atleast_1d(noise.indices(seed, replica, step, self.n_items, self.probabilities))
            return noise.batch(seed, replica, step, self.n_items, size)
        epoch, position = divmod(step, self.batches_per_epoch)
        slots = np.arange(position * size, (position + 1) * size)
        if self.kind == "cyclic":
            return slots
        if self.kind != "reshuffle":
            raise ValueError(f"no way to draw by {self.kind!r} sampling")
        if self.n_items > noise.FISHER_YATES_MAX:
            return noise.feistel(slots, seed, replica, epoch, self.n_items)
        return noise.permutation(seed, replica, epoch, self.n_items)[slots]


@dataclass(frozen=True, eq=False)
class FreshNoise:
    """Fresh floats in every step: uniforms, normals, or normals behind an index.

    Attributes
    ----------
    noise : {"uniform", "normal", "index+normal"}
        The law of the floats.
    count : int
        Floats of one step.
    n_items : int
        Maps that the index chooses from; zero without one.
    """

    noise: str
    count: int
    n_items: int = 0
    kind: str = "iid"
    batch_size: int = 1
    probabilities: None = None
    batches_per_epoch: int = 1

    def __post_init__(self) -> None:
        as_choice("noise", self.noise, NOISES)

    @classmethod
    def validated(cls, noise_kind: str, count: int, n_items: int | None) -> FreshNoise:
        """Check the arguments as a user gave them."""
        count = as_int("noise_dim", count, low=1, high=noise.MAX_WORDS_PER_STEP // 2 - 1)
        return cls(noise_kind, count, 0 if n_items is None else as_int("n_maps", n_items, low=1, high=MAX_ITEMS))

    def draw(self, seed: DrawSeed, replica: int, step: int) -> FloatArray:
        """The floats of one step, behind the index where there is one, shape (count,) or (1 + count,)."""
        seed = as_key(seed)
        replica = as_int("replica", replica, low=0, high=noise.MAX_REPLICAS - 1)
        step = as_int("step", step, low=0, high=MAX_STEPS)
        return self.draws(seed, replica, step)

    def draws(self, seed: int, replica: int | IntArray, step: int | IntArray) -> FloatArray:
        """The same for arrays of replicas and steps, shape (..., count) or (..., 1 + count)."""
        if self.noise == "uniform":
            return noise.uniforms(seed, replica, step, self.count)
        if self.noise == "normal":
            return noise.normals(seed, replica, step, self.count)
        if self.noise != "index+normal":
            raise ValueError(f"no way to draw {self.noise!r} noise")
        index = noise.indices(seed, replica, step, self.n_items)[..., None]
        return np.concatenate([index, noise.normals_beside_index(seed, replica, step, self.count)], axis=-1)


def _as_probabilities(probabilities: ArrayLike, n_items: int) -> FloatArray | None:
    array = as_floats("probabilities", probabilities, ndim=(1,))
    if array.shape != (n_items,):
        raise InvalidInputError(f"probabilities has shape {array.shape}: give one for each of the {n_items} maps")
    if (array < 0).any():
        worst = int(array.argmin())
        raise InvalidInputError(f"probabilities[{worst}] is {array[worst]}: every probability must be at least 0")
    total = float(array.sum())
    # n roundings of terms that add up to one, each below one ulp of one; ten digits admit hand-typed thirds.
    if abs(total - 1.0) > 1e-9:
        raise InvalidInputError(f"probabilities sum to {total!r}: they must sum to 1 (divide by the sum)")
    # Equal probabilities meet the same indices as no probabilities.
    return None if (array == array[0]).all() else read_only(array / total)

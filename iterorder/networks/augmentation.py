"""Random crops and flips of the images of a batch, as a function of (seed, sequence, step, slot)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from iterorder import noise
from iterorder.errors import InvalidInputError
from iterorder.networks.step_noise import StepNoise
from iterorder.shown import a_kind
from iterorder.types import IntArray
from iterorder.validation import as_int

#: Channels of grey and of coloured images, and the most of any usual image: where the first axis of an image is larger
#: and the last is one of these, channels come last.
COLOURS, MOST_CHANNELS = (1, 3), 4
_HALF, _LAST_BIT = np.uint64(32), np.uint64(31)


@dataclass(frozen=True)
class Augmentation:
    """Each image of a batch is padded, cropped to its size at a random place, and flipped left to right half the time.

    As ``RandomCrop(size, padding)`` followed by ``RandomHorizontalFlip()``, with draws that belong to the step: both
    orders meet the same images at the same step.

    Parameters
    ----------
    padding : int ≥ 0
        Zeros on each side; of standardised images, zero is the mean of the training set.
    flip : bool
        Whether images are flipped at all.

    Raises
    ------
    InvalidInputError
        If padding is not such a number.

    Examples
    --------
    >>> Augmentation(padding=1, flip=False).sources(StepNoise(1, 0, 0), 2, 2, 2).tolist()
    [[4, 4, 0, 1], [4, 0, 4, 2]]
    """

    padding: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        as_int("padding", self.padding, low=0, high=2**15)
        if not isinstance(self.flip, bool):
            raise InvalidInputError(f"flip is {self.flip!r}: give True or False")

    def image_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Channels, height and width of features (n, H, W) or (n, C, H, W), whose images can be moved so."""
        if len(shape) not in (3, 4):
            raise InvalidInputError(
                f"augment moves images, and features has shape {shape}: give (n, C, H, W) or (n, H, W)"
            )
        channels, height, width = (1, *shape[1:]) if len(shape) == 3 else shape[1:]
        if width in COLOURS and channels > MOST_CHANNELS:
            raise InvalidInputError(
                f"features has shape {shape}, which looks like (n, H, W, C), and images are (n, C, H, W): give "
                "np.moveaxis(features, -1, 1)"
            )
        if self.padding > min(height, width):
            raise InvalidInputError(
                f"padding is {self.padding}, and images have {height} × {width} pixels: give at most "
                f"{min(height, width)}, as a crop beyond would hold zeros alone"
            )
        return channels, height, width

    def sources(self, step_noise: StepNoise, n_slots: int, height: int, width: int) -> IntArray:
        """The number of the pixel that each pixel is taken from, height·width where that is outside of the image.

        Returns
        -------
        ndarray of int64, shape (n_slots, height·width) or (R, n_slots, height·width)
            Of a shift s below 2·padding + 1, the high half of word·(2·padding + 1), pixel (y, x) of the crop is pixel
            (y + s_rows − padding, x + s_columns − padding) of the image; the flip comes after.
        """
        words = step_noise.words(noise.AUGMENT, 4 * n_slots)
        words = words.reshape(*words.shape[:-1], n_slots, 4)
        places = np.uint64(2 * self.padding + 1)
        shifts = ((words[..., :2] * places) >> _HALF).astype(np.int64) - self.padding
        x = np.broadcast_to(np.arange(width), (*words.shape[:-1], width))
        if self.flip:
            x = np.where((words[..., 2] >> _LAST_BIT).astype(bool)[..., None], x[..., ::-1], x)
        rows, columns = np.arange(height) + shifts[..., :1], x + shifts[..., 1:]
        inside = ((rows >= 0) & (rows < height))[..., None] & ((columns >= 0) & (columns < width))[..., None, :]
        found = np.where(inside, rows[..., None] * width + columns[..., None, :], height * width)
        return found.reshape(*words.shape[:-1], height * width)

    def moved(self, images: Any, step_noise: StepNoise, xp: Any = np) -> Any:
        """Images (..., B, C, H, W) of one step, moved; `xp` is NumPy or CuPy."""
        *_, slots, _, height, width = images.shape
        sources = xp.asarray(self.sources(step_noise, slots, height, width))[..., None, :]
        flat = images.reshape(*images.shape[:-2], height * width)
        flat = xp.concatenate([flat, xp.zeros((*flat.shape[:-1], 1), flat.dtype)], axis=-1)
        sources = xp.broadcast_to(sources, (*flat.shape[:-1], height * width))
        return xp.take_along_axis(flat, sources, axis=-1).reshape(images.shape)


def as_augmentation(value: Any) -> Augmentation | None:
    """An `Augmentation`, or its arguments as a dict."""
    if value is None or isinstance(value, Augmentation):
        return value
    if not isinstance(value, Mapping) or set(value) - {"padding", "flip"}:
        shown = repr(value) if isinstance(value, Mapping) else a_kind(value)
        raise InvalidInputError(f"augment is {shown}: give Augmentation(padding=4, flip=True), or None")
    return Augmentation(**value)

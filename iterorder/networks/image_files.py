"""Readers of image sets: IDX files of the MNIST family, and the binary version of CIFAR. Nothing is unpickled."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np

from iterorder.errors import InvalidInputError

GZIP = b"\x1f\x8b"
#: IDX's codes of types.
IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
#: Bytes of an image of CIFAR: red, green and blue planes of 32 × 32.
CIFAR_PIXELS = 3 * 32 * 32


def read_idx(path: Path, sha256: str = "") -> np.ndarray:
    """The array of an IDX file, packed by gzip or not; its content may have to have a checksum, or to begin with it."""
    content = _unpacked(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES:
        raise InvalidInputError(
            f"{path} is no IDX file, it begins with {content[:4].hex() or 'nothing'}: " + _again(path)
        )
    axes = content[3]
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", min(axes, (len(content) - 4) // 4), 4))
    kind = np.dtype(IDX_TYPES[content[2]])
    wanted = 4 + 4 * axes + math.prod(shape) * kind.itemsize
    if len(shape) < axes or len(content) != wanted:
        raise InvalidInputError(
            f"{path} holds {len(content):,} bytes and its header asks for {wanted:,}: it is cut, {_again(path)}"
        )
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(sha256):
        raise InvalidInputError(
            f"{path} has other content (SHA-256 {found[:12]}…, not {sha256[:12]}…): is it another data set? "
            + _again(path)
        )
    return np.frombuffer(content, kind, offset=4 + 4 * axes).reshape(shape)


def read_cifar(path: Path, label_bytes: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 3, 32, 32) of bytes and labels of a file of the binary version; the last label of each counts."""
    size = label_bytes + CIFAR_PIXELS
    content = np.frombuffer(path.read_bytes(), np.uint8)
    if content.size == 0 or content.size % size:
        raise InvalidInputError(
            f"{path} holds {content.size:,} bytes, not a multiple of {size}: it is cut or not of the binary version, "
            + _again(path)
        )
    rows = content.reshape(-1, size)
    labels = rows[:, label_bytes - 1].astype(np.int64)
    if (worst := int(labels.max())) >= n_classes:
        raise InvalidInputError(
            f"{path} has a label {worst} of {n_classes} classes: is it another data set? {_again(path)}"
        )
    return rows[:, label_bytes:].reshape(-1, 3, 32, 32), labels


def check_classes(labels: np.ndarray, n_classes: int, each: int, files: str) -> None:
    """A whole set of the CIFAR family has as many images of each class."""
    counts = np.bincount(labels, minlength=n_classes)
    if (counts != each).any():
        worst = int(np.abs(counts - each).argmax())
        raise InvalidInputError(
            f"{files} hold {counts[worst]:,} images of class {worst} and {len(labels):,} in all, not {each:,} of each "
            f"of {n_classes} classes: are they a part, or another data set? Put the originals there, or for a trial on "
            "a part of CIFAR-10 give whole=False (--partial)"
        )


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if content[:2] != GZIP:
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise InvalidInputError(f"{path} is cut or damaged ({error}): {_again(path)}") from error


def _again(path: Path) -> str:
    return f"remove {path.name} and put the original there"

"""Image sets for networks: digits that ship with scikit-learn, Fashion-MNIST and CIFAR from a folder or a download."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iterorder import noise
from iterorder.errors import BackendUnavailableError, InvalidInputError
from iterorder.networks.image_files import check_classes, read_cifar, read_idx
from iterorder.types import IntArray, PathLike
from iterorder.validation import as_int

#: Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
#: The four files of Fashion-MNIST and how the SHA-256 of their unpacked content begins.
FASHION = {
    "train-images-idx3-ubyte": "c59f468a2f67",
    "train-labels-idx1-ubyte": "bad3541b69d9",
    "t10k-images-idx3-ubyte": "5b4141f0afba",
    "t10k-labels-idx1-ubyte": "0402a96d92fd",
}
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"


class _Cifar(NamedTuple):
    """A set of the CIFAR family, and the MD5 that its authors give of the archive."""

    folder: str
    archive: str
    md5: str
    train: tuple[str, ...]
    test: str
    label_bytes: int
    n_classes: int
    #: Images of each class that are trained on, and that are tested.
    train_each: int
    test_each: int


CIFAR = {
    "cifar10": _Cifar(
        "cifar-10-batches-bin",
        "cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530",
        tuple(f"data_batch_{k}.bin" for k in range(1, 6)),
        "test_batch.bin",
        1,
        10,
        5000,
        1000,
    ),
    "cifar100": _Cifar(
        "cifar-100-binary",
        "cifar-100-binary.tar.gz",
        "03b5dce01913d631647c71ecec9e9cb8",
        ("train.bin",),
        "test.bin",
        2,
        100,
        500,
        100,
    ),
}
CIFAR_URL = "https://www.cs.toronto.edu/~kriz/"
#: Images of the digits that are kept for testing.
DIGITS_TEST = 360


class ImageData(NamedTuple):
    """A training and a test set.

    Attributes
    ----------
    features : ndarray of float32, shape (n, d) or (n, 3, 32, 32)
        The images of the training set, one a row or with their axes (channel, height, width).
    labels : ndarray of int64, shape (n,)
        The class of each, from 0.
    test_features, test_labels
        The same of the test set.
    """

    features: NDArray[np.float32]
    labels: IntArray
    test_features: NDArray[np.float32]
    test_labels: IntArray

    @property
    def test(self) -> tuple[NDArray[np.float32], IntArray]:
        """As models take it."""
        return self.test_features, self.test_labels

    def few_tests(self, count: int) -> ImageData:
        """With the first `count` of the test set, which are observed in as much less time."""
        count = as_int("count", count, low=1, high=len(self.test_labels))
        return self._replace(test_features=self.test_features[:count], test_labels=self.test_labels[:count])


def digits() -> ImageData:
    """1797 handwritten digits of 8 × 8 pixels from scikit-learn's files, in [0, 1]; 360 of them for testing.

    Raises
    ------
    BackendUnavailableError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        reason = "scikit-learn is not installed: pip install iterorder[data]"
        raise BackendUnavailableError(f"digits: {reason}") from error
    features, labels = load_digits(return_X_y=True)
    order = noise.permutation(0, 0, 0, len(labels))
    features, labels = (features[order] / 16.0).astype(np.float32), labels[order].astype(np.int64)
    return ImageData(features[:-DIGITS_TEST], labels[:-DIGITS_TEST], features[-DIGITS_TEST:], labels[-DIGITS_TEST:])


def fashion_mnist(folder: PathLike | None = None, *, download: bool = True) -> ImageData:
    """Fashion-MNIST, 60,000 + 10,000 images of 28 × 28 pixels in ten classes [1]_, in [0, 1] as rows of 784.

    Parameters
    ----------
    folder : path-like, optional
        Where the four files are, packed by gzip or not. By default the folder of Debian's package
        dataset-fashion-mnist, then the cache.
    download : bool
        Fetch what is nowhere, with pooch, into the cache.

    Raises
    ------
    InvalidInputError
        If the files are nowhere, cut, or of another content; the message says what to put where.
    BackendUnavailableError
        If pooch is needed and not installed.

    References
    ----------
    .. [1] Xiao, Rasul, Vollgraf (2017), Fashion-MNIST, arXiv:1708.07747.
    """
    found = _fashion_files(folder, download)
    arrays = [read_idx(path, digest) for path, digest in zip(found, FASHION.values(), strict=True)]
    images = [(array.reshape(len(array), -1) / np.float32(255)).astype(np.float32) for array in arrays[::2]]
    return ImageData(images[0], arrays[1].astype(np.int64), images[1], arrays[3].astype(np.int64))


def cifar10(folder: PathLike | None = None, *, download: bool = True, whole: bool = True) -> ImageData:
    """CIFAR-10 in its binary version, 50,000 + 10,000 images of 3 × 32 × 32 pixels [1]_, standardised by channel.

    Parameters
    ----------
    folder : path-like, optional
        Where ``data_batch_1.bin`` … ``data_batch_5.bin`` and ``test_batch.bin`` are, or a folder
        ``cifar-10-batches-bin`` with them; by default the cache.
    download : bool
        Fetch the archive with pooch where it is nowhere.
    whole : bool
        False: take the training batches that are there, for trials on a part, and check no numbers of images.

    Raises
    ------
    InvalidInputError
        If files are missing, cut, or of another layout, or classes have other numbers of images than those of the
        whole set; the message says what to put where.

    Notes
    -----
    The archive that is downloaded is checked by the MD5 that its authors give. Of unpacked files no checksums are
    known here: sizes, labels, and the number of images of each class are checked, which tells another or a partial set
    and no altered pixels.

    References
    ----------
    .. [1] Krizhevsky (2009), Learning multiple layers of features from tiny images.
    """
    return _cifar("cifar10", folder, download, whole)


def cifar100(folder: PathLike | None = None, *, download: bool = True) -> ImageData:
    """CIFAR-100 in its binary version, with the 100 fine labels, standardised by channel; as `cifar10`."""
    return _cifar("cifar100", folder, download, True)


def cache_folder() -> Path:
    """Where downloads are kept: ``iterorder`` in $XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iterorder"


def _fashion_files(folder: PathLike | None, download: bool) -> list[Path]:
    cache = cache_folder() / "fashion-mnist"
    places = [Path(folder)] if folder is not None else [DEBIAN, cache]
    for place in places:
        files = [_packed_or_not(place / name) for name in FASHION]
        if all(files):
            return [file for file in files if file is not None]
        if folder is not None:
            raise InvalidInputError(
                f"folder {place} lacks {_missing(place, files)}: put the four files of Fashion-MNIST there, packed by "
                "gzip or not, or install Debian's dataset-fashion-mnist and give no folder"
            )
    if not download:
        raise InvalidInputError(
            f"Fashion-MNIST is neither in {DEBIAN} nor in {cache}: install Debian's dataset-fashion-mnist, put "
            f"{', '.join(f'{name}.gz' for name in FASHION)} into a folder and give it, or allow the download"
        )
    # What comes is checked by the content of the unpacked files, when they are read.
    return [_fetched(f"{FASHION_URL}{name}.gz", None, cache) for name in FASHION]


def _packed_or_not(path: Path) -> Path | None:
    return next((file for file in (path, path.with_name(f"{path.name}.gz")) if file.is_file()), None)


def _missing(place: Path, files: list[Path | None]) -> str:
    if not place.is_dir():
        return "everything, as it is no folder"
    return next(f"{name}.gz" for name, file in zip(FASHION, files, strict=True) if file is None)


def _cifar(name: str, folder: PathLike | None, download: bool, whole: bool) -> ImageData:
    kind = CIFAR[name]
    place = _cifar_folder(kind, folder, download)
    names = [file for file in kind.train if whole or (place / file).is_file()] or list(kind.train)
    for file in (*names, kind.test):
        if not (place / file).is_file():
            raise InvalidInputError(
                f"folder {place} lacks {file}: put the files of {kind.archive} there, "
                f"{', '.join(kind.train)} and {kind.test}"
                + ("; for a trial on a part give whole=False (--partial)" if len(kind.train) > 1 else "")
            )
    parts = [read_cifar(place / file, kind.label_bytes, kind.n_classes) for file in names]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    test_images, test_labels = read_cifar(place / kind.test, kind.label_bytes, kind.n_classes)
    if whole:
        check_classes(labels, kind.n_classes, kind.train_each, ", ".join(kind.train))
        check_classes(test_labels, kind.n_classes, kind.test_each, kind.test)
    counts = np.stack([np.bincount(images[:, channel].ravel(), minlength=256) for channel in range(3)])
    values = np.arange(256) / 255.0
    mean = counts @ values / counts.sum(axis=1)
    deviation = np.sqrt(counts @ values**2 / counts.sum(axis=1) - mean**2)
    tables = ((values - mean[:, None]) / deviation[:, None]).astype(np.float32)
    return ImageData(_looked_up(images, tables), labels, _looked_up(test_images, tables), test_labels)


def _looked_up(images: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Each channel through its table of 256 values."""
    result = np.empty(images.shape, np.float32)
    for channel, table in enumerate(tables):
        result[:, channel] = table[images[:, channel]]
    return result


def _cifar_folder(kind: _Cifar, folder: PathLike | None, download: bool) -> Path:
    root = cache_folder() if folder is None else Path(folder)
    for place in (root, root / kind.folder):
        if (place / kind.test).is_file():
            return place
    if folder is not None or not download:
        raise InvalidInputError(
            f"folder {root} has neither {kind.test} nor {kind.folder}/{kind.test}: put the files of {kind.archive} "
            "there" + ("" if folder is not None else ", give their folder, or allow the download")
        )
    archive = _fetched(f"{CIFAR_URL}{kind.archive}", f"md5:{kind.md5}", root)
    wanted = {f"{kind.folder}/{file}" for file in (*kind.train, kind.test)}
    with tarfile.open(archive) as content:
        content.extractall(root, [item for item in content if item.name in wanted], filter="data")
    return root / kind.folder


def _fetched(url: str, known_hash: str | None, folder: Path) -> Path:
    try:
        import pooch
    except ImportError as error:
        reason = "pooch is not installed: pip install iterorder[data]"
        name = url.rpartition("/")[2]
        raise BackendUnavailableError(f"{name}: {reason}, or put the file into {folder}") from error
    try:
        return Path(pooch.retrieve(url, known_hash, fname=url.rpartition("/")[2], path=folder))
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{url} could not be fetched ({error}): put the file into {folder}") from error

"""Image sets: readers on files that the tests write, and what is told of those that are missing, cut or foreign."""

from __future__ import annotations

import gzip
import hashlib
import sys

import numpy as np
import pytest

import iterorder as ito
from iterorder.networks import data
from iterorder.networks.image_files import CIFAR_PIXELS, read_cifar, read_idx

RNG = np.random.default_rng(1)


def idx(array: np.ndarray) -> bytes:
    code = {"|u1": 0x08, ">i2": 0x0B, ">f4": 0x0D}[array.dtype.str]
    return bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def fashion(tmp_path, monkeypatch):
    """A folder with a small set of the same layout, whose checksums are the known ones."""
    arrays = {
        "train-images-idx3-ubyte": RNG.integers(0, 256, (7, 28, 28)).astype(np.uint8),
        "train-labels-idx1-ubyte": RNG.integers(0, 10, 7).astype(np.uint8),
        "t10k-images-idx3-ubyte": RNG.integers(0, 256, (4, 28, 28)).astype(np.uint8),
        "t10k-labels-idx1-ubyte": RNG.integers(0, 10, 4).astype(np.uint8),
    }
    digests = {}
    for k, (name, array) in enumerate(arrays.items()):
        content = idx(array)
        digests[name] = hashlib.sha256(content).hexdigest()[:12]
        packed = k % 2 == 0
        (tmp_path / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)
    monkeypatch.setattr(data, "FASHION", digests)
    return tmp_path, arrays


def cifar(path, count, label_bytes=1, classes=10, first=0):
    """A file of images whose labels count up from `first`."""
    rows = RNG.integers(0, 256, (count, label_bytes + CIFAR_PIXELS)).astype(np.uint8)
    rows[:, label_bytes - 1] = (first + np.arange(count)) % classes
    path.write_bytes(rows.tobytes())
    return rows


@pytest.mark.parametrize("kind", ["u1", ">i2", ">f4"])
def test_idx_files_are_read(kind, tmp_path):
    array = RNG.integers(0, 100, (3, 4, 5)).astype(kind)
    (tmp_path / "a").write_bytes(idx(array))
    (tmp_path / "b.gz").write_bytes(gzip.compress(idx(array)))
    for name in "a", "b.gz":
        np.testing.assert_array_equal(read_idx(tmp_path / name), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no IDX file"),
        (b"\x89PNG....", "no IDX file, it begins with 89504e47"),
        (idx(np.zeros((3, 4), np.uint8))[:-1], "holds 23 bytes and its header asks for 24"),
        (idx(np.zeros((3, 4), np.uint8)) + b"x", "holds 25 bytes"),
        (bytes([0, 0, 8, 3, 0, 0, 0, 1]), "it is cut"),
        (gzip.compress(idx(np.zeros(4, np.uint8)))[:-9], "cut or damaged"),
        (idx(np.ones(4, np.uint8)), "another data set"),
    ],
    ids=["empty", "png", "short", "long", "no header", "packed and cut", "foreign"],
)
def test_bad_idx_files_are_told(content, message, tmp_path):
    (tmp_path / "a").write_bytes(content)
    expected = hashlib.sha256(idx(np.zeros(4, np.uint8))).hexdigest()[:12]
    with pytest.raises(ito.InvalidInputError, match=message):
        read_idx(tmp_path / "a", expected)


def test_fashion_mnist_is_read_from_a_folder(fashion, monkeypatch):
    folder, arrays = fashion
    found = data.fashion_mnist(folder)
    assert found.features.shape == (7, 784)
    assert found.features.dtype == np.float32
    np.testing.assert_array_equal(found.features, arrays["train-images-idx3-ubyte"].reshape(7, 784) / np.float32(255))
    np.testing.assert_array_equal(found.labels, arrays["train-labels-idx1-ubyte"])
    assert found.test[0].shape == (4, 784)
    assert found.few_tests(2).test_features.shape == (2, 784)
    monkeypatch.setattr(data, "DEBIAN", folder)
    np.testing.assert_array_equal(data.fashion_mnist().features, found.features)


def test_fashion_mnist_that_is_nowhere_says_what_to_put_where(fashion, tmp_path, monkeypatch):
    folder, _ = fashion
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ito.InvalidInputError, match=r"lacks t10k-labels-idx1-ubyte.gz: put the four files"):
        data.fashion_mnist(folder)
    with pytest.raises(ito.InvalidInputError, match="as it is no folder"):
        data.fashion_mnist(folder / "none")
    monkeypatch.setattr(data, "DEBIAN", folder / "none")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    with pytest.raises(ito.InvalidInputError, match="install Debian's dataset-fashion-mnist"):
        data.fashion_mnist(download=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ito.BackendUnavailableError, match="pooch is not installed"):
        data.fashion_mnist()


def test_a_download_goes_into_the_cache_and_is_checked(fashion, monkeypatch):
    """By a pooch that copies; a wrong file is seen by its content."""
    folder, _ = fashion
    monkeypatch.setattr(data, "DEBIAN", folder / "none")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))

    class Pooch:
        @staticmethod
        def retrieve(url, known_hash, fname, path):
            path.mkdir(parents=True, exist_ok=True)
            source = data._packed_or_not(folder / fname.removesuffix(".gz"))
            content = source.read_bytes()
            (path / fname).write_bytes(content if source.suffix == ".gz" else gzip.compress(content))
            return str(path / fname)

    monkeypatch.setitem(sys.modules, "pooch", Pooch)
    assert data.fashion_mnist().features.shape == (7, 784)
    assert data.fashion_mnist(download=False).features.shape == (7, 784)
    (folder / "cache" / "iterorder" / "fashion-mnist" / "train-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(idx(np.zeros(7, np.uint8)))
    )
    with pytest.raises(ito.InvalidInputError, match="another data set"):
        data.fashion_mnist(download=False)


@pytest.fixture
def few_images(monkeypatch):
    """As if the whole sets had so few: three and one of each class of CIFAR-10, two and one of four of CIFAR-100."""
    monkeypatch.setitem(data.CIFAR, "cifar10", data.CIFAR["cifar10"]._replace(train_each=3, test_each=1))
    few = data.CIFAR["cifar100"]._replace(n_classes=4, train_each=2, test_each=1)
    monkeypatch.setitem(data.CIFAR, "cifar100", few)


def test_cifar_is_read_and_standardised(tmp_path, few_images):
    rows = [cifar(tmp_path / f"data_batch_{k}.bin", 6, first=6 * k) for k in range(1, 6)]
    test = cifar(tmp_path / "test_batch.bin", 10)
    found = data.cifar10(tmp_path)
    assert found.features.shape == (30, 3, 32, 32)
    np.testing.assert_array_equal(found.labels, np.concatenate(rows)[:, 0])
    np.testing.assert_array_equal(found.test_labels, test[:, 0])
    pixels = np.concatenate(rows)[:, 1:].reshape(-1, 3, 1024) / 255.0
    mean, deviation = pixels.mean(axis=(0, 2)), pixels.std(axis=(0, 2))
    expected = ((pixels - mean[:, None]) / deviation[:, None]).reshape(-1, 3, 32, 32)
    np.testing.assert_allclose(found.features, expected, atol=2.0**-20)  # of float32 below 4


def test_a_part_of_cifar_is_read_where_that_is_wished(tmp_path):
    cifar(tmp_path / "data_batch_1.bin", 6)
    cifar(tmp_path / "test_batch.bin", 4)
    assert data.cifar10(tmp_path, whole=False).features.shape == (6, 3, 32, 32)
    with pytest.raises(ito.InvalidInputError, match=r"lacks data_batch_2.bin.*for a trial on a part give whole=False"):
        data.cifar10(tmp_path)


def test_a_whole_set_has_as_many_images_of_each_class(tmp_path, few_images):
    for k in range(1, 6):
        cifar(tmp_path / f"data_batch_{k}.bin", 6, first=6 * k)
    cifar(tmp_path / "test_batch.bin", 9)
    with pytest.raises(ito.InvalidInputError, match=r"test_batch.bin hold 0 images of class 9 and 9 in all, not 1 of"):
        data.cifar10(tmp_path)
    cifar(tmp_path / "test_batch.bin", 10)
    cifar(tmp_path / "data_batch_3.bin", 6, first=0)
    with pytest.raises(ito.InvalidInputError, match=r"5.bin hold \d images of class \d and 30 in all, not 3"):
        data.cifar10(tmp_path)
    assert len(data.cifar10(tmp_path, whole=False).labels) == 30


def test_the_numbers_of_the_whole_sets():
    """60,000 images each, as their authors describe them."""
    for kind in data.CIFAR.values():
        assert kind.n_classes * kind.train_each == 50_000
        assert kind.n_classes * kind.test_each == 10_000


def test_cifar100_has_fine_labels(tmp_path, few_images):
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    rows = cifar(folder / "train.bin", 8, 2, 4)
    cifar(folder / "test.bin", 4, 2, 4)
    np.testing.assert_array_equal(data.cifar100(tmp_path).labels, rows[:, 1])


def test_bad_cifar_files_are_told(tmp_path):
    path = tmp_path / "data_batch_1.bin"
    rows = cifar(path, 2)
    path.write_bytes(rows.tobytes()[:-5])
    with pytest.raises(ito.InvalidInputError, match="not a multiple of 3073"):
        read_cifar(path, 1, 10)
    rows[0, 0] = 77
    path.write_bytes(rows.tobytes())
    with pytest.raises(ito.InvalidInputError, match="a label 77 of 10 classes"):
        read_cifar(path, 1, 10)
    with pytest.raises(ito.InvalidInputError, match=r"put the files of cifar-10-binary.tar.gz there"):
        data.cifar10(tmp_path / "none")


def test_digits_are_split_by_the_packages_noise():
    found = data.digits()
    assert found.features.shape == (1437, 64)
    assert found.test_features.shape == (360, 64)
    assert 0.0 == found.features.min() < found.features.max() == 1.0
    assert set(found.labels.tolist()) == set(found.test_labels.tolist()) == set(range(10))
    assert (data.digits().labels == found.labels).all()

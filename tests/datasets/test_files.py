from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from polygeom.datasets import cifar10, mnist
from polygeom.errors import PolygeomError

MNIST_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()


def write_mnist(
    folder: Path, images: np.ndarray, labels: np.ndarray, split: str = "train", packed: bool = True
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(MNIST_FILES[split], (images, labels), strict=True):
        content = idx(array)
        (folder / f"{name}.gz").write_bytes(gzip.compress(content)) if packed else (folder / name).write_bytes(content)


def write_cifar(folder: Path, images: np.ndarray, labels: np.ndarray, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(np.hstack([labels[:, None], images.reshape(len(images), -1)]).tobytes())


@pytest.fixture
def digits_written(rng) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 256, (30, 28, 28), dtype=np.uint8), np.arange(30, dtype=np.uint8) % 10


@pytest.fixture
def photos(rng) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 256, (12, 3, 32, 32), dtype=np.uint8), np.arange(12, dtype=np.uint8) % 10


@pytest.mark.parametrize("place", ["", "raw", "MNIST/raw", "mnist"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("split", ["train", "test"])
def test_mnist_is_read_from_its_usual_places(tmp_path: Path, digits_written, place, packed, split) -> None:
    images, labels = digits_written
    write_mnist(tmp_path / place, images, labels, split, packed)
    data = mnist(tmp_path, split)
    np.testing.assert_array_equal(data.inputs, images)
    np.testing.assert_array_equal(data.labels, labels)
    assert data.labels.dtype == np.int64
    assert data.rows().shape == (30, 784)
    assert len(mnist(str(tmp_path), split, limit=7)) == 7


def test_one_file_packed_and_the_other_not_is_fine(tmp_path: Path, digits_written) -> None:
    images, labels = digits_written
    write_mnist(tmp_path, images, labels)
    (packed,) = tmp_path.glob("*labels*.gz")
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    np.testing.assert_array_equal(mnist(tmp_path).labels, labels)


@pytest.mark.parametrize("inside", [True, False])
def test_cifar_is_read_from_its_folder_or_the_one_above(tmp_path: Path, photos, inside) -> None:
    images, labels = photos
    folder = tmp_path / "cifar-10-batches-bin"
    for i in range(1, 6):
        write_cifar(folder, images[::-1] if i == 3 else images, labels, f"data_batch_{i}.bin")
    write_cifar(folder, images[:4], labels[:4], "test_batch.bin")
    train = cifar10(folder if inside else tmp_path)
    assert train.inputs.shape == (60, 3, 32, 32)
    np.testing.assert_array_equal(train.inputs[24:36], images[::-1])
    np.testing.assert_array_equal(train.labels, np.tile(labels, 5))
    test = cifar10(folder if inside else tmp_path, "test")
    np.testing.assert_array_equal(test.inputs, images[:4])
    assert train.classes[3] == "cat"


def test_cifar_opens_no_more_batches_than_asked_for(tmp_path: Path, photos) -> None:
    write_cifar(tmp_path, *photos, "data_batch_1.bin")
    assert len(cifar10(tmp_path, limit=12)) == 12
    assert len(cifar10(tmp_path, limit=5)) == 5
    with pytest.raises(PolygeomError, match=r"data_batch_2.bin is missing.*limit=10000.*cifar-10-binary.tar.gz"):
        cifar10(tmp_path, limit=13)


@pytest.mark.parametrize("read", [mnist, cifar10])
def test_a_missing_folder_says_where_the_files_are_had(read, tmp_path: Path) -> None:
    with pytest.raises(PolygeomError, match=r"data_root must be a folder.*nowhere.*polygeom downloads nothing"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize("read", [mnist, cifar10])
@pytest.mark.parametrize("split", ["train", "test"])
def test_an_empty_folder_says_what_was_expected(read, split, tmp_path: Path) -> None:
    expected = {
        (mnist, "train"): "train-images-idx3-ubyte and train-labels-idx1-ubyte",
        (mnist, "test"): "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte",
        (cifar10, "train"): "data_batch_1.bin",
        (cifar10, "test"): "test_batch.bin",
    }
    with pytest.raises(PolygeomError, match=f"{expected[read, split]}.*polygeom downloads nothing"):
        read(tmp_path, split)


@pytest.mark.parametrize("read", [mnist, cifar10])
@pytest.mark.parametrize(
    ("arguments", "message"), [({"split": "valid"}, "split must be"), ({"limit": 0}, "limit must")]
)
def test_wrong_arguments(read, arguments, message, tmp_path: Path) -> None:
    with pytest.raises(PolygeomError, match=message):
        read(tmp_path, **arguments)


def test_idx_files_with_faults(tmp_path: Path, digits_written) -> None:
    images, labels = digits_written
    write_mnist(tmp_path, images, labels)
    file = tmp_path / "train-images-idx3-ubyte.gz"
    whole = idx(images)
    for content, message in [
        (gzip.compress(whole)[:-20], "complete gzip"),
        (b"<html>not found</html>", "complete gzip"),
        (gzip.compress(whole)[:40] + b"\0" * 40 + gzip.compress(whole)[80:], "complete gzip"),
        (gzip.compress(whole[:-1]), "as its header says"),
        (gzip.compress(whole + b"\0"), "as its header says"),
        (gzip.compress(idx(labels)), "must begin with the bytes"),
        (gzip.compress(b""), "must begin with the bytes"),
        (gzip.compress(bytes((0, 0, 0x0D, 3)) + whole[4:]), "must begin with the bytes"),
        (gzip.compress(idx(images[:, :27])), "28 x 28 images"),
        (gzip.compress(idx(images[:29])), "as many"),
    ]:
        file.write_bytes(content)
        with pytest.raises(PolygeomError, match=rf"(?s){message}.*polygeom downloads nothing"):
            mnist(tmp_path)
    write_mnist(tmp_path, images, labels + 1)
    with pytest.raises(PolygeomError, match="labels 0 to 9"):
        mnist(tmp_path)


def test_cifar_files_with_faults(tmp_path: Path, photos) -> None:
    images, labels = photos
    write_cifar(tmp_path, images, labels, "test_batch.bin")
    file = tmp_path / "test_batch.bin"
    whole = file.read_bytes()
    for content, message in [(whole[:-1], "records of 3073 bytes"), (b"", "records of 3073 bytes")]:
        file.write_bytes(content)
        with pytest.raises(PolygeomError, match=rf"{message}.*binary version"):
            cifar10(tmp_path, "test")
    write_cifar(tmp_path, images, labels + 9, "test_batch.bin")
    with pytest.raises(PolygeomError, match=r"labels 0 to 9, got 1\d"):
        cifar10(tmp_path, "test")


def real(name: str) -> Path:
    root = os.environ.get("POLYGEOM_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"needs a folder {name} below $POLYGEOM_DATA")
    return Path(root) / name


def test_the_real_mnist() -> None:
    data = mnist(real("mnist"), "test")
    assert data.inputs.shape == (10_000, 28, 28)
    assert np.bincount(data.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_the_real_cifar() -> None:
    data = cifar10(real("cifar-10-batches-bin"), limit=10_000)
    assert data.inputs.shape == (10_000, 3, 32, 32)
    assert np.bincount(data.labels).min() > 900
    np.testing.assert_allclose(data.inputs.mean(axis=(0, 2, 3)) / 255, [0.4914, 0.4822, 0.4465], atol=0.01)

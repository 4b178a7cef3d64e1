"""MNIST and CIFAR-10 from their official files in a folder. Nothing is downloaded; errors say where to have them."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from polygeom.datasets.labelled import Labelled
from polygeom.errors import PolygeomError
from polygeom.storage.reading import read_file, unpack_gzip

Folder = str | os.PathLike[str]

MNIST_CLASSES = tuple("0123456789")
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_MOST = 2**28  # bytes of one file; the largest of them has 47 million
_SPLITS = ("train", "test")
_MNIST_PREFIX = {"train": "train", "test": "t10k"}
_MNIST_SIDE = 28
_MNIST_SOURCE = (
    "they are the four .gz files of yann.lecun.com/exdb/mnist, packed or unpacked; torchvision's "
    "datasets.MNIST(folder, download=True) writes them to folder/MNIST/raw; polygeom downloads nothing"
)
_CIFAR_BATCHES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
_CIFAR_SHAPE = (3, 32, 32)
_CIFAR_RECORD = 1 + math.prod(_CIFAR_SHAPE)
_CIFAR_SOURCE = (
    "they are in cifar-10-binary.tar.gz of www.cs.toronto.edu/~kriz/cifar.html, unpacked (its 'binary version', not "
    "the Python or Matlab one); polygeom downloads nothing"
)


def mnist(data_root: Folder, split: str = "train", *, limit: int | None = None) -> Labelled:
    """Handwritten digits from the official idx files.

    Parameters
    ----------
    data_root:
        The folder with ``train-images-idx3-ubyte`` and its three companions, each with or without ``.gz``; or a folder
        with them in ``MNIST/raw``, ``raw`` or ``mnist``.
    split:
        ``"train"`` or ``"test"``; only the two files of this split are needed.
    limit:
        Keep only this many, the first ones.

    Returns
    -------
    Images of shape ``(N, 28, 28)``, uint8, and labels 0 to 9.

    Raises
    ------
    PolygeomError
        When files are missing or malformed, with what was expected and where to have it.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, 1998.
    """
    _check(split, limit)
    prefix = _MNIST_PREFIX[split]
    wanted = [f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"]
    folder = _folder_with(data_root, wanted, ("", "MNIST/raw", "raw", "mnist"), (".gz", ""), "MNIST", _MNIST_SOURCE)
    images, labels = (
        _read_idx(_either(folder, name), dimensions) for name, dimensions in zip(wanted, (3, 1), strict=True)
    )
    if images.shape[1:] != (_MNIST_SIDE, _MNIST_SIDE) or len(images) != len(labels) or labels.max(initial=0) > 9:
        raise PolygeomError(
            f"{folder} must hold as many {_MNIST_SIDE} x {_MNIST_SIDE} images as labels, and labels 0 to 9; got images "
            f"of shape {images.shape}, {len(labels)} labels up to {labels.max(initial=0)}; {_MNIST_SOURCE}"
        )
    return Labelled("mnist", images[:limit], labels[:limit].astype(np.int64), MNIST_CLASSES)


def cifar10(data_root: Folder, split: str = "train", *, limit: int | None = None) -> Labelled:
    """Small photographs from the official binary files.

    Parameters
    ----------
    data_root:
        The folder ``cifar-10-batches-bin``, or the folder it lies in.
    split:
        ``"train"`` (``data_batch_1.bin`` to ``data_batch_5.bin``) or ``"test"`` (``test_batch.bin``).
    limit:
        Keep only this many, the first ones; batches beyond are not opened and may be absent.

    Returns
    -------
    Images of shape ``(N, 3, 32, 32)``, uint8, channels red, green, blue; labels 0 to 9.

    Raises
    ------
    PolygeomError
        When files are missing or malformed, with what was expected and where to have it.

    References
    ----------
    Krizhevsky, Learning multiple layers of features from tiny images, 2009.
    """
    _check(split, limit)
    names = _CIFAR_BATCHES[split]
    folder = _folder_with(data_root, names[:1], ("", "cifar-10-batches-bin"), ("",), "CIFAR-10", _CIFAR_SOURCE)
    batches: list[np.ndarray] = []
    for name in names:
        if limit is not None and sum(map(len, batches)) >= limit:
            break
        batches.append(_read_cifar(folder / name))
    records = np.concatenate(batches)[:limit]
    return Labelled(
        "cifar10", records[:, 1:].reshape(-1, *_CIFAR_SHAPE), records[:, 0].astype(np.int64), CIFAR10_CLASSES
    )


def _check(split: str, limit: int | None) -> None:
    if split not in _SPLITS:
        raise PolygeomError(f'split must be "train" or "test", got {split!r}; write split="train"')
    if limit is not None and limit < 1:
        raise PolygeomError(f"limit must be at least 1, got {limit}; leave it out for all samples")


def _folder_with(
    data_root: Folder,
    names: list[str] | tuple[str, ...],
    places: tuple[str, ...],
    endings: tuple[str, ...],
    what: str,
    source: str,
) -> Path:
    """The first of the places below ``data_root`` in which every name exists with one of the endings."""
    root = Path(data_root)
    if not root.is_dir():
        raise PolygeomError(f"data_root must be a folder with the files of {what}, got {root}, which is none; {source}")
    for place in places:
        if all(any((root / place / f"{name}{ending}").is_file() for ending in endings) for name in names):
            return root / place
    listed = " and ".join(names)
    tried = ", ".join(str(root / place) for place in places)
    raise PolygeomError(f"data_root must hold {listed} of {what}, which are not in any of {tried}; {source}")


def _either(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """An array of bytes in the idx format: 0, 0, type 8, number of dimensions, each as four bytes, then the data."""
    content = read_file(path, "data_root", most=_MOST)
    if path.suffix == ".gz":
        try:
            content = unpack_gzip(content, str(path), most=_MOST)
        except PolygeomError as error:
            raise PolygeomError(f"{error}: {_MNIST_SOURCE}") from None
    header = 4 + 4 * dimensions
    magic = bytes((0, 0, 8, dimensions))
    if len(content) < header or content[:4] != magic:
        raise PolygeomError(
            f"{path} must begin with the bytes {list(magic)} of an idx file, got {list(content[:4])}; fetch it again: "
            f"{_MNIST_SOURCE}"
        )
    shape = tuple(int.from_bytes(content[4 * i : 4 * i + 4], "big") for i in range(1, dimensions + 1))
    if len(content) - header != math.prod(shape):
        raise PolygeomError(
            f"{path} must have {math.prod(shape)} bytes of data, as its header says (shape {shape}), got "
            f"{len(content) - header}; fetch it again: {_MNIST_SOURCE}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _read_cifar(path: Path) -> np.ndarray:
    """Records of one label byte and 3072 pixel bytes, shape ``(N, 3073)``."""
    if not path.is_file():
        raise PolygeomError(
            f"{path} is missing: the training images are in five files, data_batch_1.bin to data_batch_5.bin; write "
            f"limit=10000 for the first alone, or add it: {_CIFAR_SOURCE}"
        )
    content = np.frombuffer(read_file(path, "data_root", most=_MOST), dtype=np.uint8)
    if not len(content) or len(content) % _CIFAR_RECORD:
        raise PolygeomError(
            f"{path} must hold records of {_CIFAR_RECORD} bytes, got {len(content)} bytes; it may be cut off or be "
            f"another format: {_CIFAR_SOURCE}"
        )
    records = content.reshape(-1, _CIFAR_RECORD)
    if records[:, 0].max() > 9:
        raise PolygeomError(
            f"{path} must have labels 0 to 9, got {records[:, 0].max()}; CIFAR-100 has another layout: {_CIFAR_SOURCE}"
        )
    return records

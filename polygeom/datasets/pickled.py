"""The Python version of CIFAR-10, as torchvision unpacks it: pickles of arrays, of which nothing is run."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.storage.reading import read_file

FOLDER = "cifar-10-batches-py"
FILES = {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)}
_SHAPE = (3, 32, 32)
_MOST = 2**28
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, encoding: str(text).encode(encoding),
}


def _reconstruct(_: Any, shape: tuple[int, ...], kind: bytes) -> np.ndarray:
    """An empty array, which the pickle then fills."""
    return np.ndarray(shape, kind.decode())


class _Arrays(pickle.Unpickler):
    """Arrays, texts, lists and dictionaries, and nothing else: no other name of a pickle is looked up."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _reconstruct
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _ALLOWED[module, name]


def read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images ``(N, 3, 32, 32)`` of bytes, and labels ``(N,)``, of one file.

    Raises
    ------
    PolygeomError
        When it is something else.
    """
    try:
        batch = _Arrays(io.BytesIO(read_file(path, "data", most=_MOST)), encoding="bytes").load()
        images, labels = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"])
    except PolygeomError:
        raise
    except Exception as error:  # noqa: BLE001 - a pickle of anything fails in any way
        raise PolygeomError(f"data: {path} is no batch of {FOLDER}: {type(error).__name__}: {error}") from None
    if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != 3072 or labels.dtype.kind != "i":
        raise PolygeomError(
            f"data: {path} must have rows of 3072 bytes and labels, got {images.shape} of {images.dtype}"
        )
    if labels.shape != images.shape[:1] or not (labels.size and 0 <= labels.min() <= labels.max() <= 9):
        raise PolygeomError(f"data: {path} must have a label from 0 to 9 for each image, got shape {labels.shape}")
    return images.reshape(-1, *_SHAPE), labels.astype(np.int64)


__all__ = ["FILES", "FOLDER", "read_batch"]

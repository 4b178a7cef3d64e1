"""Data of the user's own, from one path: arrays, a table, a folder of pictures, or CIFAR-10 as torchvision has it.

======================= ===========================================================================================
``FILE.npz``            arrays ``x`` and ``y`` (also ``inputs``, ``images``, ``data``; ``labels``, ``targets``), or
                        ``x_train``, ``y_train``, ``x_test``, ``y_test``
``FILE.csv``            numbers; the class in the column ``label``, ``class``, ``target`` or ``y``, else in the last
folder of folders       pictures of one size; the name of a folder is the class of what is in it; perhaps all in
                        ``train`` and ``test``
``cifar-10-batches-py`` the files that torchvision downloads, or the folder they are in
======================= ===========================================================================================

Classes are integers or texts; they are numbered in their order. Nothing in a file is run.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from pathlib import Path

import numpy as np

from polygeom.datasets import pickled
from polygeom.datasets.files import CIFAR10_CLASSES
from polygeom.datasets.images import read_image
from polygeom.datasets.labelled import Labelled
from polygeom.errors import PolygeomError
from polygeom.storage.arrays import UNREADABLE
from polygeom.storage.reading import check_archive, read_text

INPUTS = ("x", "inputs", "images", "data", "X")
TARGETS = ("y", "labels", "targets", "classes", "label")
COLUMNS = ("label", "class", "target", "y")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
_MOST_CLASSES = 1000


def read_own(path: str | os.PathLike[str]) -> tuple[Labelled, Labelled | None]:
    """The samples of a file or folder, and those for testing where it keeps them apart.

    Parameters
    ----------
    path:
        See above.

    Returns
    -------
    Training samples, or all samples and None.

    Raises
    ------
    PolygeomError
        When there is nothing that can be read, in words.

    Examples
    --------
    >>> np.savez("points.npz", x=np.arange(6.0).reshape(3, 2), y=["a", "b", "a"])
    >>> data, test = read_own("points.npz")
    >>> data.labels.tolist(), data.classes, test
    ([0, 1, 0], ('a', 'b'), None)
    """
    found = Path(path)
    if found.is_dir():
        return _folder(found)
    if found.suffix == ".npz":
        return _archive(found)
    if found.suffix == ".csv":
        return _table(found), None
    raise PolygeomError(f"data must be a folder or a file .npz or .csv that exists, got {os.fspath(path)!r}")


def digest(path: str | os.PathLike[str]) -> str:
    """A text that changes when the data does: of a file its content, of a folder names, sizes and times of files."""
    found, sum_ = Path(path), hashlib.sha256()
    try:
        if found.is_file():
            with found.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        for file in sorted(found.rglob("*")):
            state = file.stat()
            sum_.update(f"{file.relative_to(found)} {state.st_size} {state.st_mtime_ns}\n".encode())
    except OSError:  # who reads it says what is wrong
        return ""
    return sum_.hexdigest()


def labelled(name: str, inputs: np.ndarray, labels: np.ndarray, known: tuple[str, ...] | None = None) -> Labelled:
    """Samples with classes of any names, numbered in their order.

    Raises
    ------
    PolygeomError
        For inputs that are no finite numbers, and for labels that are no classes.
    """
    if inputs.dtype.kind not in "fiub" or not len(inputs) or not inputs.size or inputs.ndim < 2:
        raise PolygeomError(
            f"data: inputs must be numbers of shape (N, …), one entry for each sample, got {inputs.shape} of "
            f"{inputs.dtype}"
        )
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        raise PolygeomError("data: inputs must be finite, got NaN or infinite entries; leave those samples out")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) != len(inputs):
        raise PolygeomError(f"data: labels must be one for each of {len(inputs)} samples, got shape {labels.shape}")
    if labels.dtype.kind == "f" and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iubUS":
        raise PolygeomError(f"data: labels must be classes, integers or texts, got {labels.dtype}; round them first")
    texts = [str(label) for label in labels]
    names = tuple(map(str, np.unique(labels))) if known is None else known
    if not 2 <= len(names) <= _MOST_CLASSES:
        raise PolygeomError(f"data: labels must be of 2 to {_MOST_CLASSES} classes, got {len(names)}")
    numbers = {word: i for i, word in enumerate(names)}
    if unknown := sorted(set(texts) - set(numbers)):
        raise PolygeomError(f"data: class {unknown[0]!r} is in the test samples alone")
    kept = inputs if inputs.dtype == np.uint8 else inputs.astype(np.float64)
    return Labelled(name, kept, np.array([numbers[word] for word in texts], dtype=np.int64), names)


def _archive(path: Path) -> tuple[Labelled, Labelled | None]:
    check_archive(path, "data")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except UNREADABLE as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise PolygeomError(f"data: {path} is no archive of plain arrays: {why}; write one by numpy.savez") from None
    if {"x_train", "y_train"} <= set(arrays):
        train = labelled(path.stem, arrays["x_train"], arrays["y_train"])
        if not {"x_test", "y_test"} <= set(arrays):
            return train, None
        return train, labelled(path.stem, arrays["x_test"], arrays["y_test"], train.classes)
    found = [next((arrays[name] for name in names if name in arrays), None) for names in (INPUTS, TARGETS)]
    if found[0] is None or found[1] is None:
        raise PolygeomError(
            f"data: {path} must have arrays x and y, or x_train, y_train, x_test, y_test, got {', '.join(arrays)}"
        )
    return labelled(path.stem, found[0], found[1]), None


def _table(path: Path) -> Labelled:
    rows = [row for row in csv.reader(io.StringIO(read_text(path, "data"))) if row]
    if not rows or len(rows[0]) < 2:
        raise PolygeomError(f"data: {path} must have rows of numbers and a class, separated by commas")
    if any(len(row) != len(rows[0]) for row in rows):
        raise PolygeomError(f"data: {path} must have {len(rows[0])} entries in every row, as in the first")
    header = any(not _is_number(cell) for cell in rows[0][:-1])
    words = [cell.strip().lower() for cell in rows[0]] if header else []
    at = next((words.index(name) for name in COLUMNS if name in words), len(rows[0]) - 1)
    body = rows[1:] if header else rows
    try:
        inputs = np.array([[float(cell) for i, cell in enumerate(row) if i != at] for row in body])
    except ValueError as error:
        raise PolygeomError(f"data: {path} must have numbers in all columns but that of the class: {error}") from None
    labels = [row[at].strip() for row in body]
    if "" in labels:
        raise PolygeomError(f"data: {path} must have a class in every row, row {labels.index('') + 1} has none")
    whole = all(_is_number(cell) and float(cell) == int(float(cell)) for cell in labels)
    return labelled(path.stem, inputs, np.array([int(float(cell)) for cell in labels] if whole else labels))


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _folder(path: Path) -> tuple[Labelled, Labelled | None]:
    for place in (path, path / pickled.FOLDER):
        if (place / pickled.FILES["train"][0]).is_file() or (place / pickled.FILES["test"][0]).is_file():
            return _batches(place)
    parts = [path / "train", path / "test"]
    if all(part.is_dir() for part in parts):
        train = _pictures(parts[0])
        return train, _pictures(parts[1], train.classes)
    return _pictures(path), None


def _batches(place: Path) -> tuple[Labelled, Labelled | None]:
    found: list[Labelled | None] = []
    for split, names in pickled.FILES.items():
        there = [place / name for name in names if (place / name).is_file()]
        if not there:
            found.append(None)
            continue
        parts = [pickled.read_batch(file) for file in there]
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        found.append(Labelled(f"cifar10 {split}", images, labels, CIFAR10_CLASSES))
    train, test = found
    if train is None:
        assert test is not None
        return test, None
    return train, test


def _pictures(path: Path, known: tuple[str, ...] | None = None) -> Labelled:
    inputs: list[np.ndarray] = []
    labels: list[str] = []
    for folder in sorted(part for part in path.iterdir() if part.is_dir()):
        for file in sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURES):
            picture = read_image(file)
            if inputs and picture.shape != inputs[0].shape:
                raise PolygeomError(
                    f"data: {file} has {picture.shape[1]} x {picture.shape[0]} pixels, others have "
                    f"{inputs[0].shape[1]} x {inputs[0].shape[0]}; scale them to one size first"
                )
            inputs.append(picture)
            labels.append(folder.name)
    if not inputs:
        raise PolygeomError(
            f"data: {path} must have {pickled.FOLDER}, or a folder of pictures for each class, and has neither"
        )
    images = np.rint(255 * np.stack(inputs)).astype(np.uint8).transpose(0, 3, 1, 2)
    if (images == images[:, :1]).all():
        images = images[:, 0]  # grey
    return labelled(path.name, images, np.array(labels), known)


__all__ = ["digest", "labelled", "read_own"]

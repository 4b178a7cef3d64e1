"""Training, validation and test samples of a target function, described by one record and kept in one file."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.datasets.functions import POSITIVE, Target, make_target, range_unit
from polygeom.datasets.regions import sample_region
from polygeom.errors import PolygeomError
from polygeom.storage.arrays import UNREADABLE
from polygeom.storage.durable import write_file
from polygeom.storage.reading import check_archive

FORMAT = "polygeom function data 1"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class FunctionSettings:
    """Everything that determines a data set, as plain data.

    Parameters
    ----------
    target, inputs, outputs, terms, coefficient_range, offset_range:
        As for `polygeom.datasets.functions.make_target`.
    train_shape, test_shape:
        Regions of `polygeom.datasets.regions.sample_region`; validation uses that of training.
    train_radius, validation_radius, test_radius:
        Their sizes, in multiples of π for periodic targets.
    train, validation, test:
        Numbers of samples.
    sign, fixed:
        Restriction of training and validation inputs; test inputs have none. Targets that need positive inputs have
        them everywhere.
    noise:
        Variance of normal noise on the training labels.
    seed:
        Of everything.
    """

    target: str = "cubic"
    inputs: int = 1
    outputs: int = 1
    terms: int = 5
    coefficient_range: float = 1.0
    offset_range: float = 1.0
    train_shape: str = "cube"
    test_shape: str = "cube"
    train_radius: float = 2.5
    validation_radius: float = 2.5
    test_radius: float = 5.0
    train: int = 2000
    validation: int = 1000
    test: int = 1000
    sign: str = "no"
    fixed: int = 1
    noise: float = 0.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class FunctionData:
    """Samples of a target function.

    Parameters
    ----------
    settings:
        What they were made from.
    inputs, labels:
        For each of ``"train"``, ``"validation"``, ``"test"`` arrays ``(N, inputs)`` and ``(N, outputs)``, float64.
    """

    settings: FunctionSettings
    inputs: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]

    @property
    def target(self) -> Target:
        """The function itself."""
        return _target(self.settings)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` file: arrays, and the settings as JSON.

        Raises
        ------
        PolygeomError
            When the file cannot be written.
        """
        arrays: dict[str, Any] = {f"x_{split}": self.inputs[split] for split in SPLITS}
        arrays |= {f"y_{split}": self.labels[split] for split in SPLITS}
        text = json.dumps({"format": FORMAT, **asdict(self.settings)})
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, settings=np.array(text), **arrays)
        write_file(path, buffer.getvalue(), "path")


def function_data(settings: FunctionSettings) -> FunctionData:
    """Draw a data set; the same settings give the same bytes.

    Examples
    --------
    >>> data = function_data(FunctionSettings("quadratic", inputs=3, train=10, seed=4))
    >>> data.inputs["train"].shape, bool((abs(data.inputs["test"]).max() > 2.5))
    ((10, 3), True)
    """
    unit = range_unit(settings.target)
    if settings.target in POSITIVE and settings.sign not in ("no", "2p"):
        raise PolygeomError(f"{settings.target} needs positive inputs; write sign='2p', got {settings.sign!r}")
    target = _target(settings)
    generators = dict(zip(SPLITS, np.random.default_rng((settings.seed, 1)).spawn(3), strict=True))
    inputs, labels = {}, {}
    positive, fixed = settings.target in POSITIVE, min(settings.fixed, settings.inputs)
    for split in SPLITS:
        shape, sign = (settings.test_shape, "no") if split == "test" else (settings.train_shape, settings.sign)
        how: dict[str, Any] = {"sign": "2p" if positive else sign, "fixed": fixed, "rng": generators[split]}
        count, radius = getattr(settings, split), getattr(settings, f"{split}_radius") * unit
        inputs[split] = sample_region(shape, count, settings.inputs, radius, **how)
        labels[split] = target(inputs[split])
    noise = generators["train"].standard_normal(labels["train"].shape)
    labels["train"] = labels["train"] + np.sqrt(settings.noise) * noise
    return FunctionData(settings, inputs, labels)


def load_function_data(path: str | os.PathLike[str]) -> FunctionData:
    """Read what `FunctionData.save` wrote.

    Raises
    ------
    PolygeomError
        When the file is missing or something else.
    """
    check_archive(path, "path")
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            settings = json.loads(str(file["settings"]))
            if settings.pop("format", None) != FORMAT:
                raise ValueError("another format")
            inputs = {split: file[f"x_{split}"] for split in SPLITS}
            labels = {split: file[f"y_{split}"] for split in SPLITS}
    except FileNotFoundError:
        raise PolygeomError(f"path: {path} does not exist; write one with FunctionData.save") from None
    except UNREADABLE as error:
        raise PolygeomError(f"path: {path} is not function data of polygeom ({error}); write it with .save") from error
    return FunctionData(FunctionSettings(**settings), inputs, labels)


def _target(settings: FunctionSettings) -> Target:
    names = ("outputs", "terms", "coefficient_range", "offset_range")
    own: dict[str, Any] = {name: getattr(settings, name) for name in names}
    return make_target(settings.target, settings.inputs, **own, rng=np.random.default_rng((settings.seed, 0)))

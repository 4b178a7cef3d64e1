"""A study of nothing: powers of two, for tests of what all studies share."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.experiments.study import Case, Needs, Study, mean_and_deviation, option


@dataclass(frozen=True)
class Options:
    base: float = option(2.0, "What is raised.")
    model: str = option("exact", "How.", choices=("exact", "noisy"))
    fail: int | None = option(None, "Exponent that fails.")
    shift: bool = option(False, "Add one.")
    log: str | None = option(None, "File to note every measurement in.")
    pause: float = option(0.0, "Seconds.", needs=Needs("log"))


@dataclass(frozen=True)
class Config(Options):
    powers: tuple[int, ...] = option((1, 2, 3), "Exponents.")


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    power: int


PRESETS = {"quick": Config(), "published": Config(powers=(1, 2, 3, 4, 5, 6))}
REPEATS = {"published": 2}


def cases(config: Config) -> list[Piece]:
    return [Piece.of(config, power=power) for power in config.powers]


def measure(case: Piece) -> list[dict[str, Any]]:
    import torch

    assert torch.get_num_threads() == 1
    if case.log:
        with Path(case.log).open("a", encoding="utf-8") as log:
            log.write(f"{case.power} {case.seed}\n")
    time.sleep(case.pause)
    if case.power == case.fail:
        raise PolygeomError(f"power {case.power} was told to fail")
    value = torch.tensor(case.base, dtype=torch.float64) ** case.power + case.shift
    if case.model == "noisy":
        value += np.random.default_rng(case.seed).standard_normal()
    return [{"power": case.power, "value": value, "root": np.float64("nan")}]


def plot(table: Any) -> Any:
    import matplotlib.pyplot as plt

    axes = plt.subplots()[1]
    axes.plot(table["power"], table["value"])
    return axes


def summarise(table: Any) -> str:
    means = mean_and_deviation(table, ["power"], ["value"])
    return "\n".join(f"power {row.power}: {row.value_mean:g}" for row in means.itertuples())


STUDY = Study(
    "tiny",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    repeats=REPEATS,
)

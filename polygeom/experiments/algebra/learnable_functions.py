"""Learnable functions: which functions does training reach, out of all critical functions of the loss?

A network is trained on one data set from many initial weights. Each run is labelled (critical point, boundary,
singular, not converged), its weights become coefficients, and equal functions are counted once. They are compared with
*all* critical functions over the complex numbers, whose number is the learning degree, and for ``[2,2,c] r=2`` with
closed forms: Eckart–Young, a discriminant that says which of these real weights reach, and minima on the boundary.

Source: Kubjas, Li, Wiesmann, "Geometry of polynomial neural networks", arXiv 2402.00949, section 6.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.dimensions import dimension
from polygeom.experiments.study import Case, Needs, Study, option
from polygeom.experiments.style import BELOW, COLOURS, subplots
from polygeom.ideal.counting.invariants import learning_degree
from polygeom.learning.functions.critical_functions import (
    attained,
    boundary_minima,
    complex_critical_functions,
    eckart_young,
    two_real_squares,
)
from polygeom.learning.functions.function_loss import (
    BOUNDARY,
    CRITICAL,
    LABELS,
    OPTIMISERS,
    SINGULAR,
    UNFINISHED,
    FunctionLoss,
    descend,
    distinct,
    initial_weights,
    label,
)
from polygeom.network import Network, parse

if TYPE_CHECKING:
    import pandas

WORKED = "[2,2,3] r=2"
TARGETS = ("teacher", "noise", "few")
TRAINING, COMPLEX, CLOSED, LIMIT, DEGREE, SURVEY = "training", "complex", "closed form", "boundary", "degree", "survey"
_COLUMNS = ("label", "count", "functions", "loss", "real", "attained", "index", "error", "slope", "cancellation")
_SAME = {CRITICAL: 1e-6}
_ROUGHLY = 1e-2
_TEACHER = 7919


@dataclass(frozen=True)
class Options:
    """Options of a case."""

    runs: int = option(40, "Initial weights for each data set.")
    samples: int = option(
        40, "Samples, with standard normal inputs; few targets have too few.", needs=Needs("targets", TARGETS[:2])
    )
    optimiser: str = option(OPTIMISERS[0], "How a run descends before Newton steps end it.", choices=OPTIMISERS)
    steps: int = option(200, "Steps of the optimiser.")
    polish: int = option(100, "Newton steps at most.")
    surveyed: int = option(1000, f"Noise data sets of {WORKED} for which the discriminant alone is computed.")


@dataclass(frozen=True)
class Config(Options):
    """Which networks learn what; every pair of network and kind of target is one case."""

    networks: tuple[str, ...] = option((WORKED, "[2,1,1] r=2", "[2,1,2] r=2", "[3,2,1] r=2"), "Networks.")
    targets: tuple[str, ...] = option(
        TARGETS, "Labels: of a network with random weights, noise, noise on few samples.", choices=TARGETS
    )


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A network and a kind of target, or the survey."""

    network: str
    target: str


TABLE = (
    WORKED, "[2,1,1] r=2", "[2,1,1] r=3", "[2,1,2] r=2",
    "[3,1,1] r=2", "[3,2,1] r=2", "[2,2,1] r=3", "[2,2,2,1] r=2",
)  # fmt: skip
PRESETS = {
    "quick": Config(),
    "small": Config(networks=("[2,1,1] r=2",), runs=8, steps=40, polish=20),
    "published": Config(networks=(WORKED,), runs=100, steps=400, polish=200),
    "table": Config(
        networks=TABLE,
        targets=("noise",),
        runs=100,
        steps=400,
        polish=200,
    ),
}
REPEATS = {"published": 5, "table": 3}


def cases(config: Config) -> list[Piece]:
    """One for each network and kind of target, and one for the survey."""
    found = [Piece.of(config, "surveyed", network=n, target=t) for n in config.networks for t in config.targets]
    if WORKED in config.networks and "noise" in config.targets and config.surveyed:
        found.append(Piece.of(config, "runs", "optimiser", "steps", "polish", network=WORKED, target=SURVEY))
    return found


def measure(case: Piece) -> list[dict[str, Any]]:
    """One row for each function on the data; ``source`` says where it comes from, ``count`` how many runs reached it.

    ``"training"``: reached by descents; ``functions`` counts different coefficients with these values on the data, more
    than one only when the samples are too few. ``"complex"``: critical over the complex numbers. ``"closed form"`` and
    ``"boundary"``: Eckart–Young, and minima on the boundary. In rows ``"degree"`` and ``"survey"``, ``count`` is the
    learning degree, and the number of surveyed data sets whose best function real weights reach. ``error`` is the
    distance to the nearest critical function, for boundaries to the nearest minimum there, relative to the target.
    """
    network = parse(case.network)
    if case.target == SURVEY:
        return [_row(case, SURVEY, label=str(case.surveyed), count=_survey(case))]
    inputs, targets = _data(network, case.target, case.samples, case.seed)
    loss = FunctionLoss.of(network, inputs, targets)
    starts = initial_weights(network, case.runs, rng=case.seed)
    ends = label(loss, descend(loss, starts, steps=case.steps, polish=case.polish, optimiser=case.optimiser))
    exact: list[dict[str, Any]] = []
    known: dict[str, np.ndarray] = {}
    if case.target == "noise":
        known, exact = _critical(case, loss, inputs)
    size = float(loss.target.norm())
    rows = []
    for name in LABELS:
        members = np.flatnonzero(ends.labels == name)
        points = ends.whitened.numpy()[members] / size
        numbers = distinct(points, _SAME.get(name, _ROUGHLY))
        for number in range(numbers.max(initial=-1) + 1):
            chosen = members[numbers == number]
            best = chosen[int(ends.losses[chosen].argmin())]
            error = _nearest(known.get(name), ends.whitened[best].numpy(), size)
            details = {"loss": float(ends.losses[best]), "index": int(ends.index[best]), "error": error}
            details |= {"slope": float(ends.slope[chosen].max()), "cancellation": float(ends.cancellation[best])}
            coefficients = ends.functions[chosen].flatten(1).numpy()
            scale = np.linalg.norm(coefficients, axis=1).max()
            details |= {"functions": int(distinct(coefficients, _SAME.get(name, _ROUGHLY) * scale).max()) + 1}
            rows.append(_row(case, TRAINING, label=name, count=len(chosen), **details))
    return [*rows, *exact]


def _row(case: Piece, source: str, **values: Any) -> dict[str, Any]:
    empty = dict.fromkeys(_COLUMNS)
    return {"network": case.network, "target": case.target, "source": source, **empty, **values}


def _data(network: Network, target: str, samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs and labels; too few samples are as many as leave the functions of the network a family."""
    generator = torch.Generator().manual_seed(seed)
    if target == "few":
        samples = max(1, (dimension(network).dimension - 1) // network.output_dimension)
    inputs = torch.randn((samples, *network.input_shape), generator=generator, dtype=torch.float64)
    if target == "teacher":
        with torch.no_grad():
            return inputs, network.to_torch(rng=seed + _TEACHER)(inputs)
    shape = (samples, *network.output_shape)
    return inputs, torch.randn(shape, generator=generator, dtype=torch.float64)


def _critical(case: Piece, loss: FunctionLoss, inputs: Tensor) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Whitened critical functions and minima on the boundary, and a row for each."""
    found = complex_critical_functions(loss, rng=case.seed)
    degree = learning_degree(loss.network, inputs.numpy(), rng=case.seed)
    rows = [_row(case, DEGREE, label=degree.status, count=degree.value)]
    real = np.ascontiguousarray(found.functions[found.real].real)
    reached, index = attained(loss, real, rng=case.seed)
    for function, there, down in zip(real, reached, index, strict=True):
        known = down if there else None
        rows.append(_row(case, COMPLEX, loss=_value(loss, function), real=True, attained=there, index=known, count=1))
    others = len(found) - len(real)
    rows += [_row(case, COMPLEX, real=False, attained=False, count=1) for _ in range(others)]
    minima = {CRITICAL: _whitened(loss, real)}
    if _pencil(loss.network):
        closed, limits = eckart_young(loss, 2), boundary_minima(loss)
        size = float(loss.target.norm())
        for function, possible in zip(closed, two_real_squares(closed), strict=True):
            error = _nearest(minima[CRITICAL], _whitened(loss, function[None])[0], size)
            rows.append(
                _row(case, CLOSED, loss=_value(loss, function), real=True, attained=possible, error=error, count=1)
            )
        rows += [_row(case, LIMIT, loss=_value(loss, function), real=True, attained=False) for function in limits]
        minima[BOUNDARY] = _whitened(loss, limits)
    return minima, rows


def _pencil(network: Network) -> bool:
    """Whether the closed forms of ``[2,2,c] r=2`` apply."""
    outputs = network.output_dimension
    return outputs > 1 and network.text == parse(f"[2,2,{outputs}] r=2").text


def _value(loss: FunctionLoss, function: np.ndarray) -> float:
    return float(loss.value(torch.from_numpy(function)))


def _whitened(loss: FunctionLoss, functions: np.ndarray) -> np.ndarray:
    whitened: np.ndarray = loss.whiten(torch.from_numpy(np.ascontiguousarray(functions))).numpy()
    return whitened


def _nearest(known: np.ndarray | None, point: np.ndarray, size: float) -> float | None:
    if known is None or not len(known):
        return None
    return float(np.linalg.norm(known - point, axis=1).min()) / size


def _survey(case: Piece) -> int:
    """Of how many noise data sets the best matrix of rank two is two real squares."""
    network = parse(WORKED)
    best = []
    for k in range(case.surveyed):
        data = _data(network, "noise", case.samples, case.seed * case.surveyed + k)
        best.append(eckart_young(FunctionLoss.of(network, *data), 2)[0])
    return int(two_real_squares(np.array(best)).sum())


def counts(table: pandas.DataFrame) -> pandas.DataFrame:
    """One row for each data set with noise: the learning degree, and how many functions there are of each sort.

    Returns
    -------
    Columns ``network``, ``seed``, ``degree`` and its ``status``; ``complex``, ``real``, ``attained``, ``minima``
    (attained, index 0): critical functions over the complex numbers; ``found``: distinct critical functions that
    training reached, ``limits``: distinct functions on the boundary that it approached; ``runs`` and ``critical_runs``.
    """
    import pandas

    rows = []
    for (network, seed), part in table[table["target"] == "noise"].groupby(["network", "seed"], sort=False):
        of = dict(iter(part.groupby("source")))
        trained, solved = of[TRAINING], of[COMPLEX]
        attained_ones = solved[solved["attained"].astype(bool)]
        critical = trained[trained["label"] == CRITICAL]
        rows.append(
            {
                "network": network,
                "seed": seed,
                "degree": int(of[DEGREE]["count"].iloc[0]),
                "status": of[DEGREE]["label"].iloc[0],
                "complex": len(solved),
                "real": int(solved["real"].astype(bool).sum()),
                "attained": len(attained_ones),
                "minima": int((attained_ones["index"] == 0).sum()),
                "found": len(critical),
                "limits": int((trained["label"] == BOUNDARY).sum()),
                "runs": int(trained["count"].sum()),
                "critical_runs": int(critical["count"].sum()),
            }
        )
    return pandas.DataFrame(rows)


def plot(table: pandas.DataFrame) -> Any:
    """With noise the losses of the worked case and the numbers of functions; then what became of the runs."""
    worked = table[(table["network"] == WORKED) & (table["target"] == "noise")]
    numbers = counts(table)
    panels: list[tuple[Any, pandas.DataFrame]] = [(_losses, worked)] if len(worked) else []
    panels += [(_bars, numbers)] if len(numbers) else []
    panels.append((_shares, table[table["source"] == TRAINING]))
    figure, axes = subplots(1, len(panels), 3.2)
    for place, (draw, part) in zip(axes[0], panels, strict=True):
        draw(place, part)
    return figure


_MARKS = {
    TRAINING: ("o", COLOURS[1], "reached by training"),
    COMPLEX: ("_", "0.2", "critical function"),
    LIMIT: ("x", COLOURS[0], "minimum on the boundary"),
}


def _losses(axes: Any, table: pandas.DataFrame) -> None:
    places = {seed: place for place, seed in enumerate(table["seed"].unique())}
    for source, (mark, colour, name) in _MARKS.items():
        part = table[table["source"] == source]
        x = [places[seed] for seed in part["seed"]]
        base = [_best(table, seed) for seed in part["seed"]]
        size = {TRAINING: 40, COMPLEX: 120, LIMIT: 26}[source]
        face = "none" if source == TRAINING else colour
        extra = {"facecolors": face, "edgecolors": colour} if source == TRAINING else {"color": colour}
        axes.scatter(x, part["loss"] / base, marker=mark, s=size, label=name, zorder=3, **extra)
    axes.set(
        xlabel="data set", ylabel="loss / least critical loss", title=f"{WORKED}, noise", xticks=[*places.values()]
    )
    axes.set_xticklabels(places)
    axes.margins(x=0.15, y=0.12)
    axes.legend(markerscale=0.7, **BELOW)


def _best(table: pandas.DataFrame, seed: int) -> float:
    part = table[(table["seed"] == seed) & (table["source"] == COMPLEX)]
    return float(part["loss"].min())


def _bars(axes: Any, numbers: pandas.DataFrame) -> None:
    bars = {"complex": "critical over ℂ", "real": "real", "attained": "at real weights", "found": "found by training"}
    means = numbers.groupby("network", sort=False)[list(bars)].mean()
    most = numbers.groupby("network", sort=False)[list(bars)].max()
    for place, (column, name) in enumerate(bars.items()):
        y = np.arange(len(means)) + (place - 1.5) * 0.2
        spread = most[column] - means[column]
        colour = ["0.7", "0.35", COLOURS[0], COLOURS[1]][place]
        axes.barh(y, means[column], height=0.18, label=name, color=colour)
        axes.errorbar(means[column], y, xerr=[0 * spread, spread], fmt="none", ecolor="black", elinewidth=0.8)
    axes.set_yticks(range(len(means)), [str(name) for name in means.index])
    axes.invert_yaxis()
    axes.set(xlabel="functions", title="noise: mean over data\nsets, line to the most")
    axes.legend(ncols=2, **BELOW)


_COLOURS = {CRITICAL: COLOURS[1], BOUNDARY: COLOURS[0], SINGULAR: "0.35", UNFINISHED: "0.8"}


def _shares(axes: Any, trained: pandas.DataFrame) -> None:
    counted = trained.groupby(["network", "target", "label"], sort=False)["count"].sum().unstack("label").fillna(0)
    shares = 100 * counted.div(counted.sum(axis=1), axis=0)
    networks, targets = (list(dict.fromkeys(values)) for values in zip(*shares.index, strict=True))
    names = [
        target if len(networks) == 1 else network if len(targets) == 1 else f"{network}, {target}"
        for network, target in shares.index
    ]
    left = np.zeros(len(shares))
    for name, colour in _COLOURS.items():
        if name in shares:
            axes.barh(names, shares[name], left=left, color=colour, label=name)
            left = left + shares[name].to_numpy()
    axes.invert_yaxis()
    axes.set(xlabel="runs in %", xlim=(0, 100), title="what became of the runs")
    axes.legend(ncols=2, **BELOW)


def summarise(table: pandas.DataFrame) -> str:
    """Counts by network, what became of the runs, and the agreement with the exact side."""
    return "\n".join([*_count_lines(table), *_label_lines(table), *_agreement(table)])


def _count_lines(table: pandas.DataFrame) -> Iterator[str]:
    if not (table["target"] == "noise").any():
        return
    yield "Noise: functions, mean over data sets (most)"
    numbers = counts(table)
    for network, part in numbers.groupby("network", sort=False):
        said = [
            f"{name} {part[name].mean():.1f} ({part[name].max()})" for name in ("real", "attained", "minima", "found")
        ]
        degree = f"learning degree {part['degree'].iloc[0]} ({part['status'].iloc[0]})"
        yield f"  {network}: {degree}, complex {part['complex'].max()}, {', '.join(said)}"


def _label_lines(table: pandas.DataFrame) -> Iterator[str]:
    trained = table[table["source"] == TRAINING]
    yield "Runs by label, in %, and distinct functions per data set"
    for (network, target), part in trained.groupby(["network", "target"], sort=False):
        shares = 100 * part.groupby("label", sort=False)["count"].sum() / part["count"].sum()
        functions = part[part["label"] == CRITICAL].groupby("seed")["functions"].sum()
        mean = functions.reindex(part["seed"].unique(), fill_value=0).mean()
        said = ", ".join(f"{name} {share:.0f}" for name, share in shares.items())
        yield f"  {network}, {target}: {said}; {mean:.1f} different critical points"


def _agreement(table: pandas.DataFrame) -> Iterator[str]:
    trained = table[table["source"] == TRAINING]
    for name in (CRITICAL, BOUNDARY):
        errors = trained[trained["label"] == name]["error"].dropna()
        if len(errors):
            yield f"Largest distance of a {name} of training from the exact ones: {errors.max():.0e}"
    for _, row in table[table["source"] == SURVEY].iterrows():
        yield f"{WORKED}: the best matrix is two real squares in {row['count']:.0f} of {row['label']} data sets"


STUDY = Study(
    "learnable-functions",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    repeats=REPEATS,
)

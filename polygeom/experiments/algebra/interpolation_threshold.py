"""How many random targets trained networks interpolate: as many as the dimension allows, not the parameters.

For every network the largest number of samples is found at which a fit of random targets reaches machine zero, by
bisection and without knowing the dimension; then it is laid beside parameters, expected dimension, dimension, and the
exact capacity (`polygeom.dimensions.evaluation`). With complex weights the share of interpolated data sets falls
from all to none at the capacity; with real weights it may fall earlier, since a real polynomial need not have real
weights; positive output weights show this at its worst.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.experiments.study import Case, Study, option
from polygeom.experiments.style import BELOW, COLOURS, SMALLEST, legend, subplots
from polygeom.network import Network, parse

if TYPE_CHECKING:
    import pandas

QUICK = (
    # quadratic forms of bounded rank
    "[3,2,1] r=2",
    "[4,3,1] r=2",
    "[6,3,1] r=2",
    # powers of linear forms: filling, generic, and defective (Alexander–Hirschowitz)
    "[2,2,1] r=3",
    "[2,3,1] r=4",
    "[3,4,1] r=3",
    "[3,5,1] r=4",
    "[5,7,1] r=3",
    # several outputs, with and without bottlenecks
    "[3,3,3] r=2",
    "[2,2,3] r=2",
    "[5,1,3] r=2",
    "[5,2,4] r=2",
    "[4,4,2] r=3",
    # deep, some defective
    "[3,3,3,2] r=2",
    "[3,3,3,1] r=2",
    "[5,5,5,1] r=2",
    "[2,3,3,1] r=3",
    "[2,2,2,2,1] r=2",
    "[2,3,3,2,1] r=2",
    # biases and products
    "[3,3,1] r=2 bias",
    "ccp(3,rank=2,degree=3)",
    "ccp(3,rank=3,degree=2,outputs=2)",
    "ncp(3,rank=2,degree=2)",
    "product_network(3,rank=3,degree=3)",
    "product_network(4,rank=2,degree=2,outputs=2)",
    # convolution and attention
    "convolutional(6,kernels=[3,2],degrees=2)",
    "convolutional(6,kernels=[3,4],degrees=2)",
    "lightning_attention(tokens=2,features=3,rank=1,outputs=1)",
    "lightning_attention(tokens=2,features=4,rank=2,outputs=1)",
)
LARGER = (
    "[5,2,1] r=2",
    "[6,4,1] r=2",
    "[8,4,1] r=2",
    "[4,9,1] r=4",
    "[4,4,4] r=2",
    "[3,5,2] r=3",
    "[3,3,3,3,1] r=2",
    "[4,4,4,1] r=2",
    "[3,4,3,1] r=2",
    "ncp(3,rank=2,degree=3,outputs=2)",
    "ccp(4,rank=3,degree=3)",
)
WEIGHTS = ("real", "complex", "positive")


@dataclass(frozen=True)
class Options:
    """Options of a case."""

    draws: int = option(6, "Data sets for each number of samples.")
    restarts: int = option(6, "Starts for each data set.")
    steps: int = option(200, "Levenberg–Marquardt steps of a fit.")


@dataclass(frozen=True)
class Config(Options):
    """Options of the study."""

    networks: str = option(";".join(QUICK), "Networks, separated by semicolons.")
    weights: tuple[str, ...] = option(
        WEIGHTS, "Numbers the weights are; positive: output weights one, for sums of even powers.", choices=WEIGHTS
    )


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A network with one kind of weights."""

    network: str
    weights: str


PRESETS = {
    "quick": Config(networks=";".join(QUICK[::2]), draws=3, restarts=3),
    "page": Config(),
    "small": Config(
        networks="[3,2,1] r=2;[2,2,3] r=2;[2,2,1] r=4", weights=("real", "complex"), draws=2, restarts=2, steps=40
    ),
    "published": Config(networks=";".join(QUICK + LARGER), draws=12, restarts=16, steps=400),
}


def cases(config: Config) -> list[Piece]:
    """One case for each network and kind of weights; positive ones only where they make sense."""
    networks = [parse(text.strip()) for text in config.networks.split(";") if text.strip()]
    return [
        Piece.of(config, network=network.text, weights=weights)
        for network in networks
        for weights in config.weights
        if weights != "positive" or _sums_of_even_powers(network)
    ]


def _sums_of_even_powers(network: Network) -> bool:
    degrees = network.activation_degrees
    return degrees is not None and len(degrees) == 1 and degrees[0] % 2 == 0 and network.output_dimension == 1


def measure(case: Piece) -> list[dict[str, Any]]:
    """One row for each number of samples that was tried."""
    import torch

    from polygeom.learning.thresholds.interpolation import interpolation_threshold

    network = parse(case.network)
    positive = case.weights == "positive"
    last = list(network.parameters)[-1]
    found = interpolation_threshold(
        network,
        draws=case.draws,
        restarts=case.restarts,
        steps=case.steps,
        field="real" if positive else case.weights,
        fixed={last: torch.ones(network.parameters[last], dtype=torch.float64)} if positive else None,
        rng=case.seed,
    )
    shared = {
        "network": found.network,
        "weights": case.weights,
        "outputs": found.outputs,
        "parameters": found.parameters,
        "free_parameters": found.parameters - found.gauge,
        "expected_dimension": network.expected_dimension,
        "dimension": found.dimension,
        "capacity": found.capacity,
        "threshold": found.threshold,
        "reliable": found.reliable,
    }
    return [shared | asdict(count) for count in found.counts]


PREDICTORS = {
    "parameters": "parameters / outputs",
    "free_parameters": "(parameters - scalings) / outputs",
    "expected_dimension": "expected dimension / outputs",
    "dimension": "dimension / outputs",
    "capacity": "capacity",
}


def thresholds(table: pandas.DataFrame) -> pandas.DataFrame:
    """One row for each network and kind of weights: the largest threshold of all seeds, with its predictors."""
    keys = ["network", "weights"]
    columns = ["outputs", *PREDICTORS]
    rows = table.groupby(keys, sort=False)[[*columns, "threshold", "reliable"]]
    return rows.agg({**dict.fromkeys(columns, "first"), "threshold": "max", "reliable": "min"}).reset_index()


def regressions(table: pandas.DataFrame, weights: str) -> pandas.DataFrame:
    """Least-squares lines of the threshold over each predictor, for one kind of weights.

    Returns
    -------
    Columns ``predictor``, ``correlation``, ``slope``, ``intercept``, ``networks``, ``exact`` (how many of them have the
    predictor rounded down as threshold), ``largest_excess`` (of the predictor over the threshold).
    """
    import pandas

    chosen = thresholds(table).query("weights == @weights")
    y = chosen["threshold"].to_numpy(dtype=float)
    rows = []
    for name, label in PREDICTORS.items():
        x = chosen[name].to_numpy(dtype=float) / (1 if name == "capacity" else chosen["outputs"].to_numpy(dtype=float))
        slope, intercept = np.polyfit(x, y, 1)
        rows.append(
            {
                "predictor": label,
                "correlation": float(np.corrcoef(x, y)[0, 1]),
                "slope": float(slope),
                "intercept": float(intercept),
                "exact": int((np.floor(x) == y).sum()),
                "networks": len(y),
                "largest_excess": float((x - y).max()),
            }
        )
    return pandas.DataFrame(rows)


def shortfalls(table: pandas.DataFrame) -> Iterator[str]:
    """Networks with real weights that do not interpolate all targets at their capacity, each with what is behind it."""
    at = table[table["samples"] == table["capacity"]]
    names = ["draws", "interpolated", "runs", "reached", "bounded"]
    sums = at.groupby(["network", "weights"], sort=False)[names].sum().reset_index().to_dict("records")
    over_complex = {row["network"]: row for row in sums if row["weights"] == "complex"}
    for row in sums:
        if row["weights"] != "real" or row["interpolated"] == row["draws"]:
            continue
        stuck = row["bounded"] / max(row["runs"] - row["reached"], 1)
        ends = f"{stuck:.0%} of the failed fits ended at a critical point, the others drift without end"
        other = over_complex.get(row["network"])
        solved = "" if other is None else f"; complex weights interpolate {other['interpolated']} of {other['draws']}"
        yield f"{row['network']}: {row['interpolated']} of {row['draws']} data sets at its capacity{solved}; {ends}"


def plot(table: pandas.DataFrame) -> Any:
    """Thresholds over parameters and over dimension, and success around the capacity."""
    figure, (panels,) = subplots(1, 3, 2.8)
    lines = thresholds(table)
    styles = {"real": (COLOURS[0], "o", 18), "complex": (COLOURS[1], "x", 14)}
    for axes, name in zip(panels, ("parameters", "dimension"), strict=False):
        for weights, (colour, marker, size) in styles.items():
            part = lines[lines["weights"] == weights]
            if not len(part):
                continue
            x = part[name] / part["outputs"]
            fit = regressions(table, weights).set_index("predictor").loc[PREDICTORS[name]]
            label = f"{weights} weights: correlation {fit['correlation']:.3f}"
            face = "none" if marker == "o" else colour
            axes.scatter(
                x, part["threshold"], s=size, marker=marker, color=colour, facecolor=face, linewidth=0.9, label=label
            )
        top = float((lines["parameters"] / lines["outputs"]).max()) * 1.05
        axes.plot([0, top], [0, top], color="0.7", linewidth=1, zorder=0)
        axes.set(xlim=(0, top), ylim=(0, top), xlabel=PREDICTORS[name])
        legend(axes, **BELOW)
    panels[0].set_ylabel("random targets interpolated")
    _success(panels[2], table)
    return figure


def _success(axes: Any, table: pandas.DataFrame) -> None:
    """The share of interpolated data sets by distance from the capacity, all networks together."""
    near = table.assign(distance=table["samples"] - table["capacity"]).query("-6 <= distance <= 4")
    styles = {"real": (COLOURS[0], "o-"), "complex": (COLOURS[1], "x--"), "positive": (COLOURS[2], "s:")}
    for weights, (colour, style) in styles.items():
        part = near[near["weights"] == weights]
        if len(part):
            sums = part.groupby("distance")[["interpolated", "draws"]].sum()
            share = sums["interpolated"] / sums["draws"]
            axes.plot(share.index, share, style, color=colour, markersize=4, label=f"{weights} weights")
    axes.axvspan(0.5, 4.5, color="0.92", zorder=0)
    axes.text(2.5, 0.75, "measure\nzero\n(theorem)", ha="center", va="center", fontsize=SMALLEST)
    axes.set_xticks(range(-6, 5, 2))
    axes.set(
        xlabel="samples - capacity", ylabel="share of data sets interpolated", xlim=(-6.3, 4.5), ylim=(-0.04, 1.04)
    )
    legend(axes, **BELOW)


def summarise(table: pandas.DataFrame) -> str:
    """Agreement with the capacity, regressions, and the networks that fall short with real weights."""
    lines = []
    found = thresholds(table)
    for weights in dict.fromkeys(found["weights"]):
        part = found[found["weights"] == weights]
        exact = int((part["threshold"] == part["capacity"]).sum())
        above = int((part["threshold"] > part["capacity"]).sum())
        lines.append(
            f"{weights} weights: measured threshold = capacity for {exact} of {len(part)} networks, above for {above}"
        )
        if len(part) > 2 and weights != "positive":
            lines += [
                f"  over {row.predictor}: correlation {row.correlation:.4f}, slope {row.slope:.3f}, "
                f"equal after rounding down {row.exact} of {row.networks}"
                for row in regressions(table, weights).itertuples()
            ]
    return "\n".join([*lines, *(f"short of its capacity: {line}" for line in shortfalls(table))])


STUDY = Study(
    "interpolation-threshold",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
)

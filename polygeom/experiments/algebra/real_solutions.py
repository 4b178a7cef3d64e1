"""Real solutions by algebra, and what training finds of them: fits at capacity, critical points, boundary infima.

Three questions. *Fits*: at as many samples as complex weights always fit, do real weights, and does one of many
descents find them? *Critical points*: which of the real critical functions of a loss do descents reach, how often, and
is the least loss among them that of the best function? *Boundary*: where real weights attain no minimum, which of the
infima on the boundary do descents tend to?
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.dimensions import dimension
from polygeom.experiments.study import Case, Study, option
from polygeom.experiments.style import BELOW, COLOURS, legend, subplots
from polygeom.network import Network, parse

if TYPE_CHECKING:
    import pandas

FITS, CRITICAL, BOUNDARY = "fits", "critical", "boundary"
_SAME = 1e-6
_NEAR = 1e-2
_LEAST = 1e-4


@dataclass(frozen=True)
class Options:
    """Options of a case."""

    data_sets: int = option(12, "Random data sets that are fitted.")
    searched: int = option(4, "Random data sets whose critical functions, or infima on the boundary, are found.")
    runs: int = option(16, "Initial weights for each data set.")
    steps: int = option(300, "Levenberg–Marquardt steps of a run.")


@dataclass(frozen=True)
class Config(Options):
    """Options of the study."""

    fits: tuple[str, ...] = option(("[2,2,1] r=3", "[2,2,1] r=4"), "Networks fitted at capacity.")
    labels: tuple[str, ...] = option(
        ("polynomial", "normal"),
        "Labels at capacity: of random polynomials, or noise.",
        choices=("polynomial", "normal"),
    )
    critical: tuple[str, ...] = option(("[2,1,1] r=3",), "Networks whose critical functions are found.")
    powers: tuple[int, ...] = option((3,), "Boundary: powers r of [2,2,1], for forms with r real roots.")


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A network, a question, and kinds of labels for fits."""

    network: str
    question: str
    labels: str


PRESETS = {
    "quick": Config(data_sets=6, searched=2, runs=12, steps=200),
    "small": Config(
        fits=("[2,2,1] r=3",), labels=("polynomial",), powers=(), data_sets=4, searched=1, runs=4, steps=40
    ),
    "published": Config(
        data_sets=100,
        searched=20,
        runs=32,
        critical=("[2,1,1] r=2", "[2,1,1] r=3", "[3,1,1] r=2", "[3,2,1] r=2"),
    ),
}


def cases(config: Config) -> list[Piece]:
    """One case for each network and question, for fits also for each kind of labels."""
    found = [Piece.of(config, network=n, question=FITS, labels=kind) for n in config.fits for kind in config.labels]
    found += [Piece.of(config, network=n, question=CRITICAL, labels="normal") for n in config.critical]
    found += [Piece.of(config, network=f"[2,2,1] r={r}", question=BOUNDARY, labels="real roots") for r in config.powers]
    return found


def measure(case: Piece) -> list[dict[str, Any]]:
    """One row for each data set.

    ``exact`` is the number of solutions by algebra: real weights that fit (-1 if a path was lost), critical functions
    of real weights, or infima on the boundary; ``certified`` those proved (fits only); ``complex`` all of them over the
    complex numbers. ``found`` is how many of them descents reach (fits: 1 if a run fits), ``best`` how many runs end at
    the least loss by algebra, and ``first`` the first of these, 0 if there is none. ``least`` is the least loss of a
    run, ``infimum`` that by algebra.
    """
    network = parse(case.network)
    rng = np.random.default_rng((case.seed, 11))
    rows = []
    for number in range(case.data_sets if case.question == FITS else case.searched):
        if case.question == FITS:
            row = _fits(network, case, rng)
        elif case.question == CRITICAL:
            row = _critical(network, case, rng)
        else:
            row = _boundary(network, case, rng)
        shared = {"network": case.network, "question": case.question, "labels": case.labels, "data_set": number}
        rows.append(shared | {"runs": case.runs} | row)
    return rows


def _row(exact: int, good: np.ndarray, found: int, least: float, infimum: float, **others: int) -> dict[str, Any]:
    first = int(np.argmax(good)) + 1 if good.any() else 0
    shared = {"complex": others.get("complex", 0), "certified": others.get("certified", 0)}
    return {
        "exact": exact,
        **shared,
        "found": found,
        "best": int(good.sum()),
        "first": first,
        "least": least,
        "infimum": infimum,
    }


def _fits(network: Network, case: Piece, rng: np.random.Generator) -> dict[str, Any]:
    import torch

    from polygeom.ideal.counting.interpolation import fits_of, random_data
    from polygeom.learning.training.fleet import fit_fleet, random_starts

    count = dimension(network).dimension // network.output_dimension
    points, values = random_data(network, count, case.labels, rng)
    fits = fits_of(network, points, values, rng)
    starts = random_starts(network, case.runs, rng=int(rng.integers(2**31)))
    x = torch.from_numpy(points).expand(case.runs, *points.shape)
    y = torch.from_numpy(values.reshape(network.output_dimension, count).T.copy())
    fleet = fit_fleet(network, x, y.expand(case.runs, *y.shape), starts, steps=case.steps)
    losses = fleet.losses.numpy() / float(np.square(values).mean())
    real = -1 if fits.weights is None else len(fits.weights)
    return _row(
        real, fleet.reached, int(fleet.reached.any()), float(losses.min()), 0.0 if real > 0 else float("nan"),
        complex=fits.complex_count, certified=fits.certified,
    )  # fmt: skip


def _critical(network: Network, case: Piece, rng: np.random.Generator) -> dict[str, Any]:
    import torch

    from polygeom.learning.functions.critical_functions import attained, complex_critical_functions
    from polygeom.learning.functions.function_loss import FunctionLoss, descend, initial_weights, label

    x = torch.from_numpy(rng.standard_normal((40, *network.input_shape)))
    y = torch.from_numpy(rng.standard_normal((40, *network.output_shape)))
    loss = FunctionLoss.of(network, x, y)
    seed = int(rng.integers(2**31))
    every = complex_critical_functions(loss, rng=seed)
    functions = every.functions[every.real].real
    functions = functions[attained(loss, functions, rng=seed)[0]] if len(functions) else functions
    ends = label(loss, descend(loss, initial_weights(network, case.runs, rng=seed), steps=case.steps))
    size = float(loss.target.norm())
    if len(functions):
        exact = loss.whiten(torch.from_numpy(np.ascontiguousarray(functions)))
        values = loss.value(torch.from_numpy(np.ascontiguousarray(functions))).numpy()
        near = (torch.cdist(ends.whitened, exact) / size).numpy() < _SAME
    else:
        values, near = np.array([np.nan]), np.zeros((case.runs, 1), bool)
    good = near[:, int(np.argmin(values))]
    return _row(
        len(functions), good, int(near.any(axis=0).sum()), float(ends.losses.min()), float(values.min()),
        complex=len(every),
    )  # fmt: skip


def _boundary(network: Network, case: Piece, rng: np.random.Generator) -> dict[str, Any]:
    import torch

    from polygeom.ideal.counting.interpolation import boundary_infima
    from polygeom.learning.functions.function_loss import FunctionLoss, descend, initial_weights

    form = np.poly(np.tan(np.pi * (rng.random(network.degree) - 0.5)))
    form /= np.linalg.norm(form)
    infima = boundary_infima(form.tolist(), norm="unit")
    target = torch.from_numpy(form[:, None].copy())
    loss = FunctionLoss(network, torch.eye(len(form), dtype=torch.float64), target, 0.0, 1)
    starts = initial_weights(network, case.runs, rng=int(rng.integers(2**31)))
    with torch.no_grad():
        functions = loss.functions(descend(loss, starts, steps=case.steps))
    limits = torch.from_numpy(np.array([function for _, function in infima]).reshape(-1, 1, len(form)))
    distances = torch.cdist(functions.flatten(1), limits.flatten(1)).numpy()
    near = (distances < _NEAR) & (distances == distances.min(axis=1, keepdims=True))
    lengths = loss.value(functions).sqrt().numpy()
    return _row(len(infima), near[:, 0], int(near.any(axis=0).sum()), float(lengths.min()), infima[0][0], complex=1)


def shares(table: pandas.DataFrame) -> pandas.DataFrame:
    """One row for each network, question and kind of labels.

    ``solvable``: the share of data sets with a solution by algebra; ``trained``: with a run that ends at the best of
    them; ``missed``: solvable data sets that no run solves; ``extra``: data sets that a run fits although algebra finds
    no real weights, which must be 0; ``runs``: the mean share of runs that end at the best, of solvable data sets;
    ``exact``, ``found``: mean numbers of solutions and of those reached; ``below``: data sets where a run ends clearly
    below the infimum by algebra, which must be 0.
    """
    import pandas

    rows = []
    for (network, question, labels), part in table[table["exact"] >= 0].groupby(
        ["network", "question", "labels"], sort=False
    ):
        solvable, trained = part["exact"] > 0, part["best"] > 0
        below = part["least"] < part["infimum"] * (1 - _LEAST) - _SAME
        rows.append(
            {
                "network": network,
                "question": question,
                "labels": labels,
                "data_sets": len(part),
                "solvable": float(solvable.mean()),
                "trained": float(trained.mean()),
                "missed": int((solvable & ~trained).sum()),
                "extra": int((~solvable & trained).sum()),
                "runs": float((part["best"] / part["runs"])[solvable].mean()),
                "exact": float(part["exact"].mean()),
                "found": float(part["found"].mean()),
                "below": int((below & solvable).sum()),
            }
        )
    return pandas.DataFrame(rows)


def plot(table: pandas.DataFrame) -> Any:
    """Data sets fitted over the number of starts, and the share of runs that end at the best solution."""
    figure, ((left, right),) = subplots(1, 2, 3.0)
    found = shares(table)
    for k, row in enumerate(found[found["question"] == FITS].to_dict("records")):
        part = table[(table[["network", "question", "labels"]] == [row["network"], FITS, row["labels"]]).all(axis=1)]
        part = part[part["exact"] >= 0]
        starts = np.arange(1, int(part["runs"].max()) + 1)
        first = part["first"].to_numpy()
        share = [float(((first > 0) & (first <= s)).mean()) for s in starts]
        colour = COLOURS[k % len(COLOURS)]
        left.plot(starts, share, color=colour, label=f"{row['network']}, {row['labels']} labels")
        left.axhline(row["solvable"], color=colour, linestyle=":", linewidth=1)
    left.set(
        xscale="log", xlabel="starts (dotted: real weights exist)", ylabel="share of data sets fitted", ylim=(0, 1)
    )
    legend(left, **BELOW)
    others = found[found["question"] != FITS]
    for k, row in enumerate(others.to_dict("records")):
        part = table[(table["network"] == row["network"]) & (table["question"] == row["question"])]
        part = part[part["exact"] > 0]
        right.plot(
            np.sort(part["best"] / part["runs"]), np.linspace(0, 1, len(part)), color=COLOURS[k % len(COLOURS)],
            label=f"{row['network']}, {row['question']}",
        )  # fmt: skip
    right.set(xlabel="share of runs that end at the best", ylabel="share of data sets", xlim=(0, 1), ylim=(0, 1))
    legend(right, **BELOW)
    return figure


def summarise(table: pandas.DataFrame) -> str:
    """A line for each network and question."""
    lines = []
    for row in shares(table).to_dict("records"):
        name = f"{row['network']}, {row['question']}, {row['labels']}"
        if row["question"] == FITS:
            told = (
                f"real weights fit {row['solvable']:.1%} of {row['data_sets']} data sets, training {row['trained']:.1%}"
            )
            told += f"; {row['missed']} missed by all runs, {row['extra']} fitted where algebra finds none"
        else:
            told = f"{row['exact']:.2f} solutions, {row['found']:.2f} reached; the best in {row['trained']:.1%} of "
            told += f"{row['data_sets']} data sets; {row['below']} with a run below it"
        lines.append(f"{name}: {told}; {row['runs']:.1%} of runs end at the best")
    return "\n".join(lines)


STUDY = Study(
    "real-solutions",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    trains=False,
)

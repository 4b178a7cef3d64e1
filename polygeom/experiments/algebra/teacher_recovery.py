"""When does a student that interpolates a teacher become the teacher? At the dimension, one sample more for certain.

Students and teachers of one architecture, samples at random points, fits to machine zero. Below the determining number
n* (the dimension for one output) interpolating students differ from their teachers; from n* + 1 on they are their
teachers, everywhere, and where the architecture is identifiable with the teachers' weights up to permutations and
scalings. Further cases: teachers outside the neurovariety, students that can be any polynomial, and samples that vary
in some input directions only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from polygeom._dataclass import dataclass
from polygeom.experiments.study import Case, Study, option
from polygeom.experiments.style import BELOW, COLOURS, legend, subplots
from polygeom.network import Network, mlp, parse

if TYPE_CHECKING:
    import pandas

QUICK = (
    "[3,3,3] r=2",
    "[2,2,2,2] r=2",
    "[3,2,1] r=2",
    "[4,3,1] r=2",
    "[6,3,1] r=2",
    "[2,2,1] r=2",
    "[2,2,1] r=4",
    "[3,4,1] r=4",
    "[3,3,2] r=3",
    "[4,4,2] r=3",
    "[3,3,2,2] r=2",
    "[3,3,3,1] r=2",
    "[2,2,2,2,1] r=2",
    "[5,1,3] r=2",
    "[5,2,4] r=2",
    "[2,2,2] r=2 bias",
    "ccp(3,rank=2,degree=2)",
    "ccp(3,rank=2,degree=3)",
    "ncp(3,rank=2,degree=2)",
    "product_network(4,rank=2,degree=2,outputs=2)",
    "convolutional(6,kernels=[3,2],degrees=2)",
    "convolutional(6,kernels=[3,4],degrees=2)",
    "lightning_attention(tokens=2,features=3,rank=1,outputs=2)",
    "lightning_attention(tokens=2,features=3,rank=2,outputs=1)",
)
LARGER = ("[5,5,5,1] r=2", "[4,4,4] r=2", "[5,4,3] r=3", "[3,5,1] r=4", "[8,4,1] r=2", "[3,3,3,2] r=2")
OUTSIDE = (
    ("[3,2,1] r=2", "[3,3,1] r=2"),
    ("[4,2,1] r=2", "[4,4,1] r=2"),
    ("[3,3,3] r=2", "[3,6,3] r=2"),
    ("[2,2,2,2] r=2", "[2,4,4,2] r=2"),
    ("[3,4,1] r=4", "[3,9,1] r=4"),
)
FILLING = (("[2,2,1] r=2", "[2,4,1] r=2"), ("[3,6,1] r=2", "[3,3,1] r=2"), ("[3,6,3] r=2", "[3,3,3] r=2"))
DIRECTIONS = (("[4,3,1] r=2", 3), ("[4,3,3] r=2", 2), ("[4,3,2,2] r=2", 2), ("[5,3,1] r=3", 3))
SITUATIONS = ("same", "outside", "filling", "directions")


@dataclass(frozen=True)
class Options:
    """Options of a case."""

    teachers: int = option(5, "Teachers for each number of samples.")
    restarts: int = option(10, "Students for each teacher.")
    steps: int = option(200, "Levenberg–Marquardt steps of a fit.")


@dataclass(frozen=True)
class Config(Options):
    """Options of the study."""

    situations: tuple[str, ...] = option(
        SITUATIONS,
        "same: teachers of the students' architecture; outside: wider teachers; filling: students that can be any "
        "polynomial; directions: samples that vary in some coordinates only.",
        choices=SITUATIONS,
    )
    networks: str = option(";".join(QUICK), "Networks of the first situation, separated by semicolons.")


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A network in one situation."""

    situation: str
    network: str
    directions: int | None = None
    teacher: str | None = None


PRESETS = {
    "quick": Config(networks=";".join(QUICK[:10]), teachers=3, restarts=4),
    "page": Config(),
    "small": Config(situations=("same",), networks="[3,2,1] r=2", teachers=2, restarts=3, steps=60),
    "published": Config(networks=";".join(QUICK + LARGER), teachers=8, restarts=24, steps=400),
}


def cases(config: Config) -> list[Piece]:
    """One case for each network of each situation."""
    texts = [text.strip() for text in config.networks.split(";") if text.strip()]
    work: list[Piece] = []
    for situation in config.situations:
        if situation == "same":
            work += [Piece.of(config, situation=situation, network=parse(text).text) for text in texts]
        elif situation == "directions":
            work += [Piece.of(config, situation=situation, network=text, directions=m) for text, m in DIRECTIONS]
        else:
            pairs = OUTSIDE if situation == "outside" else FILLING
            work += [Piece.of(config, situation=situation, network=text, teacher=other) for text, other in pairs]
    return work


def measure(case: Piece) -> list[dict[str, Any]]:
    """One row for each number of samples that was tried."""
    from polygeom.dimensions.evaluation import evaluation_ranks
    from polygeom.learning.thresholds.recovery import recover_teachers, recovery_threshold

    network = parse(case.network)
    options: dict[str, Any] = {"teachers": case.teachers, "restarts": case.restarts, "steps": case.steps}
    options["rng"] = case.seed
    if case.situation == "same":
        found = recovery_threshold(network, **options)
        determining, counts = found.determining, found.counts
    else:
        exact = evaluation_ranks(restricted(network, case.directions))
        determining = exact.determining
        extra: dict[str, Any] = {"teacher": case.teacher, "directions": case.directions}
        sizes = range(max(1, determining - 3), determining + 4)
        counts = tuple(recover_teachers(network, n, **extra, **options) for n in sizes)
    exact = evaluation_ranks(network)
    shared = {
        "situation": case.situation,
        "network": network.text,
        "teacher": case.teacher,
        "directions": case.directions,
        "outputs": exact.outputs,
        "parameters": network.parameter_count,
        "dimension": exact.dimension,
        "determining": determining,
    }
    return [shared | count.as_dict() for count in counts]


def restricted(network: Network, directions: int | None) -> Network:
    """A perceptron on the first ``directions`` coordinates: what samples in their span see of ``network``."""
    if directions is None:
        return network
    assert network.widths is not None
    return mlp((directions, *network.widths[1:]), network.activation_degrees)


def thresholds(table: pandas.DataFrame) -> pandas.DataFrame:
    """For each network of the first situation: the first number of samples with a recovery, and from where all are.

    Returns
    -------
    Columns ``network``, ``outputs``, ``parameters``, ``dimension``, ``determining``, ``first``, ``certain``, ``agrees``
    (no recovery below the determining number, and none missing above).
    """
    import pandas

    rows = []
    for network, part in table[table["situation"] == "same"].groupby("network", sort=False):
        some = part[part["recovered"] > 0]["samples"]
        part = part[part["reached"] > 0]
        share = part["recovered"] / part["reached"]
        unsure = part["samples"][share < 1].max()
        above = part["samples"][(part["samples"] > unsure) | (unsure != unsure)]
        determining = int(part["determining"].iloc[0])
        lower, upper = part["samples"] < determining, part["samples"] > determining
        rows.append(
            {
                "network": network,
                **{name: int(part[name].iloc[0]) for name in ("outputs", "parameters", "dimension")},
                "determining": determining,
                "first": some.min(),
                "certain": above.min(),
                "agrees": bool((share[lower] == 0).all() and (share[upper] == 1).all()),
            }
        )
    return pandas.DataFrame(rows)


def shares(table: pandas.DataFrame, column: str = "recovered") -> pandas.DataFrame:
    """``column`` over students that interpolate, by situation and samples beyond the determining number."""
    near = table.assign(excess=table["samples"] - table["determining"]).query("-4 <= excess <= 4 and reached > 0")
    near = near.dropna(subset=[column])
    sums = near.groupby(["situation", "excess"], sort=False)[
        list(dict.fromkeys([column, "reached", "recovered"]))
    ].sum()
    return sums.sort_index().reset_index()


def plot(table: pandas.DataFrame) -> Any:
    """Thresholds over parameters and dimension; shares of students that are their teachers; other situations."""
    figure, (panels,) = subplots(1, 3, 2.9)
    found = thresholds(table)
    if len(found):
        top = float((found["parameters"] / found["outputs"]).max()) * 1.08
        panels[0].plot([0, top], [0, top], color="0.7", linewidth=1, zorder=0)
        for name, marker, colour in (("parameters", "+", "0.45"), ("dimension", "o", COLOURS[0])):
            x = found[name] / found["outputs"]
            panels[0].scatter(
                x, found["first"], marker=marker, color=colour, s=14, linewidth=0.9, label=f"{name} / outputs"
            )
        panels[0].set(xlabel="parameters or dimension / outputs", ylabel="samples for a first recovery")
        legend(panels[0], **BELOW)
    _steps(panels[1], table)
    _situations(panels[2], table)
    for axes in panels[1:]:
        axes.set(xlabel="samples - determining number", ylim=(-0.04, 1.04))
        axes.axvline(0, color="0.8", linewidth=1, zorder=0)
    panels[1].set_ylabel("share of interpolating students")
    return figure


def _steps(axes: Any, table: pandas.DataFrame) -> None:
    same = table[table["situation"] == "same"]
    same = same.assign(excess=same["samples"] - same["determining"]).query("-4 <= excess <= 4 and reached > 0")
    for _, part in same.groupby("network", sort=False):
        axes.plot(part["excess"], part["recovered"] / part["reached"], color=COLOURS[0], alpha=0.25, linewidth=0.8)
    curves = (
        ("same", "recovered", COLOURS[0], "o-", "same function"),
        ("same", "recovered_weights", COLOURS[1], "x--", "same weights up to symmetry"),
    )
    _curves(axes, table, curves)


def _situations(axes: Any, table: pandas.DataFrame) -> None:
    curves = (
        ("filling", "recovered", COLOURS[2], "s-", "any teacher, filling student"),
        ("directions", "recovered_inside", COLOURS[0], "o-", "too few directions: in their span"),
        ("directions", "recovered", COLOURS[4], "^--", "too few directions: everywhere"),
        ("outside", "recovered", COLOURS[1], "x:", "teacher outside"),
    )
    _curves(axes, table, curves)


def _curves(axes: Any, table: pandas.DataFrame, curves: Iterable[tuple[str, str, str, str, str]]) -> None:
    """One for each situation, column, colour, style of line and label."""
    for situation, column, colour, style, label in curves:
        part = shares(table[table["situation"] == situation], column)
        if len(part):
            axes.plot(part["excess"], part[column] / part["reached"], style, color=colour, markersize=4, label=label)
    legend(axes, **BELOW)


def summarise(table: pandas.DataFrame) -> str:
    """Agreement with the theorem, correlations, and the other situations."""
    lines = []
    found = thresholds(table)
    if len(found):
        exact = int((found["first"] == found["determining"]).sum())
        lines.append(
            f"teachers of the same architecture: {int(found['agrees'].sum())} of {len(found)} networks agree (no "
            f"recovery below the determining number n*, all above); first recovery at n* for {exact}"
        )
        known = found.dropna(subset=["first"])
        if len(known) > 2:
            for name in ("parameters", "dimension"):
                correlation = (known[name] / known["outputs"]).corr(known["first"].astype(float))
                lines.append(f"  first recovery over {name} / outputs: correlation {correlation:.4f}")
        weights = table[(table["situation"] == "same") & table["recovered_weights"].notna()]
        total, same = int(weights["recovered"].sum()), int(weights["recovered_weights"].sum())
        lines.append(f"  identifiable networks: {same} of {total} recovered functions have the teacher's weights")
    for situation in [name for name in SITUATIONS[1:] if name in set(table["situation"])]:
        part = table[(table["situation"] == situation) & (table["samples"] > table["determining"])]
        sums = part[["runs", "reached", "recovered", "recovered_inside"]].sum()
        lines.append(
            f"{situation}: above n* {sums['reached']} of {sums['runs']} students interpolate, {sums['recovered']} of "
            f"them are the teacher everywhere, {sums['recovered_inside']} where samples vary"
        )
    return "\n".join(lines)


STUDY = Study(
    "teacher-recovery",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
)

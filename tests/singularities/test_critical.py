"""Critical weights, where the Jacobian of weights ↦ functions loses rank: against exhaustion and determinants."""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flint
import numpy as np
import pytest
from here import of_the_repository

from polygeom.cli import run
from polygeom.engines.symbolic import coefficient_map
from polygeom.errors import PolygeomError
from polygeom.network import parse
from polygeom.singularities import critical_locus, subnetwork_threshold
from polygeom.singularities.critical.charts import charts
from polygeom.singularities.critical.locus import rational_rank
from polygeom.singularities.critical.strata import Subnetwork, is_subnetwork
from polygeom.singularities.critical.table import build_table, few_weights


def derivatives(text: str) -> list[list[list[tuple[int, tuple[int, ...]]]]]:
    """The Jacobian of the coefficient map as lists of terms: the definition, without any of the code that is tested."""
    return [
        [[(int(v), tuple(a)) for a, v in c.diff(g).terms()] for g in c.ring.gens]
        for c in coefficient_map(parse(text)).values()
    ]


def values(jacobian: list[list[list[tuple[int, tuple[int, ...]]]]], points: np.ndarray, p: int) -> np.ndarray:
    """At many points, modulo p: (points, coefficients, weights)."""
    powers = [np.ones_like(points)]
    for _ in range(8):
        powers.append(powers[-1] * points % p)
    table = np.stack(powers)
    found = np.zeros((len(points), len(jacobian), len(jacobian[0])), dtype=np.int64)
    for i, row in enumerate(jacobian):
        for j, terms in enumerate(row):
            for value, exponents in terms:
                term = np.full(len(points), value % p)
                for k, e in enumerate(exponents):
                    if e:
                        term = term * table[e, :, k] % p
                found[:, i, j] += term
    return found % p


def is_smaller(widths: tuple[int, ...], point: np.ndarray, p: int) -> bool:
    """Whether weights modulo p have an idle neuron or two parallel ones: written once more."""
    start, matrices = 0, []
    for a, b in itertools.pairwise(widths):
        matrices.append(point[start : start + a * b].reshape(b, a))
        start += a * b
    for one, other in itertools.pairwise(matrices):
        if not one.any(axis=1).all() or not other.any(axis=0).all():
            return True
        for x, y in itertools.combinations(one, 2):
            if not ((np.outer(x, y) - np.outer(y, x)) % p).any():
                return True
    return False


@pytest.mark.parametrize(("text", "generic"), [("[2,2,1] r=2", 3), ("[2,2,2] r=2", 6), ("[3,2,1] r=2", 5)])
def test_all_weights_over_the_field_of_three_elements(text: str, generic: int) -> None:
    network = parse(text)
    widths = network.widths
    assert widths is not None
    points = np.array(list(itertools.product(range(3), repeat=network.parameter_count)))
    points = np.array([point for point in points if not is_smaller(widths, point, 3)])
    others = set()
    for point, matrix in zip(points, values(derivatives(text), points, 3), strict=True):
        if flint.nmod_mat(*matrix.shape, matrix.ravel().tolist(), 3).rank() < generic:
            outgoing = point[widths[0] * widths[1] :].reshape(widths[2], widths[1])
            others.add(
                "parallel" if flint.nmod_mat(widths[2], 2, outgoing.ravel().tolist(), 3).rank() == 1 else "other"
            )
    found = critical_locus(text)
    assert found.rank == generic
    assert others == (set() if found.only_subnetworks else {"parallel"})
    assert found.only_subnetworks == (text != "[2,2,2] r=2")


KNOWN = [
    ("[3,3,1] r=2", "weights into layer 1 of rank 2", 11, 5),
    ("[3,3,1] r=3", "weights into layer 1 of rank 2", 11, 7),
    ("[3,3,1] r=4", "weights into layer 1 of rank 2", 11, 8),
    ("[2,3,2] r=3", "weights into layer 2 of rank 1", 10, 7),
    ("[2,3,2] r=4", "weights into layer 2 of rank 1", 10, 8),
    ("[2,2,2,2] r=2", "weights into layer 3 of rank 1", 11, 7),
]


@pytest.mark.parametrize(("text", "words", "dimension", "rank"), KNOWN)
def test_a_witness_outside_every_subnetwork(text: str, words: str, dimension: int, rank: int) -> None:
    found = critical_locus(text, rng=3)
    assert (found.only_subnetworks, found.status) == (False, "proved")
    (one,) = [c for c in found.components if c.kind != "subnetwork"]
    assert (one.text, one.dimension, one.rank) == (words, dimension, rank)
    matrices = [np.array(m, dtype=object) for m in one.weights]
    assert not is_subnetwork(matrices)
    flat = [int(v) for m in matrices for v in m.ravel()]
    rows = [
        [sum(v * math.prod(x**e for x, e in zip(flat, a, strict=True)) for v, a in terms) for terms in row]
        for row in derivatives(text)
    ]
    assert flint.fmpz_mat(rows).rank() == rank < found.rank
    network = parse(text)
    assert network.widths is not None
    assert network.activation_degrees is not None
    assert rational_rank(network.widths, network.activation_degrees, matrices) == rank


@pytest.mark.parametrize(
    "text",
    ["[2,3,2] r=2", "[2,3,2] r=5", "[3,3,1] r=5", "[2,3,1] r=3", "[2,4,1] r=2", "[2,2,2,1] r=2", "[2,2,2,2] r=3"],
)
def test_only_subnetworks(text: str) -> None:
    found = critical_locus(text)
    assert (found.only_subnetworks, found.status) == (True, "proved")
    network = parse(text)
    widths = network.widths
    assert widths is not None
    rng = np.random.default_rng(5)
    sizes = [a * b for a, b in itertools.pairwise(widths)]
    small = rng.integers(-2, 3, (150, sum(sizes)))
    for point in small[[not is_smaller(widths, point, 1009) for point in small]][:40]:
        parts = np.split(point.astype(object), np.cumsum(sizes)[:-1])
        matrices = [m.reshape(b, a) for m, (a, b) in zip(parts, itertools.pairwise(widths), strict=True)]
        assert network.activation_degrees is not None
        assert rational_rank(widths, network.activation_degrees, matrices) == found.rank


def cross_ratio(points: np.ndarray) -> float:
    """Of four rows of length two."""

    def bracket(i: int, j: int) -> float:
        return float(points[i][0] * points[j][1] - points[i][1] * points[j][0])

    return bracket(0, 2) * bracket(1, 3) / (bracket(0, 3) * bracket(1, 2))


def test_a_component_that_no_layer_of_small_rank_explains() -> None:
    found = critical_locus("[2,4,2] r=5")
    others = [c for c in found.components if c.kind == "other"]
    assert (found.rank, found.only_subnetworks, others[0].dimension) == (12, False, 15)
    assert "t0*t2*t3 - t1*t4" in others[0].text

    def matrix(incoming: np.ndarray, outgoing: np.ndarray) -> np.ndarray:
        """A square part of the Jacobian: incoming weights move at right angles to themselves."""
        columns = []
        for (a, b), v in zip(incoming, outgoing.T, strict=True):
            power = np.array([math.comb(5, k) * a ** (5 - k) * b**k for k in range(6)])
            slope = np.array([math.comb(4, k) * a ** (4 - k) * b**k for k in range(5)])
            columns += [np.kron(np.eye(2)[o], power) for o in range(2)]
            columns.append(np.kron(v, np.append(0, a * slope) - np.append(b * slope, 0)))
        return np.array(columns)

    rng, roots = np.random.default_rng(2), 0
    for _ in range(3):
        (w, dw), (v, dv) = rng.normal(size=(2, 4, 2)), rng.normal(size=(2, 2, 4))

        def sign(s: float, w: np.ndarray = w, dw: np.ndarray = dw, v: np.ndarray = v, dv: np.ndarray = dv) -> float:
            return float(np.linalg.slogdet(matrix(w + s * dw, v + s * dv))[0])

        grid = np.linspace(-3, 3, 25)
        signs = [sign(s) for s in grid]
        for low, high, change in zip(grid, grid[1:], np.diff(signs), strict=False):
            if change:
                begin = sign(low)
                for _ in range(40):
                    middle = (low + high) / 2
                    low, high = (middle, high) if sign(middle) == begin else (low, middle)
                one, other = cross_ratio(w + low * dw), cross_ratio((v + low * dv).T)
                factors = [abs(one), abs(one - 1), 1 / max(abs(one), 1e-9)]
                if min(factors) > 1e-4:
                    roots += 1
                    assert abs(one - other) < 1e-5 * max(1, abs(one))
    assert roots > 2


@pytest.mark.thorough
def test_the_table_of_all_architectures_with_at_most_twelve_weights(tmp_path: Path) -> None:
    with of_the_repository("docs/critical_weights.csv").open(encoding="utf-8") as file:
        rows = {row["widths"]: row for row in csv.DictReader(file)}
    asked = {f"[{','.join(map(str, w))}]": w for w in few_weights(12)}
    assert (len(rows), set(rows)) == (997, set(asked))
    assert {row["status"] for row in rows.values()} == {"proved"}
    other = {name: (row["from"], row["beyond"]) for name, row in rows.items() if row["beyond"]}
    assert len(other) == 9
    assert (other["[3,3,1]"], other["[2,3,2]"], other["[2,2,2,2]"]) == (("5", "2 3 4"), ("5", "3 4"), ("3", "2"))
    for name in (*other, "[2,3,1,1]", "[2,1,2,1]", "[3,2,2,1]", "[2,2,1,1,1,1,1,1,1]"):
        found = subnetwork_threshold(asked[name])
        assert (str(found.value), " ".join(map(str, found.beyond))) == (rows[name]["from"], rows[name]["beyond"])
    again = tmp_path / "table.csv"
    assert build_table(again, 5) == build_table(again, 5) == sum(int(row["weights"]) <= 5 for row in rows.values())
    written = again.read_text(encoding="utf-8").splitlines()
    lines = of_the_repository("docs/critical_weights.csv").read_text(encoding="utf-8").splitlines()
    assert set(written) <= set(lines)


def test_the_table_is_built_where_the_command_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    executor = object()

    @contextmanager
    def cluster(address: str | None, workers: int) -> Iterator[tuple[object, int]]:
        asked.append((address, workers))
        yield executor, 7

    def build(out: str, most: int, **how: object) -> int:
        asked.append((out, most, how["workers"], how["executor"]))
        return 1

    monkeypatch.setattr("polygeom.commands.algebra.threshold.crew", cluster)
    monkeypatch.setattr("polygeom.singularities.critical.table.build_table", build)
    assert run(["threshold", "--singular", "--all", "5", "--out", "t.csv", "--dask", "tcp://there:1"]) == 0
    assert asked == [("tcp://there:1", 1), ("t.csv", 5, 7, executor)]


def test_fewer_powers_than_forms_make_a_deep_feature_vanish() -> None:
    found = subnetwork_threshold((2, 4, 1, 1))
    assert (found.value, found.beyond, found.where) == (3, (2,), ("the last wide layer computes zero",))
    assert critical_locus("[2,4,1,1] r=2").only_subnetworks is False
    assert subnetwork_threshold((2, 3, 2, 1)).status == "unknown"


def test_subnetworks_as_varieties() -> None:
    pair, deaf = Subnetwork(parallel=((1, (1, 2)),)), Subnetwork(deaf=((1, 3),))
    widths = (3, 3, 2)
    assert (pair.dimension(widths), deaf.dimension(widths)) == (13, 12)
    assert pair.contains(deaf, widths)
    assert not deaf.contains(pair, widths)
    assert pair.joined(Subnetwork(parallel=((1, (2, 3)),))).parallel == ((1, (1, 2, 3)),)
    texts = [c.text for c in critical_locus("[2,2,1] r=2").components]
    silent = "neuron {} of layer 1 without outgoing weights"
    assert texts == [
        "neurons 1, 2 of layer 1 with parallel incoming weights",
        f"{silent.format(1)} and {silent.format(2)}",
    ]


def echelon(matrix: np.ndarray) -> tuple[tuple[bool, tuple[int, ...]], ...]:
    """For each row modulo 3, whether it is independent of those before; and which of the independent ones it needs."""
    basis: list[np.ndarray] = []
    rows = []
    for row in matrix:
        span = np.array(basis, dtype=int).reshape(-1, len(row))
        found = [
            c for c in itertools.product(range(3), repeat=len(span)) if not ((np.array(c, int) @ span - row) % 3).any()
        ]
        if not found:
            basis.append(row)
        rows.append((not found, tuple(i for i, x in enumerate(found[0]) if x) if found else (len(basis) - 1,)))
    return tuple(rows)


@pytest.mark.parametrize("shape", [(3, 2), (3, 3), (4, 2)])
def test_the_charts_of_the_first_layer_are_the_echelon_forms(shape: tuple[int, int]) -> None:
    drawn = np.random.default_rng(1).integers(0, 3, (500, *shape))
    outgoing = np.ones((1, shape[0]), dtype=int)
    widths = (shape[1], shape[0], 1)
    apart = [m for m in drawn if not is_smaller(widths, np.append(m.ravel(), outgoing), 3)]
    seen = set()
    for chart in charts(widths, (2,)):
        rows = chart.matrices[0]
        supports = [tuple(i for i, e in enumerate(row) if e) for row in rows]
        new = [max(s) not in {max(t) for t in supports[:k]} and len(s) == 1 for k, s in enumerate(supports)]
        seen.add(tuple(zip(new, supports, strict=True)))
    assert {echelon(m) for m in apart} == seen


def test_the_charts_of_a_middle_layer_have_every_pattern_of_zeros() -> None:
    wanted = set()
    for point in itertools.product(range(3), repeat=6):
        m = np.array(point).reshape(2, 3)
        if m.any(axis=0).all() and m.any(axis=1).all() and np.cross(m[0], m[1]).any():
            wanted.add(tuple(map(tuple, (m > 0).tolist())))
    found = {tuple(tuple(e > 0 for e in row) for row in c.matrices[1]) for c in charts((3, 3, 2, 1), (2, 2))}
    assert found == wanted


@pytest.mark.thorough
def test_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["identifiability", "[3,3,1] r=3", "--critical", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["only_subnetworks"] is False
    assert run(["threshold", "--singular", "[2,2,2]"]) == 0
    assert "every r ≥ 3 (proved); others for r = 2" in capsys.readouterr().out
    assert run(["threshold", "--singular", "[3,9,1]", "--timeout", "0.01"]) == 3
    assert "unknown" in capsys.readouterr().out
    assert run(["threshold", "--singular", "--all", "12"]) == 2
    assert run(["threshold", "[2,2,2]", "--timeout", "3"]) == 2


@pytest.mark.parametrize("text", ["[3,3,1] r=1", "[3,1] r=2", "[2,2,1] r=2 bias", "cnn(5; 2, 2) r=2"])
def test_other_networks_are_refused(text: str) -> None:
    with pytest.raises(PolygeomError):
        critical_locus(text)

"""The studies of learning coefficients: batches of different shapes, and what is called nearest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest

torch = pytest.importorskip("torch", reason="studies need the extra learn")

from polygeom.experiments.algebra.learning_coefficient import (  # noqa: E402
    PRESETS,
    Batch,
    cases,
    compared,
    conditioned,
)
from polygeom.experiments.algebra.preferred_strata import nearest  # noqa: E402
from polygeom.learning.functions.perceptrons import PerceptronEnergy  # noqa: E402
from polygeom.network import parse  # noqa: E402
from polygeom.singularities import learning_coefficient  # noqa: E402


def test_the_published_preset_has_a_thousand_strata() -> None:
    pieces = [(text, at) for case in cases(PRESETS["published"]) for text, at in zip(case.texts, case.at, strict=True)]
    assert len(pieces) == len(set(pieces)) >= 1000


def test_a_batch_of_shapes_is_each_network_by_itself() -> None:
    networks = [parse("[2,2,1] r=2"), parse("[3,2,2] r=2")]
    weights = [conditioned(network, "generic", 3, 0) for network in networks]
    batch = Batch.of(networks, weights, 0)
    moved = batch.centres + 0.1 * torch.randn(batch.centres.shape, generator=torch.Generator().manual_seed(0)).double()
    found = batch.energy()(moved)
    for k, network in enumerate(networks):
        assert network.widths is not None
        own = moved[k][batch.masks[k] > 0][None]
        alone = PerceptronEnergy(network, weights[k][None], batch.x[:, : network.widths[0]])(own)
        torch.testing.assert_close(found[k : k + 1], alone)


def test_what_is_nearest() -> None:
    network = parse("[2,2,1] r=3")
    assert nearest(network, np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.01]))[0] == "silent 1"
    assert nearest(network, np.array([1.0, 0.0, 0.01, 0.0, 1.0, 1.0]))[0] == "deaf 1"
    assert nearest(network, np.array([1.0, 0.0, 1.0, 0.01, 1.0, 1.0]))[0] == "duplicate 1=2"
    assert nearest(network, np.array([1.0, 0.0, 0.0, 1.0, 1.0, 1.0]))[0] == "generic"


def test_a_reach_keeps_what_lives_alive_and_leaves_zeros_free() -> None:
    network = parse("[2,2,1] r=3")
    weights = conditioned(network, "silent 1", 3, 0)
    reach = Batch.of([network], [weights], 0).reach(0.3)[0]
    assert torch.isinf(reach)[weights == 0].all()
    rows = weights[:4].reshape(2, 2)
    assert ((reach[:4].reshape(2, 2).square().sum(1)).sqrt() <= 0.3 * rows.square().sum(1).sqrt() + 1e-12).all()
    assert (reach[weights != 0] > 0).all()


def levels_of_a_product(laws: str, betas: list[float]) -> np.ndarray:
    """``b E[K]`` of ``K = Π a_i² / 2``, by the law of the sum of ``log a_i²`` on a grid.

    A factor is normal (``n``) or a scalar product of two normal vectors of the plane, which has Laplace's law (``l``).
    """
    step, size = 0.01, 1 << 17
    u = np.arange(-60, 10, step)
    known = {"n": np.exp(u / 2 - np.exp(u) / 2), "l": np.exp(u / 2 - np.exp(u / 2))}
    spectrum = np.prod([np.fft.rfft(known[law] / known[law].sum(), size) for law in laws], axis=0)
    total = np.fft.irfft(spectrum, size).clip(min=0)
    loss = np.exp((-60 * len(laws) + step * np.arange(size)).clip(-700, 40)) / 2
    return np.array([b * (total * np.exp(-b * loss) * loss).sum() / (total * np.exp(-b * loss)).sum() for b in betas])


def test_the_correction_is_slow_where_many_poles_meet() -> None:
    """Why products of four and five factors look too large: λ is 1/2, the exact levels, corrected, .56 to .61.

    The third is ``[1,1,2,1,1,1] r=1`` at rank 0: three weights and the scalar product of the two in the middle.
    """
    betas = [10.0 * 4.0**k for k in range(5, 9)]
    for laws, wanted in (("nnnn", 0.565), ("nnnnn", 0.608), ("nnnl", 0.558)):
        corrected = levels_of_a_product(laws, betas) + (len(laws) - 1) / np.log(betas)
        assert abs(corrected.mean() - wanted) < 0.003
    for laws in ("nnnn", "nnnl"):
        (cold,) = levels_of_a_product(laws, [1e20])
        assert abs(cold + 3 / np.log(1e20) - 0.5) < 0.01


def test_the_table_of_the_page_is_of_the_preset_and_keeps_what_has_not_converged() -> None:
    table = pandas.read_csv(Path(__file__).parents[3] / "docs" / "studies" / "learning_coefficient.csv")
    found = set(zip(table["network"], table["at"], strict=True))
    assert found == {(n, a) for case in cases(PRESETS["published"]) for n, a in zip(case.texts, case.at, strict=True)}
    part = compared(table)
    met = part[part["converged"]]
    assert (len(part), len(met), int((met["deviations"].abs() > 3).sum())) == (1007, 987, 5)
    for _, row in table.sample(6, random_state=0).iterrows():
        exact = learning_coefficient(row["network"], None if row["at"] == "generic" else row["at"])
        assert row["exact"] == str(exact.value) or (exact.value is None and pandas.isna(row["exact"]))

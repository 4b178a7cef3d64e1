"""Which weights a certificate of a dimension tries, how many points, and when it gives up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from polygeom.dimensions import dimension
from polygeom.dimensions.bounds.search import proved_bound
from polygeom.dimensions.proofs import certificate
from polygeom.dimensions.proofs.certificate import _special_weights, _witness, certified, certify
from polygeom.errors import BudgetError, PolygeomError
from polygeom.modular import P22, PrimeField
from polygeom.network import Network, parse

FIELD = PrimeField(P22)


@pytest.mark.parametrize(
    ("text", "method", "drawn"),
    [
        ("[2,3,1] r=2", "generic", "structured (2, 3, 1)"),
        ("[2,3,1] r=2", certificate.SPARSE, "sparse (2, 3, 1)"),
        ("[2,2,5] r=2", "generic", "structured (2, 2, 2)"),
        ("[2,3,3] r=2", "generic", "structured (2, 3, 3)"),
        ("[2,5]", "generic", "random"),
        ("[2,2,3,1] r=1,2", "generic", "random"),
        ("[3,5,4,1] r=1,2", "generic", "random"),
        ("[3,2,3,1] r=1,2", "generic", "structured (3, 2, 3, 1)"),
        ("[2,2,1] r=2 bias", "generic", "random"),
        ("convolutional(4,kernels=[2,2],degrees=2)", certificate.SPARSE, "random"),
    ],
)
def test_weights_are_those_of_the_search(monkeypatch: pytest.MonkeyPatch, text: str, method: str, drawn: str) -> None:
    """Layers that could be left out have no special weights; surplus outputs are zero."""
    seen: list[str] = []
    network = parse(text)
    for name in ("structured", "sparse"):
        honest = getattr(certificate, f"{name}_weights")

        def draw(widths: Any, field: Any, rng: Any, name: str = name, honest: Any = honest) -> Any:
            seen.append(f"{name} {tuple(widths)}")
            return honest(widths, field, rng)

        monkeypatch.setattr(certificate, f"{name}_weights", draw)
    weights = _special_weights(network, method, FIELD, np.random.default_rng(0))
    assert (seen or ["random"]) == [drawn]
    assert {name: value.shape for name, value in weights.items()} == dict(network.parameters)
    if text == "[2,2,5] r=2":
        last = list(weights.values())[-1]
        assert last[:2].any()
        assert not last[2:].any()


def test_points_grow_until_the_rank_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    network = parse("[2,3,1] r=2")
    result = dimension(network)
    counts: list[int] = []
    honest = certificate._points

    def points(network: Network, field: Any, rng: Any, count: int) -> Any:
        counts.append(count)
        return honest(network, field, rng, count)

    monkeypatch.setattr(certificate, "_points", points)
    _witness(network, result, 0)
    assert counts == [3]
    monkeypatch.setattr(certificate, "rank", lambda *_, **__: result.lower - 1)
    monkeypatch.setattr(certificate, "_MOST_BYTES", 10**30)
    monkeypatch.setattr(certificate, "jacobian", lambda *_: np.zeros((1, 1)))
    monkeypatch.setattr(
        certificate, "_points", lambda network, field, rng, count: (counts.append(count), np.zeros((1, 2)))[1]
    )
    counts.clear()
    with pytest.raises(PolygeomError, match="no witness of rank 3 found"):
        _witness(network, result, 0)
    assert len(counts) == 64
    assert counts[:6] == [3, 7, 11, 16, 24, 36]
    counts.clear()
    monkeypatch.setattr(certificate, "_MOST_BYTES", 16 * 1 * 7 * 9)
    with pytest.raises(BudgetError, match="certify a smaller network"):
        _witness(network, result, 0)
    assert counts == [3, 7]


def test_a_certificate_is_about_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    result = dimension("[2,3,1] r=2")
    assert certify("[2,3,1] r=2", result=result) == certify("[2,3,1] r=2")
    with pytest.raises(PolygeomError, match="result must belong to the network"):
        certify("[2,2,1] r=2", result=result)
    length = len("[2,3,1] r=2")
    for most, fits in ((length, True), (length - 1, False)):
        monkeypatch.setattr(certificate, "MOST_TEXT", most)
        if fits:
            assert certified("[2,3,1] r=2", result).claim.proved
        else:
            with pytest.raises(PolygeomError, match=f"has more than {most} characters"):
                certified("[2,3,1] r=2", result)


def test_costly_rules_are_asked_where_the_others_leave_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def bound(network: Network, *, thorough: bool = True) -> Any:
        asked.append(thorough)
        return proved_bound(network, thorough=thorough)

    monkeypatch.setattr(certificate, "proved_bound", bound)
    result = dimension("[2,3,1] r=2")
    assert certified("[2,3,1] r=2", result).claim.proved
    assert asked == [False]
    asked.clear()
    lower = replace(result, upper=result.upper - 1)
    assert certified("[2,3,1] r=2", lower).claim.upper == 3
    assert asked == [False, True]

"""Certificates are valid, survive JSON, and a false or damaged one is noticed."""

from __future__ import annotations

import copy
import itertools
import json
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polygeom.dimensions.proofs.limits import Budget
from polygeom.errors import BudgetError, CertificateError, PolygeomError
from polygeom.ideal import interpolate
from polygeom.ideal.proofs import certificate, coefficients
from polygeom.ideal.proofs.certificate import certify
from polygeom.ideal.proofs.sections import InverseSystem
from polygeom.ideal.proofs.spaces import Space
from polygeom.ideal.proofs.verification import verify

NETWORKS = [
    ("[3,2,1] r=2", None),
    ("[2,2,2] r=3", None),
    ("[3,3,3] r=2", None),
    ("[2,2,2,2] r=2", None),
    ("[2,3,1] r=2", None),
    ("[2,1,2] r=2 bias", None),
    ("[2,2,2,1] r=3", 5),
    ("convolutional(4,kernels=[2,2],degrees=2)", 4),
    ("lightning_attention(tokens=2,features=2,rank=1,outputs=1)", None),
    ("x=input(2); a=dense(x,1); b=polynomial(a,[0,1/2,1]); c=dense(b,2); sum(x,c)", None),
    ("x=input(2); power(x,2)", None),
]


def through_json(certificate: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(certificate))
    return data


@pytest.mark.parametrize(("network", "top"), NETWORKS, ids=[row[0] for row in NETWORKS])
def test_true_certificates_are_valid(network: str, top: int | None) -> None:
    outcome = verify(through_json(certify(interpolate(network, top))))
    assert outcome.valid, outcome.checks


@pytest.fixture(scope="module")
def nine() -> dict[str, Any]:
    return through_json(certify("[3,3,3] r=2"))


@pytest.fixture(scope="module")
def determinant() -> dict[str, Any]:
    return through_json(certify("[3,2,1] r=2"))


def false_lines(certificate: dict[str, Any]) -> list[str]:
    outcome = verify(certificate)
    assert outcome.valid == all(line.startswith("ok") for line in outcome.checks)
    return [line for line in outcome.checks if line.startswith("FALSE")]


def test_a_wrong_coefficient_is_noticed(nine: dict[str, Any]) -> None:
    bad = copy.deepcopy(nine)
    bad["equations"][0]["terms"][3][1] = str(int(bad["equations"][0]["terms"][3][1]) + 1)
    assert any("vanish" in line for line in false_lines(bad))


def test_a_missing_equation_is_noticed(nine: dict[str, Any]) -> None:
    bad = copy.deepcopy(nine)
    bad["equations"] = []
    assert any("numbers of generators" in line for line in false_lines(bad))
    bad["claim"]["counts"] = {}
    assert any("degree 4" in line for line in false_lines(bad))


def test_a_rank_that_is_too_high_is_noticed(nine: dict[str, Any]) -> None:
    """It would make the equations fewer than they are."""
    bad = copy.deepcopy(nine)
    space = next(s for s in bad["degrees"][3]["spaces"] if s[0] == [2, 1, 1, 3, 3, 2])
    space[2] += 1
    bad["equations"] = []
    bad["claim"]["counts"] = {}
    bad["claim"]["hilbert_function"][4] += 9
    assert any("degree 4" in line for line in false_lines(bad))


def test_a_rank_that_is_too_low_is_noticed(nine: dict[str, Any]) -> None:
    """It would leave room for equations that are not listed."""
    bad = copy.deepcopy(nine)
    bad["degrees"][2]["spaces"][0][2] -= 1
    bad["claim"]["hilbert_function"][3] -= 9
    assert any("degree 3" in line for line in false_lines(bad))


def test_a_space_left_out_is_noticed(nine: dict[str, Any]) -> None:
    bad = copy.deepcopy(nine)
    del bad["degrees"][2]["spaces"][4]
    bad["completeness"] = bad["claim"]["completeness"] = bad["claim"]["degree"] = bad["claim"]["h_vector"] = None
    assert any("degree 3" in line for line in false_lines(bad))


def test_wrong_weights_are_noticed(nine: dict[str, Any]) -> None:
    bad = copy.deepcopy(nine)
    bad["grading"]["weights"][0][3] += 1
    assert any("scalings" in line for line in false_lines(bad))


def test_a_scaling_too_many_is_noticed(nine: dict[str, Any]) -> None:
    bad = copy.deepcopy(nine)
    bad["grading"]["scalings"].append(bad["grading"]["scalings"][-1])
    assert any("scalings" in line for line in false_lines(bad))


def test_a_section_of_another_length_is_noticed(nine: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the sections by points say, the first section has the dimensions listed, not more and not fewer."""
    h = nine["claim"]["h_vector"]
    for other in ([*h[:-1], h[-1] - 1], [*h[:-1], h[-1] + 1], h[:-1]):
        bad = copy.deepcopy(nine)
        bad["claim"].update(h_vector=other, degree=sum(other))
        monkeypatch.setattr(InverseSystem, "factor_degrees", lambda _, h, length: [length])
        assert any("complete" in line for line in false_lines(bad))


def test_wrong_exchanges_are_noticed(nine: dict[str, Any]) -> None:
    bad = copy.deepcopy(nine)
    bad["grading"]["exchanges"][0] = list(range(18))
    assert any("exchanges" in line for line in false_lines(bad))


def test_a_wrong_degree_is_noticed(nine: dict[str, Any]) -> None:
    bad = copy.deepcopy(nine)
    bad["claim"]["degree"] = 29
    assert any("complete" in line for line in false_lines(bad))


def test_a_wrong_section_is_noticed(nine: dict[str, Any]) -> None:
    bad = copy.deepcopy(nine)
    bad["completeness"]["subspaces"] = bad["completeness"]["subspaces"][:2]
    bad["completeness"]["subspaces"][1] = [[0] * 18 for _ in range(4)]
    assert any("complete" in line for line in false_lines(bad))


def test_the_last_entry_of_an_h_vector_is_not_zero(nine: dict[str, Any]) -> None:
    bad = copy.deepcopy(nine)
    bad["claim"]["h_vector"].append(0)
    assert verify(bad).valid is False


def test_multiples_are_made_where_leading_monomials_do_not_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways give the same ranks; each is estimated before."""
    data = through_json(certify(interpolate("convolutional(4,kernels=[2,2],degrees=2)", 3)))
    asked, step = set(), Budget.step

    def asking(self: Budget, what: str, operations: float = 0, size: float = 0) -> None:
        asked.add(what)
        step(self, what, operations, size)

    monkeypatch.setattr(Space, "_has_leads", lambda *_: False)
    monkeypatch.setattr(Budget, "step", asking)
    assert verify(data).valid
    assert {"the multiples of the equations", "the rank of the equations"} <= asked
    space = data["degrees"][2]["spaces"][0]
    space[2] -= 1
    assert verify(data).valid is False


LONG_STEPS = {
    "the list of equations and spaces",
    "the copies of an equation",
    "the coefficients of the network",
    "the scalings",
    "the exchanges",
    "the linear equations",
    "the substitution",
    "the values of the coordinates",
    "the monomials",
    "the weights",
    "the rank of the values",
    "the leading monomials",
    "the sections",
    "the rank of the equations",
}
"""What may take long or become large in a network; maps have their own."""


@pytest.mark.parametrize("refused", sorted(LONG_STEPS))
def test_every_long_step_has_a_limit(nine: dict[str, Any], monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    """A check ends where one of them is refused."""
    step = Budget.step

    def asking(self: Budget, what: str, operations: float = 0, size: float = 0) -> None:
        if what == refused:
            raise BudgetError("no time")
        step(self, what, operations, size)

    monkeypatch.setattr(Budget, "step", asking)
    monkeypatch.setattr(coefficients, "_known", lru_cache(lambda _: []))
    if refused == "the rank of the equations":
        monkeypatch.setattr(Space, "_has_leads", lambda *_: False)
    with pytest.raises(BudgetError, match="no time"):
        verify(linear_equations() if refused == "the linear equations" else nine)


@lru_cache
def linear_equations() -> dict[str, Any]:
    return through_json(certify(interpolate("convolutional(4,kernels=[2,2],degrees=2)", 2)))


def test_an_argument_for_other_ideals_is_noticed(nine: dict[str, Any], determinant: dict[str, Any]) -> None:
    """One equation generates in codimension one alone, none in codimension zero alone."""
    filling = through_json(certify("[2,3,1] r=2"))
    for bad, other in itertools.permutations((nine, determinant, filling), 2):
        lie = copy.deepcopy(bad)
        lie["completeness"] = other["completeness"]
        lie["claim"] |= {key: other["claim"][key] for key in ("completeness", "degree", "h_vector")}
        assert any("complete" in line for line in false_lines(lie))


def test_dependent_linear_equations_are_noticed() -> None:
    bad = copy.deepcopy(linear_equations())
    linear = [e for e in bad["equations"] if e["degree"] == 1]
    assert len(linear) > 1
    linear[1] |= copy.deepcopy(linear[0])
    assert any("linear equations" in line for line in false_lines(bad))


def test_a_prime_that_is_none_is_noticed(nine: dict[str, Any]) -> None:
    bad = copy.deepcopy(nine)
    bad["completeness"]["prime"] += 2
    assert any("complete" in line for line in false_lines(bad))


def test_wrong_sums_are_noticed(determinant: dict[str, Any]) -> None:
    bad = copy.deepcopy(determinant)
    bad["claim"]["counts"] = {"3": 2}
    assert any("numbers of generators" in line for line in false_lines(bad))
    bad = copy.deepcopy(determinant)
    bad["claim"]["hilbert_function"][2] += 1
    assert any("Hilbert function" in line for line in false_lines(bad))
    bad = copy.deepcopy(determinant)
    bad["claim"]["complete_to"] = 4
    with pytest.raises(CertificateError, match="degrees"):
        verify(bad)


def test_the_dimension_of_another_network_is_noticed(determinant: dict[str, Any]) -> None:
    bad = copy.deepcopy(determinant)
    bad["dimension"] = certify("[2,2,3] r=2")["dimension"]
    assert verify(bad).valid is False


def test_coordinates_belong_to_an_output_and_to_all_inputs() -> None:
    """Where only some monomials occur, there are no other coordinates either."""
    data = through_json(certify(interpolate("x0=input(3); x1=convolution(x0,1); x2=power(x1,2); convolution(x2,2)", 1)))
    assert verify(data).valid
    for wrong in ("c3x200", "c0x200", "c1x20", "c1x2000", "c1"):
        with pytest.raises(CertificateError, match="names of the coordinates"):
            verify({**data, "coordinates": [wrong, *data["coordinates"][1:]]})


@pytest.mark.parametrize("field", ["network", "grading", "equations", "degrees", "claim", "kept", "dimension"])
def test_missing_fields_are_refused(determinant: dict[str, Any], field: str) -> None:
    bad = {key: value for key, value in determinant.items() if key != field}
    with pytest.raises(PolygeomError):
        verify(bad)


def test_malformed_certificates_are_refused(determinant: dict[str, Any]) -> None:
    with pytest.raises(PolygeomError, match="format"):
        verify({**determinant, "format": 99})
    bad = copy.deepcopy(determinant)
    bad["equations"][0]["terms"][0][0] = [0, 1, 77]
    with pytest.raises(PolygeomError, match="form of an equation"):
        verify(bad)
    bad = copy.deepcopy(determinant)
    bad["grading"]["weights"] = "heavy"
    with pytest.raises(PolygeomError, match="Expected `array`"):
        verify(bad)


def test_too_large_spaces_are_not_called_valid(determinant: dict[str, Any]) -> None:
    with pytest.raises(BudgetError, match="allow more with memory"):
        verify(determinant, memory=100)
    with pytest.raises(BudgetError, match="allow more with timeout"):
        verify(determinant, timeout=1e-6)


def test_nothing_proved_is_no_certificate() -> None:
    search = interpolate("[2,1,2] r=2", 2, lift=0)
    assert search.result.complete_to == 1
    assert verify(certify(search)).valid
    with pytest.raises(PolygeomError, match="no proved degree"):
        certify(interpolate("[3,4,4] r=4", timeout=1e-6))


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ([2, -6, 6, 0], [([0, 1], "2"), ([0, 2], "-3")]),
        ([2, 6, -6, 0], [([0, 1], "4"), ([0, 2], "-3")]),
        ([-3, 3, 5, 0], [([0, 2], "1")]),
        ([0, 0, 0, -7], [([3, 3], "1")]),
        ([-4, -8, 18, 6], [([0, 1], "2"), ([0, 2], "-3"), ([3, 3], "-1")]),
    ],
)
def test_equations_are_listed_in_one_form(
    given: list[int], listed: list[tuple[list[int], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like terms together, increasing monomials, coprime coefficients, the first of them positive."""
    monkeypatch.setattr(certificate, "plain_integers", lambda *_: given)
    monomials = np.array([[1, 0], [0, 1], [2, 0], [3, 3]])
    found = certificate._listed(SimpleNamespace(degree=2, weight=(1, 1), monomials=monomials), None)  # type: ignore[arg-type]
    assert (found.degree, found.weight) == (2, [1, 1])
    assert [(list(m), c) for m, c in found.terms] == listed

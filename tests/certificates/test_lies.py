"""False statements that were called valid once, each an example of a kind, and certificates that ran without end."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flint
import pytest
from certificates.honest import honest, plain
from certificates.lists import listed, recount, times
from certificates.truths import Data, polynomial

import polygeom
from polygeom.cli import run
from polygeom.dimensions import certify as certify_dimension
from polygeom.dimensions.frontier.search import frontier
from polygeom.dimensions.proofs import jacobians
from polygeom.errors import BudgetError, CertificateError
from polygeom.ideal import interpolate
from polygeom.ideal.proofs.certificate import certify
from polygeom.ideal.proofs.sections import InverseSystem
from polygeom.supervision import Call


@pytest.fixture(scope="module")
def base() -> Data:
    """The true certificate of ``[3,2,1] r=2``: dimension 5 of 6, one cubic."""
    return plain(certify("[3,2,1] r=2"))


@pytest.fixture
def data(base: Data) -> Data:
    return copy.deepcopy(base)


@pytest.fixture(scope="module")
def list_of_one() -> Data:
    return plain(frontier(2, 1, 2, 4).certificate())


def refused(data: Data) -> bool:
    try:
        return not polygeom.verify(data, timeout=2, memory=200 * 10**6).valid
    except CertificateError:
        return True


def call_filling(data: Data) -> None:
    data["completeness"] = {"argument": "filling"}
    data["claim"].update(completeness="filling", degree=1, h_vector=[1])


def test_the_truth_is_valid(base: Data, list_of_one: Data) -> None:
    assert polygeom.verify(base).valid
    assert polygeom.verify(list_of_one).valid


def test_a_monomial_twice_with_opposite_coefficients_is_no_equation(data: Data) -> None:
    """1. One place summed what another overwrote: filling, complete."""
    data["equations"] = [{"degree": 1, "weight": [1, 2, 0, 0], "terms": [[[0], "1"], [[0], "-1"]]}]
    data["kept"] = [1, 2, 3, 4, 5]
    data["degrees"] = [{"degree": 1, "spaces": [[[1, 2, 0, 0], 1, 0], [[1, 1, 1, 0], 1, 1]]}]
    call_filling(data)
    recount(data)
    assert refused(data)
    data["equations"][0]["terms"] = [[[0], "1"]]
    assert refused(data)


def test_a_frontier_does_not_certify_a_dimension(data: Data, list_of_one: Data) -> None:
    """2. Inside an ideal, a frontier with the network overwritten and a lower bound added."""
    forged = copy.deepcopy(list_of_one)
    forged["network"] = data["network"]
    forged["claim"]["lower"] = 6
    data["dimension"] = forged
    data["equations"] = []
    call_filling(data)
    assert refused(data)


def test_a_square_does_not_generate(data: Data) -> None:
    """3. Degree 6, complete; also with no degree above 2 looked at, and a reducible multiple."""
    (equation,) = data["equations"]
    weights = data["grading"]["weights"]
    for factor in (polynomial(equation), times({(0,): 1}, times({(3,): 1}, {(5,): 1}))):
        new = listed(times(polynomial(equation), factor), weights)
        for kept in (3, 2):
            bad = copy.deepcopy(data)
            bad["equations"], bad["degrees"] = [new], bad["degrees"][:kept]
            recount(bad)
            bad["claim"].update(degree=6, h_vector=[1] * 6)
            assert refused(bad)


@pytest.mark.parametrize("terms", [[], [[[0, 3, 5], "0"]], [[[0, 3, 5], "1"], [[0, 3, 5], "-1"]]])
def test_the_zero_polynomial_is_no_generator(data: Data, terms: list[Any]) -> None:
    """4. Also with an empty list of terms, over which the check ran without end."""
    data["equations"][0]["terms"] = terms
    assert refused(data)


def test_restricted_weights_say_nothing_one_degree_further(data: Data) -> None:
    """5. A Hilbert function of 126 in degree 4, where it is 120."""
    assert data["restricted"]
    data["degrees"].append({"degree": 4, "spaces": []})
    recount(data)
    assert data["claim"]["hilbert_function"][4] == 126
    assert refused(data)
    data["completeness"] = None
    data["claim"].update(completeness=None, degree=None, h_vector=None)
    assert refused(data)


def test_degree_and_h_vector_need_an_argument(data: Data) -> None:
    """6. Degree 999 without one."""
    data["completeness"] = data["claim"]["completeness"] = None
    data["claim"].update(degree=999, h_vector=[999])
    assert refused(data)
    data["claim"].update(degree=None, h_vector=None)
    assert polygeom.verify(data).valid


def test_names_belong_to_the_coordinates(data: Data) -> None:
    """7. The names in reverse."""
    data["coordinates"].reverse()
    assert refused(data)


def test_generators_are_minimal() -> None:
    """8. ``[4,2,1] r=2`` with 14 "minimal" generators, where 10 suffice: one is listed twice, or a multiple is."""
    data = plain(certify("[4,2,1] r=2"))
    for equation in data["equations"]:
        bad = copy.deepcopy(data)
        bad["equations"].insert(bad["equations"].index(equation), copy.deepcopy(equation))
        recount(bad)
        assert sum(bad["claim"]["counts"].values()) > 10
        assert refused(bad)
    more = plain(certify(interpolate("[4,2,1] r=2", 4)))
    more["equations"].append(listed(times(polynomial(more["equations"][0]), {(0,): 1}), more["grading"]["weights"]))
    recount(more)
    assert refused(more)


def test_no_architecture_is_counted_twice(list_of_one: Data) -> None:
    """9. A count of 2, where there is one."""
    data = copy.deepcopy(list_of_one)
    data["architectures"] *= 2
    data["claim"]["count"] = 2
    assert refused(data)


@pytest.mark.parametrize("heading", ["(9,*,9) r=9", "(2,*,*,*,1) r=2\n\x1b[31mFALSE", "[3,2,1] r=2", ""])
def test_the_heading_is_checked(list_of_one: Data, heading: str, tmp_path: Path, capsys: Any) -> None:
    """10. Another network in the heading; text that steers the terminal."""
    data = {**list_of_one, "network": heading}
    assert refused(data)
    path = tmp_path / "c.json"
    path.write_text(json.dumps(data))
    assert run(["verify", str(path)]) in (1, 2)
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["claim"].update(count=1.9),
        lambda d: d["claim"].update(count=1.0),
        lambda d: d.update(inputs=2.7),
        lambda d: d["architectures"][0]["widths"].__setitem__(1, 2.5),
        lambda d: d["claim"].update(complete=1),
        lambda d: d["excluded"][0].update(error_bound=0.5),
        lambda d: d.update(degrees=["2", "2", "2"]),
    ],
)
def test_integers_are_integers(list_of_one: Data, change: Callable[[Data], None]) -> None:
    """11. Fractions were cut off; a bound for an error was not looked at."""
    data = copy.deepcopy(list_of_one)
    change(data)
    with pytest.raises(CertificateError):
        polygeom.verify(data)


@pytest.mark.parametrize("c", [4.9, "4.9", "1e3", "+4", "04", " 4", "4 ", "٤", "0x4", "", 4])
def test_coefficients_have_one_form(data: Data, c: Any) -> None:
    data["equations"][0]["terms"][0][1] = c
    with pytest.raises(CertificateError):
        polygeom.verify(data)


def test_one_polynomial_has_one_form(data: Data) -> None:
    (equation,) = data["equations"]
    terms = copy.deepcopy(equation["terms"])
    for other in (
        terms[::-1],
        [[m, str(2 * int(c))] for m, c in terms],
        [[m, str(-int(c))] for m, c in terms],
        [[m[::-1], c] for m, c in terms],
    ):
        equation["terms"] = other
        with pytest.raises(CertificateError, match="form of an equation"):
            polygeom.verify(data)


# --- what ran without end, or out of memory


def quickly(data: Data) -> str:
    """The verdict, which must come within two seconds."""
    started = time.process_time()
    try:
        answer = "valid" if polygeom.verify(data, timeout=2, memory=200 * 10**6).valid else "not valid"
    except (CertificateError, BudgetError) as error:
        answer = type(error).__name__
    assert time.process_time() - started < 2
    return answer


SIZES: dict[str, Callable[[Data], None]] = {
    "no terms": lambda d: d["equations"][0].update(terms=[]),
    "a rank of a billion": lambda d: d["degrees"][2]["spaces"][0].__setitem__(2, 10**9),
    "a space and a rank of a billion": lambda d: d["degrees"][2]["spaces"][0].__setitem__(slice(1, 3), [10**9, 10**9]),
    "an equation of degree 90": lambda d: d["equations"][0].update(degree=90),
    "degree 60": lambda d: d["degrees"].extend({"degree": k, "spaces": []} for k in range(4, 61)),
    "an equation of degree 10^7": lambda d: d["equations"][0].update(degree=10**7),
    "complete to 10^12": lambda d: d["claim"].update(complete_to=10**12),
    "a degree of 10^9": lambda d: d["claim"].update(degree=10**9, h_vector=[10**9]),
    "huge weights": lambda d: d["grading"]["weights"][0].__setitem__(0, 10**18),
    "a wide network": lambda d: d.update(network="[3,1000000,1000000] r=2"),
    "a high degree": lambda d: d.update(network="[3,2,2,2,1] r=1000000"),
    "many inputs": lambda d: d.update(network="[1000000,2,1] r=2"),
    "a deep bound": lambda d: d["dimension"]["upper"].update(parts=[{**d["dimension"]["upper"]}] * 2),
}


@pytest.mark.parametrize("change", SIZES.values(), ids=SIZES.keys())
def test_sizes_are_bounded_before_work(data: Data, change: Callable[[Data], None]) -> None:
    change(data)
    assert quickly(data) in ("not valid", "CertificateError", "BudgetError")


def test_a_small_file_about_a_large_network() -> None:
    """191 GiB were asked for once; the derivatives at one point need a megabyte."""
    data = plain(certify_dimension("[3,3,1] r=2"))
    count = 400 * 400 + 400
    data["network"] = "[400,400,1] r=2"
    data["lower"].update(weights=[k % 1000 for k in range(count)], points=[[1] * 400], rank=1)
    data["upper"] = polygeom.dimensions.upper_bound((400, 400, 1), (2,)).as_dict()
    data["claim"] = {"dimension": 1, "lower": 1, "upper": 80200, "proved": False}
    assert quickly(data) == "valid"
    data["lower"].update(rank=2)
    data["claim"].update(dimension=2, lower=2)
    assert quickly(data) == "not valid"
    data["lower"]["points"] = [[1] * 400] * 5000
    assert quickly(data) == "BudgetError"


@pytest.mark.thorough
def test_a_list_of_120000_generators_is_refused_before_it_is_looked_at(data: Data) -> None:
    short = {**data["equations"][0], "terms": data["equations"][0]["terms"][:1]}
    data["equations"] = [short] * 120_000
    with pytest.raises(BudgetError, match="the list of equations and spaces does not fit into the limit of 2 s"):
        polygeom.verify(data, timeout=2, memory=200 * 10**6)


def test_frontiers_with_huge_questions_are_answered(list_of_one: Data) -> None:
    data = {**list_of_one, "degrees": [10**6] * 3, "network": "(2,*,*,*,1) r=1000000"}
    assert quickly(data) == "not valid"
    data = {**list_of_one, "inputs": 10**6, "degrees": [10**6] * 100}
    assert quickly(data) == "BudgetError"


@pytest.mark.parametrize("network", ["[8,1,1] r=2", pytest.param("[9,1,1] r=2", marks=pytest.mark.slow)])
def test_orbits_of_many_outputs_and_inputs_are_not_run_through(network: str) -> None:
    """Up to degree 3: permutations of nine inputs are 362,880."""
    started = time.process_time()
    search = interpolate(network, 3, timeout=60)
    found = time.process_time() - started
    data = plain(certify(search))
    started = time.process_time()
    assert polygeom.verify(data).valid
    assert time.process_time() - started < 2 * found + 0.2


def test_a_dimension_with_many_weights_is_checked_by_operations_on_whole_matrices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counted, since times depend on other work: the matrix of 780 rows is not taken apart, entry by entry."""
    data = plain(certify_dimension("[30,20,10] r=2"))
    listed, steps = [0], [0]
    convert, reduce = flint.fmpz_mat, jacobians._reduced

    def counted_matrix(*arguments: Any) -> Any:
        listed[0] += len(arguments[2]) if len(arguments) > 2 else 0
        return convert(*arguments)

    def counted_step(*arguments: Any) -> Any:
        steps[0] += 1
        return reduce(*arguments)

    monkeypatch.setattr(flint, "fmpz_mat", counted_matrix)
    monkeypatch.setattr(jacobians, "_reduced", counted_step)
    assert polygeom.verify(data).valid
    assert listed[0] < 10_000
    assert 10 < steps[0] < 3_000


def test_limits_are_limits(base: Data) -> None:
    with pytest.raises(BudgetError, match="allow more with timeout"):
        polygeom.verify(base, timeout=1e-9)
    with pytest.raises(BudgetError, match="allow more with memory"):
        polygeom.verify(base, memory=10)
    for wrong in ({"timeout": 0}, {"timeout": float("nan")}, {"memory": 0}, {"memory": 1.5}):
        with pytest.raises(polygeom.PolygeomError, match="must be a positive number"):
            polygeom.verify(base, **wrong)


@pytest.mark.thorough
def test_four_verdicts_with_four_statuses(base: Data, tmp_path: Path, capsys: Any) -> None:
    true, false, none = (tmp_path / name for name in ("true.json", "false.json", "none.json"))
    true.write_text(json.dumps(base))
    false.write_text(json.dumps({**base, "claim": {**base["claim"], "counts": {"3": 2}}}))
    none.write_text("[]")
    assert run(["verify", str(true)]) == 0
    assert "the ideal of [3,2,1] r=2: 1 of degree 3; they are all in all degrees" in capsys.readouterr().out
    assert run(["verify", str(false)]) == 1
    assert "NOT VALID" in capsys.readouterr().out
    assert run(["verify", str(none)]) == 2
    assert "NOT A CERTIFICATE" in capsys.readouterr().err
    assert run(["verify", str(true), "--timeout", "1e-9"]) == 3
    assert "TOO LARGE FOR THE LIMIT" in capsys.readouterr().err
    assert run(["verify", str(true), "--memory", "1MB"]) == 0
    capsys.readouterr()
    assert run(["verify", "-q", str(true), str(false), str(none)]) == 2
    assert capsys.readouterr().out == ""


def test_one_door_takes_data_text_and_files(base: Data, list_of_one: Data, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(base))
    for certificate in (base, json.dumps(base), path, str(path), list_of_one, certify_dimension("[2,5]")):
        assert polygeom.verify(certificate).valid
    for wrong in (None, 3, [base], {"kind": "ideal"}, {"kind": ["ideal"]}, {**base, "kind": "poem"}, "{", tmp_path):
        with pytest.raises(CertificateError):
            polygeom.verify(wrong)  # type: ignore[arg-type]


@pytest.mark.thorough
def test_sections_by_points_must_leave_one_degree() -> None:
    """Without them the degree is only known to be at most the length; with one part of an orbit left, as well."""
    data = next(d for d in honest() if d["kind"] == "ideal" and (d["completeness"] or {}).get("argument") == "section")
    data = copy.deepcopy(data)
    assert polygeom.verify(data).valid
    data["completeness"]["subspaces"] = data["completeness"]["subspaces"][:1]
    assert refused(data)


def test_sections_that_could_leave_two_degrees_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = next(d for d in honest() if d["kind"] == "ideal" and (d["completeness"] or {}).get("argument") == "section")
    degree = data["claim"]["degree"]
    monkeypatch.setattr(InverseSystem, "factor_degrees", lambda *_: [1, degree - 1])
    assert not polygeom.verify(data).valid


@pytest.mark.thorough
def test_a_check_that_does_not_notice_its_limit_is_ended(
    base: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the estimates say: here nothing is estimated, and the step does not end or asks for 4 GB."""
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(base))
    for name, text in (("hangs", "while True: pass"), ("grows", "x = bytearray(4 * 10**9)")):
        (tmp_path / f"{name}.py").write_text(f"def verify_file(task):\n    {text}\n")
        monkeypatch.setattr("polygeom.supervision.Call", lambda target, task, n=name: Call(f"{n}:verify_file", task))
        start = time.monotonic()
        assert run(["verify", str(path), "--timeout", "1", "--memory", "50MB"]) == 3
        assert time.monotonic() - start < 12
        assert "TOO LARGE FOR THE LIMIT" in capsys.readouterr().err

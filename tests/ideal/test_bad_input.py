"""Requests that make no sense are refused with a message that says what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from polygeom import Neurovariety
from polygeom.cli import run
from polygeom.errors import PolygeomError
from polygeom.ideal import degree, interpolate
from polygeom.ideal.search.elimination import eliminate


@pytest.mark.parametrize("network", ["[2,2,1] relu", "[2,2,1] r=1.5", "[2,2,1] r=-2", "[2,2,1] p=1/x", "", "[2"])
@pytest.mark.parametrize("ask", [Neurovariety, interpolate, eliminate, degree])
def test_text_that_is_no_polynomial_network(ask: Any, network: str) -> None:
    with pytest.raises(PolygeomError) as error:
        ask(network)
    assert "[2,3,1] r=2" in str(error.value) or "position" in str(error.value) or "degree" in str(error.value)


@pytest.mark.parametrize("network", [None, 3, [2, 2, 1], lambda x: x])
@pytest.mark.parametrize("ask", [Neurovariety, interpolate, eliminate, degree])
def test_things_that_are_no_network(ask: Any, network: Any) -> None:
    with pytest.raises(PolygeomError, match=r"network must be a Network or (its )?text"):
        ask(network)


def test_fields_of_small_characteristic() -> None:
    for ask in (
        lambda: interpolate("[2,2,1] r=4", 2, prime=3),
        lambda: eliminate("[2,2,1] r=4", modulus=3),
        lambda: Neurovariety("[2,2,1] r=4").random_point(3),
    ):
        with pytest.raises(PolygeomError, match="must exceed the degree"):
            ask()


@pytest.mark.parametrize("limits", [{"timeout": 0}, {"timeout": -1.0}, {"timeout": float("nan")}, {"memory": 0}])
def test_impossible_budgets(limits: dict[str, Any]) -> None:
    variety = Neurovariety("[2,2,1] r=4")
    for method in ("interpolation", "elimination"):
        with pytest.raises(PolygeomError, match=r"timeout must be|memory must be"):
            variety.ideal(method, **limits)
    if "timeout" in limits:
        with pytest.raises(PolygeomError, match="timeout must be"):
            degree("[2,2,2] r=3", **limits)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "arguments",
    [
        ["ideal", "[2,2,1] relu"],
        ["ideal", "[2,2,1] r=4", "--memory", "five"],
        ["ideal", "[2,2,1] r=4", "--timeout", "0"],
        ["ideal", "[2,2,1] r=4", "--method", "magic"],
        ["ideal", "[2,2,1] r=4", "--out", "/no/such/folder/equations.txt"],
        ["ideal", "[2,2,1] r=4", "--method", "elimination", "--certificate", "c.json"],
        ["degree", "[2,2,1] relu"],
        ["contains", "[2,2,1] r=4", "x1^4 + exp(x2)"],
        ["contains", "[2,2,1] r=4", "x1^3"],
        ["verify", "/no/such/file.json"],
    ],
)
def test_commands_end_with_a_message(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert said
    assert "Traceback" not in said


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"kind": "ideal"}', b"null"])
def test_broken_certificates(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(content)
    assert run(["verify", str(path)]) == 2
    assert "Traceback" not in capsys.readouterr().err

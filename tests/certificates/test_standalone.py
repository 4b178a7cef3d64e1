"""The checker in one file stands alone, and agrees with the other one on honest certificates and on altered ones."""

from __future__ import annotations

import ast
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates.alterations import alter
from certificates.families import case
from certificates.honest import honest, plain
from certificates.test_alterations import verdict
from certificates.truths import Data, true
from dimension.proofs.test_texts import OWN, REFUSED

import polygeom
from polygeom import certificates
from polygeom.cli import run
from polygeom.dimensions import certify as certify_dimension
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs.graphs.steps import GRAPH_RULES
from polygeom.errors import PolygeomError
from polygeom.network import parse
from polygeom.testing.zoo import ZOO

TEXT = certificates.standalone()
HONEST = int(os.environ.get("POLYGEOM_HONEST", "2000"))


@pytest.fixture(scope="module")
def check() -> Any:
    names: dict[str, Any] = {"__name__": "check"}
    exec(compile(TEXT, "check.py", "exec"), names)

    def limited(data: Data) -> int:
        names["LIMITS"].update(cells=2e6, end=time.monotonic() + 60)  # wall time: generous under load
        status: int = names["check"](data)[0]
        return status

    return limited


@pytest.fixture(scope="module")
def slow_check() -> Any:
    """Without python-flint."""
    names: dict[str, Any] = {"__name__": "check"}
    exec(compile(TEXT, "check.py", "exec"), names)
    names["flint"] = None
    return lambda data: names["check"](data)[0]


def test_it_is_one_short_file_that_imports_the_standard_library() -> None:
    assert len(TEXT.splitlines()) <= 400
    imported = {
        (alias.name if isinstance(node, ast.Import) else node.module).split(".")[0]
        for node in ast.walk(ast.parse(TEXT))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported - sys.stdlib_module_names == {"flint"}


@pytest.mark.thorough
def test_it_runs_as_a_program_with_four_statuses(tmp_path: Path, capsys: Any) -> None:
    assert run(["verify", "--standalone"]) == 0
    program = tmp_path / "check.py"
    program.write_text(capsys.readouterr().out, encoding="utf-8")
    data = next(d for d in honest() if d["kind"] == "ideal")
    for name, content in (
        ("true", data),
        ("false", {**data, "claim": {**data["claim"], "counts": {"3": 2}}}),
        ("no", []),
    ):
        (tmp_path / name).write_text(json.dumps(content))
    statuses = []
    for arguments in (["true"], ["false"], ["no"], ["--timeout", "1e-9", "true"], ["true", "false"], []):
        command = [sys.executable, "-I", str(program), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert not done.stderr
        statuses.append(done.returncode)
    assert statuses == [0, 1, 2, 3, 1, 2]


def outside(data: Data) -> bool:
    """Whether the checker does not cover it: a map, a rule about graphs in the proof, some monomials alone."""
    dimension = data["dimension"] if data["kind"] == "ideal" else data
    rules, pending = set(), [dimension["upper"]]
    while pending:
        step = pending.pop()
        rules.add(step["rule"])
        pending += step["parts"]
    some = data["network"] == "x0=input(3); x1=convolution(x0,1); x2=power(x1,2); convolution(x2,2)"
    return some or data["network"].startswith("map(") or not rules.isdisjoint(GRAPH_RULES)


@pytest.mark.thorough
def test_honest_certificates_are_valid_for_both_or_not_covered(check: Any, slow_check: Any) -> None:
    seen = Counter[tuple[bool, int]]()
    for data in honest():
        if data["kind"] != "frontier":
            section = (data.get("completeness") or {}).get("argument") == "section"
            expected = 3 if outside(data) else 0
            assert check(data) == expected, data["network"]
            assert slow_check(data) == (3 if section else expected), data["network"]
            seen[section, expected] += 1
    assert min(seen[False, 0], seen[False, 3], seen[True, 0], seen[True, 3]) > 0


@pytest.mark.thorough
def test_symmetries_of_many_weights_obey_the_limits() -> None:
    """Once it looked for them without end."""
    names: dict[str, Any] = {"__name__": "check"}
    exec(compile(TEXT, "check.py", "exec"), names)
    data = plain(certify_dimension("lightning_attention(tokens=4,features=6,rank=2,outputs=6)"))
    assert data["upper"]["rule"] == "symmetries"
    started = time.process_time()
    names["LIMITS"].update(cells=2e7, end=time.monotonic() + 0.5)
    assert names["check"](data)[0] == 3
    assert time.process_time() - started < 3


def zoo() -> Iterator[Data]:
    for network in ZOO:
        try:
            yield plain(certify_dimension(network))
        except PolygeomError:  # a layer that certificates do not have
            continue


def test_layers_of_all_kinds_are_read_alike(check: Any) -> None:
    answers = Counter(check(data) for data in zoo() if len(data["lower"]["weights"]) < 12)
    assert set(answers) <= {0, 3}
    assert answers[0] > 15


def agree(numbers: Iterable[int], check: Any) -> Counter[tuple[str, bool, int | None]]:
    """Both verdicts on honest certificates of all kinds and families; the second has none on frontiers."""
    found: Counter[tuple[str, bool, int | None]] = Counter()
    for number in numbers:
        kind, _, find = case(number)
        try:
            data = plain(find())
        except PolygeomError:  # a kind of layer, or a size, that certificates do not have
            continue
        status = None if kind == "frontier" else check(data)
        found[kind, polygeom.verify(data).valid, status] += 1
    return found


@pytest.mark.thorough
def test_forty_honest_certificates(check: Any) -> None:
    found = agree(range(200, 240), check)
    assert {(valid, status) for _, valid, status in found} <= {(True, 0), (True, 3), (True, None)}
    assert sum(n for (_, _, status), n in found.items() if status == 0) > 20


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_thousand_honest_certificates(check: Any) -> None:
    """POLYGEOM_HONEST sets another number."""
    found = agree(range(HONEST), check)
    print(found)
    assert {(valid, status) for _, valid, status in found} <= {(True, 0), (True, 3), (True, None)}
    assert sum(n for (_, _, status), n in found.items() if status == 0) > 0.5 * sum(found.values())


def compare(count: int, check: Any) -> Counter[tuple[bool | None, int]]:
    """What one checker calls valid, so does the other; what the short one accepts besides is true.

    It does not read what it does not need: scalings, exchanges, spaces of weights.
    """
    found: Counter[tuple[bool | None, int]] = Counter()
    for number in range(count):
        data = alter(random.Random(f"both {number}"))
        if data.get("kind") == "frontier":
            continue
        one, other = verdict(data), check(data)
        found[one, other] += 1
        assert one is not True or other in (0, 3), number
        assert other != 0 or one is True or true(data), number
    return found


@pytest.mark.thorough
def test_both_agree_on_altered_certificates(check: Any) -> None:
    assert {(True, 0), (False, 1), (None, 2)} <= set(compare(200, check))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_both_agree_on_many_altered_certificates(check: Any) -> None:
    print(compare(10 * HONEST, check))


def test_it_reads_no_other_texts_than_the_first() -> None:
    names: dict[str, Any] = {"__name__": "check"}
    exec(compile(TEXT, "check.py", "exec"), names)
    names["LIMITS"].update(cells=2e6, end=time.monotonic() + 60)
    for text in OWN:
        names["Network"](plain_text(parse(text)))
    for text in [*REFUSED, "", "[2,3,1] r=2\n"]:
        with pytest.raises((names["NoCertificate"], names["NotCovered"], ValueError)):
            names["Network"](text)


def test_an_activation_that_changes_nothing_is_no_statement(check: Any) -> None:
    assert check(plain(certify_dimension("[2,3,2] p=0,1"))) == 0
    for text in ("[2,2,2,2,1] p=0,1,1;0,1;0,1,1", "[2,3,2,2,2] p=0,1,1;0,1;0,0,1 bias"):
        assert check(plain(certify_dimension(text))) == 3, "a rule that it does not follow"

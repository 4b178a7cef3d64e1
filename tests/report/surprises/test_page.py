"""The page of surprises: every command shows what the page says; the page is the table; every row has a check."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import shlex
from pathlib import Path

import pytest
from here import of_the_repository

from polygeom.cli import run as polygeom
from polygeom.network import parse
from polygeom.report import portrait
from polygeom.report.surprises import GROUPS, Run, Surprise, hits, page, surprises, surprises_about

PAGE = of_the_repository("docs/surprises.md")
HERE = Path(__file__).parent


def output_of(run: Run, needs: str, capsys: pytest.CaptureFixture[str]) -> str:
    if needs:
        pytest.importorskip("torch", reason=f"the extra {needs}")
    if run.shell:
        for line in with_data("\n".join(run.command).replace("\\\n", " ")).splitlines():
            assert polygeom(shlex.split(line)[1:]) != 2, capsys.readouterr().err
        return capsys.readouterr().out
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n".join(run.command), "surprise", "exec"), {})
    return printed.getvalue()


def with_data(command: str) -> str:
    """The command with the folder of MNIST, which ``$POLYGEOM_DATA`` has."""
    if "FOLDER" not in command:
        return command
    folder = Path(os.environ.get("POLYGEOM_DATA") or "none", "mnist")
    if not folder.is_dir():
        pytest.skip("needs a folder mnist below $POLYGEOM_DATA")
    return command.replace("FOLDER", str(folder))


def check(run: Run, needs: str, capsys: pytest.CaptureFixture[str]) -> None:
    printed = output_of(run, needs, capsys)
    missing = [text for text in run.shows if text not in printed]
    assert run.shows
    assert not missing, f"{missing} not in\n{printed}"


def named(rows: tuple[Surprise, ...]) -> list[object]:
    return [pytest.param(row, id=row.name) for row in rows]


@pytest.mark.parametrize("row", named(surprises()))
def test_the_command_shows_the_truth(row: Surprise, capsys: pytest.CaptureFixture[str]) -> None:
    check(row.small or row.run, row.needs, capsys)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("row", named(tuple(row for row in surprises() if row.small)))
def test_the_long_command_shows_the_truth(
    row: Surprise, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # studies write a folder
    check(row.run, row.needs, capsys)


@pytest.mark.parametrize("number", range(len(hits())))
def test_the_command_of_a_hit_shows_its_answer(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    check(hits()[number].run, hits()[number].needs, capsys)


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m polygeom.report.surprises > docs/surprises.md"


def test_every_row_has_a_test_of_its_own() -> None:
    functions = {
        node.name.removeprefix("test_")
        for file in HERE.glob("test_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert [row.name for row in surprises() if row.name.replace("-", "_") not in functions] == []


def test_rows_are_well_formed() -> None:
    rows = surprises()
    assert len({row.name for row in rows}) == len({row.question for row in rows}) == len(rows)
    assert {row.group for row in rows} <= set(GROUPS)
    for row in rows:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.name)
        sentences = re.findall(r"[.?!](?:\s|$)", row.why)
        assert 1 <= len(sentences) <= 2, (row.name, row.why)
        assert row.guess != row.truth
        assert all(len(line) <= 120 for run in (row.run, row.small) if run for line in run.command), row.name
        assert ("pread" in row.check) or ("route" in row.check), row.name


def test_a_command_that_shows_something_else_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AssertionError, match="not in"):
        check(Run(("print(1 + 1)",), ("3",)), "", capsys)


def test_portraits_quote_what_is_about_their_network() -> None:
    assert [row.name for row in surprises_about("[3,6,3] r=3")] == ["two-sets-of-weights"]
    assert surprises_about("[4,3,2] r=5") == ()
    quoted = portrait("[2,5,1] r=4 bias", training=False)
    section = next(s for s in quoted.sections if s.title == "Where good guesses are wrong")
    assert any("heals" in fact.value and fact.standing == "proved" for fact in section.facts)
    assert "heals" in quoted.to_text()
    plain = portrait("[4,3,1] r=2", training=False)
    assert "Where good guesses are wrong" not in [s.title for s in plain.sections]
    for row in surprises():
        for text in row.networks:
            assert text.count("..") or parse(text)

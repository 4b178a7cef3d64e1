"""The examples of the README, of the documentation and of the docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import io
import pkgutil
import re
import shlex
import subprocess
import sys
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from here import in_this_process, of_the_repository

import polygeom
from polygeom.cli import run
from polygeom.errors import EXTRAS
from polygeom.tables.table import COLUMNS

ROOT = Path(__file__).parent.parent
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if page.exists()]
MODULES = [
    "polygeom",
    *(module.name for module in pkgutil.walk_packages(polygeom.__path__, "polygeom.") if "__main__" not in module.name),
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
QUOTED, SHELL = re.compile(r"""'[^']*'|"[^"`$]*\""""), re.compile(r"[|&;<>`$*?\\\"']")
COMMENT, HERE = re.compile(r" #.*"), "PYTHONPATH=.:$PYTHONPATH "
UNQUOTED = r"""(?=(?:[^"']|"[^"]*"|'[^']*')*$)"""
PIPE, INTO = re.compile(rf" \| {UNQUOTED}"), re.compile(rf" > {UNQUOTED}")
OF_PROCESSES = {"reliability.md", "continue_after_interruption.md", "ideals.md"}
"""Pages about processes or time limits; on the others sweeps and studies do their work in this process."""
LONG = {
    *("portrait.md", "training.md", "frontier.md", "gallery.md", "exercises.md", "ideals.md", "reliability.md"),
    *("algebra_meets_learning.md", "repeat_a_study.md", "train_with_a_loader.md", "learning_coefficients.md"),
    "studies/index.md",
}
FENCE = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(found[1], found[2], text.count("\n", 0, found.start(2))) for found in FENCE.finditer(text)]


def skip_without_its_extra(report: str) -> None:
    """Skip where what went wrong is that a package of an extra is not installed."""
    for package, extra in EXTRAS.items():
        missing = f"No module named '{package}", f"needs {package} (extra {extra})", "(extras "
        if find_spec(package) is None and any(text in report for text in missing):
            pytest.skip(f"needs {package} (extra {extra})")


def run_python(page: Path, block: Block, names: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, names, page.name, str(page), block.line)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append, clear_globs=False)
    names.update(test.globs)
    skip_without_its_extra("".join(report))
    assert not report, "".join(report)


def commands(block: Block) -> list[tuple[str, str]]:
    """The lines after a ``$`` that call polygeom, each with the output written below it."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    pairs = [part.partition("\n") for part in parts]
    return [(command, output) for command, _, output in pairs if re.search(r"\bpolygeom\b", command)]


def call(words: list[str], told: str) -> tuple[int, str, str]:
    """The command polygeom in this process, which spares the start of another."""
    given = io.TextIOWrapper(io.BytesIO(told.encode()), encoding="utf-8")
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        patch.setattr(sys, "stdin", given)
        status = run(words)
    return status, out.getvalue(), err.getvalue()


def shell(line: str, told: str, folder: Path) -> str:
    """What a line without polygeom prints."""
    script = ["bash", "-euo", "pipefail", "-c", line]
    done = subprocess.run(script, cwd=folder, input=told, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def run_command(page: Path, command: str, output: str, folder: Path) -> None:
    """A pipeline, perhaps into a file, perhaps with something to do in case of failure."""
    line, _, otherwise = COMMENT.sub("", command).strip().partition(" || ")
    line, file = [*INTO.split(line, maxsplit=1), ""][:2]
    told, errors, status = "", "", 0
    for part in PIPE.split(line.removeprefix(HERE)):
        if part.startswith("polygeom "):
            assert not SHELL.search(QUOTED.sub("", part)), part
            status, told, errors = call(shlex.split(part)[1:], told)
            if status:
                break
        else:
            told = shell(part, told, folder)
    if status and otherwise:
        told, status = told + shell(f"(exit {status}) || {otherwise}", "", folder), 0
    if file:
        (folder / file).write_text(told, encoding="utf-8")
        told = ""
    skip_without_its_extra(errors)
    assert status == 0, f"{page.name}: {command}\n{errors}"
    if output.strip():
        assert doctest.OutputChecker().check_output(output, told, FLAGS), f"{page.name}: {command}\n{told}"


def with_marks(page: Path) -> Any:
    long = page.name in LONG or f"{page.parent.name}/{page.name}" in LONG
    return pytest.param(page, marks=[pytest.mark.thorough] * long, id=str(page.relative_to(ROOT)))


@pytest.mark.parametrize("page", [with_marks(page) for page in PAGES if blocks(page)])
def test_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if any(re.search(r"\btorch\b|\bpolygeom study\b", block.text) for block in blocks(page)):
        pytest.importorskip("torch", reason="this page needs the extra learn")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with nullcontext() if page.name in OF_PROCESSES else in_this_process():
        for block in blocks(page):
            if block.language == "python":
                run_python(page, block, names)
            for command, output in commands(block):
                run_command(page, command, output, tmp_path)


# Their examples stand for the networks that `polygeom.network.builder` makes of their nodes, and run there.
OF_NODES = {"polygeom.network.families", "polygeom.network.models"}


@pytest.mark.parametrize("name", [name for name in MODULES if name not in OF_NODES])
def test_the_examples_of_a_module_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name in EXTRAS:
            pytest.skip(f"needs {error.name} (extra {EXTRAS[error.name]})")
        raise
    failed, _ = doctest.testmod(module, optionflags=FLAGS)
    report = capsys.readouterr().out
    skip_without_its_extra(report)
    assert failed == 0, report


@pytest.mark.parametrize(
    ("text", "message"),
    [("```python\n>>> 1 + 1\n3\n```\n", "Expected"), ("```console\n$ polygeom --no-such-flag\n```\n", "polygeom")],
)
def test_a_wrong_example_would_be_seen(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(AssertionError, match=message):
        test_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch)


def test_every_column_of_a_table_is_documented() -> None:
    documented = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (.*) \|$", of_the_repository("docs/tables.md").read_text(), re.MULTILINE
    )
    assert documented == [(column.name, column.kind, column.meaning) for column in COLUMNS]

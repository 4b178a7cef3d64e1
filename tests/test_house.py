"""The files around the package agree with each other."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib

import pytest
from here import of_the_repository

import polygeom

ROOT = of_the_repository(".ci/run").parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def readme_commands() -> list[str]:
    return [
        text.strip() for text in re.findall(r"^```console\n(.*?)^```$", read("README.md"), re.MULTILINE | re.DOTALL)
    ]


def test_the_first_two_commands_of_the_readme_start_from_nothing() -> None:
    first, second, *_ = readme_commands()
    assert first.startswith("python3 -m venv .venv && ")
    assert ".venv/bin/polygeom sweep" in first
    assert ".venv/bin/polygeom ideal" in first
    assert second.startswith("python3 -m venv .venv && ")
    assert second.endswith("pytest -q -n auto --dist loadfile")
    assert "-r oracles.txt" in second
    assert second in read("CONTRIBUTING.md")


def test_continuous_integration_takes_the_commands_from_the_readme_before_anything_else() -> None:
    script = read(".ci/run")
    shell = re.search(r"^readme_command\(\) .*$", script, re.MULTILINE)[0]
    for number, command in enumerate(readme_commands()[:2], start=1):
        done = subprocess.run(
            ["bash", "-c", f"{shell}\nreadme_command {number}"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == command
        assert command not in script
    assert script.index("readme_command 2") < script.index("pip ")


def test_continuous_integration_is_executable_and_strict() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "\nset -euo pipefail\n" in read(".ci/run")


def test_the_version_has_one_source() -> None:
    assert PROJECT["dynamic"] == ["version"]
    assert f"version: {polygeom.__version__}\n" in read("CITATION.cff")
    assert json.loads(read(".zenodo.json"))["version"] == polygeom.__version__


def test_the_paper_cites_what_its_bibliography_has() -> None:
    """And its figures are those that its script makes."""
    paper = read("paper/paper.md")
    cited = set(re.findall(r"@([a-z0-9]+)", paper))
    assert cited == set(re.findall(r"^@\w+\{([a-z0-9]+),", read("paper/paper.bib"), re.MULTILINE))
    figures = re.findall(r"\]\(([a-z]+\.png)\)", paper)
    assert len(figures) == 2
    assert [one for one in figures if one not in read("paper/figures.sh")] == []


def test_the_guide_names_files_that_exist() -> None:
    text = read("CONTRIBUTING.md")
    paths = re.findall(r"`((?:polygeom|tests|docs|benchmarks|\.ci)/[^`*]*)`", text) + re.findall(r"\]\((.*?)\)", text)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


def constraints() -> dict[str, str]:
    lines = [line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")]
    pins = dict(line.split("==") for line in lines)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins.items()}


def requirements() -> list[str]:
    extras = [name for extra in PROJECT["optional-dependencies"].values() for name in extra]
    return [*PROJECT["dependencies"], *extras]


@pytest.mark.parametrize("requirement", [name for name in requirements() if not name.startswith("polygeom")])
def test_every_requirement_is_a_range_with_a_tested_version(requirement: str) -> None:
    name = re.match(r"[A-Za-z0-9-]+", requirement)[0]
    assert name.lower() in constraints()
    assert not re.search(r"==|~=|<", requirement.partition(";")[0])


def test_torch_is_pinned_and_not_part_of_the_base() -> None:
    assert constraints()["torch"] == "2.13.0"
    assert not any("torch" in requirement for requirement in PROJECT["dependencies"])


def test_no_source_file_is_too_long_to_read() -> None:
    files = [*(ROOT / "polygeom").rglob("*.py")]
    lengths = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert len(files) > 100
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_dataclasses_are_those_that_load_quickly() -> None:
    slow = re.compile(r"^from dataclasses import .*\bdataclass\b", re.MULTILINE)
    files = [file for file in (ROOT / "polygeom").rglob("*.py") if file.name != "_dataclass.py"]
    assert [str(file) for file in files if slow.search(file.read_text(encoding="utf-8"))] == []


def test_findings_can_be_run_and_are_listed() -> None:
    folder = ROOT / "findings"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    for script in folder.glob("*.sh"):
        assert script.stat().st_mode & 0o100, f"chmod +x {script.name}"
        assert f"`{script.name}`" in listed

"""Whoever is told to install something is told one command, of this distribution, with extras that exist."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from here import of_the_repository

from polygeom.errors import EXTRAS, MissingPackageError, PolygeomError, install

ROOT = of_the_repository("CONTRIBUTING.md").parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DISTRIBUTION = PROJECT["name"]
KNOWN = set(PROJECT["optional-dependencies"])
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
SOURCES = [*(ROOT / "polygeom").rglob("*.py")]
BRINGS = {
    "torch": "torch",
    "sklearn": "scikit-learn",
    "matplotlib": "matplotlib",
    "distributed": "distributed",
    "onnx": "onnx",
    "curvlinops": "curvlinops-for-pytorch",
    "pyarrow": "pyarrow",
}
"""The distribution that a package is imported from. Pillow, that is PIL, comes with matplotlib."""


def hints(text: str) -> Iterator[list[str]]:
    """The arguments of each ``pip install`` in a text, options left out; a hint in code or in quotes ends with them."""
    for found in re.finditer(r"pip install ((?:[^`\n&;#]|\\\n)+)", text):
        words = [word.strip("\"'()\\,") for word in found[1].split()]
        taken: list[str] = []
        for before, word in zip(["", *words], words, strict=False):
            if word.startswith("-") or before == "-c":
                continue
            taken.append(word)
        yield taken


def is_right(argument: str) -> bool:
    """Whether it is the checkout or our distribution, with extras that exist, or another project that we ask for."""
    name, _, extras = argument.partition("[")
    if name.endswith(".txt"):
        return (ROOT / name).is_file()
    if name == "polygeom":
        return False
    if name in (".", DISTRIBUTION):
        return set(filter(None, extras.rstrip("]").split(","))) <= KNOWN
    return not extras and name in OTHERS


OTHERS = {re.match(r"[A-Za-z0-9-]+", line)[0] for names in PROJECT["optional-dependencies"].values() for line in names}
OTHERS |= {"passagemath-linbox"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_our_distribution_and_extras_that_exist(page: Path) -> None:
    wrong = [hint for hint in hints(page.read_text(encoding="utf-8")) if not hint or not all(map(is_right, hint))]
    assert wrong == []


def strings(source: Path) -> Iterator[str]:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_messages_take_the_command_from_one_place() -> None:
    told = {
        source.relative_to(ROOT).as_posix()
        for source in SOURCES
        if "pip install" in source.read_text(encoding="utf-8") and any("pip install" in s for s in strings(source))
    }
    assert told == {"polygeom/errors.py"}


@pytest.mark.parametrize("folder", ["polygeom", "tests", "benchmarks", "docs"])
def test_nobody_asks_for_the_unrelated_project(folder: str) -> None:
    asked = re.compile(r"polygeom\\?\[[a-z,]+\\?\]")
    files = [file for kind in ("*.py", "*.md") for file in (ROOT / folder).rglob(kind) if file != Path(__file__)]
    found = {file.relative_to(ROOT).as_posix() for file in files if asked.search(file.read_text(encoding="utf-8"))}
    assert found == set(), "write: the extra learn"


def test_each_package_is_brought_by_the_extra_that_messages_name() -> None:
    for package, extra in EXTRAS.items():
        names = [re.match(r"[A-Za-z0-9-]+", line)[0] for line in PROJECT["optional-dependencies"][extra]]
        assert BRINGS.get(package, "matplotlib") in names
    imported = {
        name
        for source in SOURCES
        for name in re.findall(r"^ *(?:import|from) (\w+)", source.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {"torch", "matplotlib", "sklearn", "onnx"} <= imported
    assert imported & {*BRINGS, "PIL", "dask", "torchvision"} <= set(EXTRAS)


def test_development_brings_every_extra_that_is_imported() -> None:
    line = next(one for one in PROJECT["optional-dependencies"]["dev"] if one.startswith(DISTRIBUTION))
    assert set(line.partition("[")[2].rstrip("]").split(",")) == KNOWN - {"dev", "oracle"}


def test_the_oracles_are_those_of_the_extra_at_the_tested_versions() -> None:
    lines = [line for line in (ROOT / "oracles.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert [line.partition("==")[0] for line in lines] == [
        line.partition(">=")[0] for line in PROJECT["optional-dependencies"]["oracle"]
    ]
    assert set(lines) <= set((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())


def test_the_command_of_the_messages_is_understood_by_pip() -> None:
    assert install("learn", "plot") == 'pip install ".[learn,plot]"'
    assert list(hints(str(MissingPackageError("it", *EXTRAS)))) == [[".[learn,plot,cluster,parquet,onnx,curvature]"]]
    assert is_right(".[learn,plot,cluster,parquet,onnx,curvature]")
    assert not is_right("polygeom[learn]")
    assert not is_right(".[lern]")


def test_the_error_is_one_of_ours_and_an_import_error() -> None:
    with pytest.raises(PolygeomError, match=r'a figure needs matplotlib \(extra plot\); .* pip install "\.\[plot\]"'):
        raise MissingPackageError("a figure", "matplotlib")
    assert issubclass(MissingPackageError, ModuleNotFoundError)


BLOCK = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])
sys.meta_path.insert(0, Missing())
"""


def on_the_base(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter that finds no package of any extra."""
    block = BLOCK.replace("{missing}", repr(set(EXTRAS)))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", block + code], capture_output=True, text=True, env=environment, timeout=120, check=False
    )


def test_a_name_that_needs_an_extra_says_so_when_it_is_used() -> None:
    done = on_the_base("import polygeom.learning.training as room; room.train")
    assert "polygeom.learning.training.train needs torch (extra learn)" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["study", "extrapolation"],
        ["portrait", "[2,2,1] r=2", "--html", "page.html"],
        ["study", "digit-pairs", "--help"],
    ],
)
def test_a_command_that_needs_an_extra_says_so_and_shows_no_trace(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = on_the_base(f"from polygeom.cli import main; main({arguments!r})")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert list(hints(done.stderr))
    assert all(map(is_right, *hints(done.stderr)))


@pytest.mark.thorough
def test_the_installed_distribution_is_ours() -> None:
    names = {one.metadata["Name"] for one in importlib.metadata.distributions()}
    owners = importlib.metadata.packages_distributions().get("polygeom", [DISTRIBUTION])
    assert "polygeom" not in names
    assert set(owners) == {DISTRIBUTION}

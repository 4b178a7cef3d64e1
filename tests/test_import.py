"""`import polygeom` is light: what is heavy loads on first use."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import polygeom

HEAVY = ["numpy", "scipy", "sympy", "numba", "pandas", "networkx", "flint", "torch", "matplotlib", "click", "tqdm"]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_import_loads_nothing_heavy() -> None:
    assert run(f"import polygeom, sys; print([name for name in {HEAVY} if name in sys.modules])") == "[]"


def test_looking_at_the_package_loads_nothing_heavy() -> None:
    code = f"import polygeom, sys; dir(polygeom); polygeom.errors.FormatError; print({{*{HEAVY}}} & {{*sys.modules}})"
    assert run(code) == "set()"


def test_everything_public_is_listed_once_and_in_dir() -> None:
    assert len(set(polygeom.__all__)) == len(polygeom.__all__)
    assert set(polygeom.__all__) == {*polygeom._HOMES, "__version__"}
    assert set(polygeom.__all__) <= set(dir(polygeom))


def test_an_unknown_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'dimensionality'; it offers .*dimension"):
        _ = polygeom.dimensionality


def test_every_public_name_is_there_and_is_no_module() -> None:
    values = {name: getattr(polygeom, name) for name in polygeom.__all__}
    assert len(values) <= 24
    assert [name for name, value in values.items() if inspect.ismodule(value)] == []
    assert values["dimension"]("[3,3,3] r=2").dimension == 15


def test_rooms_are_reached_from_the_top() -> None:
    assert run("import polygeom; print(polygeom.network.mlp([2, 3, 1], 2), polygeom.learning.__name__)") == (
        "[2,3,1] r=2 polygeom.learning"
    )
    assert set(polygeom._ROOMS) <= set(dir(polygeom))


@pytest.mark.thorough
def test_a_room_does_not_load_the_programs_in_it() -> None:
    """``python -m`` would run them a second time beside the module that is loaded already, and warns of it."""
    package = Path(polygeom.__path__[0])
    files = [file for file in package.rglob("*.py") if "__main__" in file.read_text("utf-8")]
    names = {".".join(file.relative_to(package.parent).with_suffix("").parts) for file in files}
    names.remove("polygeom.supervision.child")  # started by its path
    assert "polygeom.report.surprises" in names
    rooms = {name.rpartition(".")[0] for name in names}
    code = f"import sys\nfor room in {rooms}: __import__(room)\nprint({names} & {{*sys.modules}})"
    assert run(code) == "set()"


ROOMS = [one.name for one in pkgutil.walk_packages(polygeom.__path__, "polygeom.", onerror=lambda _: None) if one.ispkg]


@pytest.mark.parametrize("name", ["polygeom", *ROOMS])
def test_no_public_name_is_hidden_by_a_module(name: str) -> None:
    """Importing a submodule sets it as an attribute of its package, in place of a public name that is spelled alike."""
    module = importlib.import_module(name)
    inside = {one.name for one in pkgutil.iter_modules(getattr(module, "__path__", ()))}
    hidden = inside & set(getattr(module, "__all__", ()))
    assert hidden == set()


LEARNING = [name for name in ROOMS if re.fullmatch(r"polygeom\.learning\.\w+", name)]  # rooms for users


@pytest.mark.parametrize("name", LEARNING)
def test_a_room_of_learning_has_at_most_twenty_names_all_with_a_docstring(name: str) -> None:
    pytest.importorskip("torch", reason="the extra learn")
    module = importlib.import_module(name)
    assert 1 <= len(module.__all__) <= 20
    assert all(inspect.getdoc(getattr(module, one)) for one in module.__all__)


def test_there_are_few_rooms_of_learning() -> None:
    assert len(LEARNING) <= 8

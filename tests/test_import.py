"""`import polygeom` is light: what is heavy loads on first use."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import polygeom

HEAVY = ["numpy", "scipy", "sympy", "numba", "pandas", "networkx", "flint", "torch", "matplotlib", "click", "tqdm"]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_import_loads_nothing_heavy() -> None:
    assert run(f"import polygeom, sys; print([name for name in {HEAVY} if name in sys.modules])") == "[]"


def test_looking_at_the_package_loads_nothing_heavy() -> None:
    code = f"import polygeom, sys; dir(polygeom); polygeom.FormatError; print({{*{HEAVY}}} & {{*sys.modules}})"
    assert run(code) == "set()"


def test_everything_public_is_listed_once_and_in_dir() -> None:
    assert len(set(polygeom.__all__)) == len(polygeom.__all__)
    assert set(polygeom.__all__) == {*polygeom._HOMES, "__version__"}
    assert set(polygeom.__all__) <= set(dir(polygeom))


def test_an_unknown_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'dimensions'; it offers .*dimension"):
        _ = polygeom.dimensions


def test_every_public_name_is_there_and_rooms_named_after_their_verb_can_be_called() -> None:
    values = {name: getattr(polygeom, name) for name in polygeom.__all__}
    assert callable(values["dimension"])
    assert callable(values["sweep"])
    assert values["dimension"]("[3,3,3] r=2").dimension == 15
    assert values["dimension"].DimensionResult is values["DimensionResult"]


ROOMS = [f"polygeom.{one.name}" for one in pkgutil.iter_modules(polygeom.__path__) if one.ispkg]


@pytest.mark.parametrize("name", ["polygeom", *ROOMS])
def test_no_public_name_is_hidden_by_a_module(name: str) -> None:
    """Importing a submodule sets it as an attribute of its package, in place of a public name that is spelled alike."""
    module = importlib.import_module(name)
    inside = {one.name for one in pkgutil.iter_modules(getattr(module, "__path__", ()))}
    hidden = inside & set(getattr(module, "__all__", ()))
    assert {one for one in hidden if not callable(importlib.import_module(f"{name}.{one}"))} == set()

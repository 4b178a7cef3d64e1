"""`import polygeom` is light: what is heavy loads on first use."""

from __future__ import annotations

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

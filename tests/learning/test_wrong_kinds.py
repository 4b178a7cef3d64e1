"""A network, a text or a class where a module or a kernel is asked for: every function says what to write."""

# ruff: noqa: E402  torch is an extra: without it the file is skipped before anything else is imported
from __future__ import annotations

import inspect
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra learn")

from polygeom.errors import PolygeomError
from polygeom.learning import functions, regions, tangent, training
from polygeom.learning.kernels import Laplacian, solve
from polygeom.learning.kernels.sphere import sphere_eigenvalues
from polygeom.network import parse


def test_a_network_or_its_text_is_no_module_and_every_function_says_what_to_write() -> None:
    x, y, asked = torch.ones(5, 3, dtype=torch.float64), torch.ones(5, 1, dtype=torch.float64), 0
    given = {"targets": y, "labels": y, "pairs": [(0, 1)], "loss": lambda out, target: out - target, "count": 2}
    for room in (tangent, regions, training, functions):
        for name in room.__all__:
            called = getattr(room, name)
            arguments = list(inspect.signature(called).parameters.values()) if callable(called) else []
            if not arguments or arguments[0].name != "module" or name in ("ModuleRegressor", "ModuleClassifier"):
                continue  # estimators look at their arguments in fit
            needed = [one.name for one in arguments[1:] if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
            settings = {"settings": training.TrainingSettings(steps=1)} if name == "train" else {}
            for wrong in ("[3,2,1] r=2", parse("[3,2,1] r=2")):
                with pytest.raises(PolygeomError, match=r"to_torch\(\)|must be a|torch module"):
                    called(wrong, *(given.get(one, x) for one in needed), **settings)
            asked += 1
    assert asked > 15


@pytest.mark.parametrize("kernel", ["laplacian", Laplacian, 5])
def test_a_name_or_a_class_is_no_kernel(kernel: Any) -> None:
    x = torch.ones(5, 3, dtype=torch.float64)
    for call in (lambda: solve(kernel, x, x[:, 0]), lambda: sphere_eigenvalues(kernel, 3, 4)):
        with pytest.raises(PolygeomError, match=r"must be a function of two sets of rows, got .*; write for example"):
            call()

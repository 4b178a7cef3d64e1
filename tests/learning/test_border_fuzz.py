"""Shapes and types at random, one argument changed at a time: the same answer, or a `PolygeomError`."""

# ruff: noqa: E402  torch is an extra: without it the file is skipped before anything else is imported
from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra learn")

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from learning.border_calls import CALLS, WITHOUT_ARRAYS

import polygeom.learning

Change = Callable[[Any], Any]

SAME: dict[str, Change] = {
    "tensor": lambda a: torch.as_tensor(a),
    "array": lambda a: np.asarray(a),
    "float32": lambda a: torch.as_tensor(a).float(),
    "float32 array": lambda a: np.asarray(a).astype(np.float32),
    "int64": lambda a: torch.as_tensor(a).long(),
    "int8": lambda a: torch.as_tensor(a).to(torch.int8),
    "int16 array": lambda a: np.asarray(a).astype(np.int16),
    "big-endian": lambda a: np.asarray(a).astype(np.asarray(a).dtype.newbyteorder(">")),
    "read-only": lambda a: (lambda b: b.setflags(write=False) or b)(np.asarray(a).copy()),
    "list": lambda a: np.asarray(a).tolist(),
    "reversed view": lambda a: np.asarray(a)[::-1].copy()[::-1],
    "not contiguous": lambda a: torch.as_tensor(np.asarray(a)).T.contiguous().T if np.ndim(a) == 2 else a,
    "with gradient": lambda a: torch.as_tensor(a).double().clone().requires_grad_(),
    "column": lambda a: torch.as_tensor(a).unsqueeze(-1),
    "middle axis": lambda a: torch.as_tensor(a).unsqueeze(1),
    "squeezed": lambda a: torch.as_tensor(a).squeeze(),
}
"""Changes that leave the numbers: the answer is the same, or refused."""

OTHER: dict[str, Change] = {
    "transposed": lambda a: torch.as_tensor(a).T if np.ndim(a) == 2 and np.shape(a)[0] != np.shape(a)[1] else None,
    "flat": lambda a: torch.as_tensor(a).reshape(-1) if np.ndim(a) > 1 else None,
    "a row less": lambda a: a[:-1],
    "one row": lambda a: a[:1] if len(a) > 1 else None,
    "a row more": lambda a: torch.cat([torch.as_tensor(a), torch.as_tensor(a)[:1]]),
    "leading axis": lambda a: torch.as_tensor(a)[None],
    "a column less": lambda a: a[:, :-1] if np.ndim(a) == 2 else None,
    "a number": lambda a: torch.as_tensor(a).reshape(-1)[0],
}
"""Changes of shape that leave no sense, where the shape is not free."""

JUNK: dict[str, Change] = {
    "None": lambda a: None,
    "text": lambda a: "x",
    "dictionary": lambda a: {"a": 1},
    "empty": lambda a: torch.as_tensor(a)[:0],
    "complex": lambda a: torch.as_tensor(a) * (1 + 1j),
    "complex array": lambda a: np.asarray(a) * 1j,
    "objects": lambda a: np.full(np.shape(a), None, dtype=object),
    "sparse": lambda a: torch.as_tensor(a).double().to_sparse(),
    "ragged": lambda a: [[1.0], [1.0, 2.0]],
    "a module": lambda a: torch.nn.Linear(2, 2),
}
"""What is no array of real numbers."""

NOT_FINITE: dict[str, Change] = {
    "NaN": lambda a: torch.as_tensor(a).double() * float("nan"),
    "infinite": lambda a: torch.as_tensor(a).double() + float("inf"),
}

LONG = {"descend", "find_weights", "levenberg_marquardt", "ModuleClassifier", "ModuleRegressor", "cell_inradii"}
OPTIONAL = {("empirical_ntk", "y"): "None", ("kernel_regression", "s"): "None", ("KernelSolution", "s"): "None",
            ("numerical_rank", "m"): "empty"}  # fmt: skip
"""Arguments for which nothing, or an empty matrix, has an answer of its own."""


def numbers(value: Any) -> np.ndarray:
    """All numbers of an answer, in order."""
    if isinstance(value, list | tuple):
        return np.concatenate([numbers(one) for one in value])
    array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    return np.atleast_1d(array.astype(np.complex128)).reshape(-1)


def answer(name: str, changed: str | None = None, change: Change | None = None) -> np.ndarray | None:
    """The numbers of an answer with one argument changed; None where it is refused in words."""
    call = CALLS[name]
    arrays = dict(call.arrays)
    if changed is not None and change is not None:
        arrays[changed] = change(arrays[changed])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return numbers(call.do(**arrays))
        except call.refusals:
            return None


RIGHT: dict[str, np.ndarray] = {}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.thorough] * (n in LONG)) for n in CALLS])
def test_every_change_of_one_argument(name: str) -> None:
    """All changes of all arguments, without chance; the numbers of the unchanged call stand for right."""
    expected = answer(name)
    assert expected is not None
    for argument in CALLS[name].arrays:
        for kind, change in SAME.items():
            found = answer(name, argument, change)
            if found is not None:
                assert found.shape == expected.shape, (argument, kind)
                np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4, err_msg=f"{argument}: {kind}")
        for kind, change in OTHER.items():
            if change(CALLS[name].arrays[argument]) is not None:
                found = answer(name, argument, change)
                loose = f"{argument}+" in CALLS[name].free and kind in ("a column less", "leading axis")
                assert found is None or argument in CALLS[name].free or loose, (argument, kind)
        for kind, change in JUNK.items():
            found = answer(name, argument, change)
            optional = OPTIONAL.get((name, argument)) == kind
            assert found is None or optional or (kind == "empty" and not found.size), (argument, kind)
        for kind, change in NOT_FINITE.items():
            found = answer(name, argument, change)
            assert found is None or not np.isfinite(found).all() or np.allclose(found, 0), (argument, kind)


ALL = {**SAME, **OTHER, **JUNK, **NOT_FINITE}


@pytest.mark.thorough
@settings(max_examples=150, deadline=None, derandomize="POLYGEOM_TEST_MULTIPLIER" not in os.environ)
@given(st.data())
def test_changes_on_top_of_changes(data: st.DataObject) -> None:
    """Two changes one after the other, of one argument or of two: never anything but an answer or words."""
    name = data.draw(st.sampled_from(sorted(CALLS)))
    call = CALLS[name]
    arrays = dict(call.arrays)
    for _ in range(2):
        argument = data.draw(st.sampled_from(sorted(arrays)))
        change = ALL[data.draw(st.sampled_from(sorted(ALL)))]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                arrays[argument] = change(arrays[argument])
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError, KeyError):
            return  # a change that this argument does not have any more
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call.do(**arrays)
        except call.refusals as error:
            assert str(error)  # noqa: PT017  that is the contract


def test_every_public_function_is_fuzzed_or_takes_no_arrays() -> None:
    called = {name.partition(",")[0].partition(".")[0].partition(" ")[0] for name in CALLS}
    rooms = [
        importlib.import_module(f"polygeom.learning.{room}") for room in ("tangent", "regions", "kernels", "training")
    ]
    rooms.append(polygeom.learning)
    public = {name for room in rooms for name in getattr(room, "__all__", ())}
    assert {name for name in public - called - WITHOUT_ARRAYS if callable(getattr_any(rooms, name))} == set()
    assert not called & WITHOUT_ARRAYS


def getattr_any(rooms: list[Any], name: str) -> Any:
    return next(getattr(room, name) for room in rooms if name in getattr(room, "__all__", ()))

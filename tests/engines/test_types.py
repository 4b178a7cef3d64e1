"""A module says when its inputs have another type than its weights."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch (extra learn)")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.network import parse  # noqa: E402


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.complex128])
def test_inputs_of_another_type_are_refused_in_words(dtype: torch.dtype) -> None:
    module = parse("[3,4,2] r=2").to_torch()
    with pytest.raises(PolygeomError, match=r"x must have the type of the weights, torch.float64, got torch"):
        module(torch.ones(5, 3, dtype=dtype))
    assert module(torch.ones(5, 3, dtype=torch.float64)).shape == (5, 2)
    assert parse("[3,4,2] r=2").to_torch(dtype=torch.float32)(torch.ones(5, 3)).dtype == torch.float32

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra learn")

from polygeom.testing import modules  # noqa: E402
from polygeom.testing.module_functions import FUNCTIONS  # noqa: E402
from polygeom.testing.module_zoo import ZOO  # noqa: E402

RIGHT = (modules.AGREES, modules.SLOWER)
ANSWERED = tuple(FUNCTIONS)[: tuple(FUNCTIONS).index("anisotropy_directions")]
"""Functions that must have an answer for every module with outputs at a point."""


LIKE_OTHERS = {
    "gelu",
    "outputs (N,)",
    "in place",
    "frozen layer",
    "convolution 1-D",
    "transposed convolution",
    "group norm",
    "instance norm",
    "fused attention",
    "encoder layer",
    "embedding bag",
    "GRU",
    "weight norm",
    "scaled and shifted",
    "bilinear",
    "residual network",
    "polynomial, coupled",
    "polynomial attention",
    "dropout, off",
    "mixing: sums",
    "mixing: attention",
    "dictionary of heads",
    "classes",
}
"""Modules that take the ways of another one of the zoo."""


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.name in LIKE_OTHERS else []) for case in ZOO],
)
def test_every_function_is_right_or_refuses_in_words(case) -> None:
    for (_, name), found in modules.table([case]).items():
        assert found.kind in (*RIGHT, modules.REFUSED), f"{name}: {found.kind} {found.detail}"
        if not case.refused and name in ANSWERED and not (name == "TangentKernel" and case.vocabulary):
            assert found.kind in RIGHT, f"{name}: {found.detail}"


def test_the_zoo_is_large_and_the_table_shows_what_is_wrong() -> None:
    names = {case.name for case in ZOO}
    assert len(names) == len(ZOO)
    assert names > LIKE_OTHERS
    assert len(names - LIKE_OTHERS) >= 24
    case = ZOO[0]
    wrong = modules.outcome(case, lambda s: [(s.jacobian + 1e-9, s.jacobian)])
    raw = modules.outcome(case, lambda s: [][1])
    changed = modules.outcome(case, lambda s: s.module.train(not s.module.training) and [])
    case.module.train()
    assert [one.kind for one in (wrong, raw, changed)] == [modules.DIFFERS, modules.RAW, modules.DIFFERS]
    shown = modules.text({(case.name, "a"): wrong, (case.name, "b"): raw})
    assert "perceptron × a: DIFFERS by 1.0e-09" in shown
    assert "RAW IndexError" in shown

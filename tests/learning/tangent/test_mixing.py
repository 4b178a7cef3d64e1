"""Whatever acts across the points is refused, also where it changes nothing at the points in their order."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="tangent kernels need the extra learn")

from learning.tangent.test_routes import Called  # noqa: E402
from learning.tangent_models import jacobian_by_backward, seeded  # noqa: E402
from torch import nn  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import empirical_ntk  # noqa: E402


def centred(h):
    return h - h.mean(dim=0)


ACROSS = {
    "sort": lambda x: x.sort(0)[0],
    "sort, falling": lambda x: x.sort(0, descending=True)[0],
    "topk": lambda x: x.topk(len(x), 0)[0],
    "argsort": lambda x: x[x[:, 0].argsort()],
    "roll": lambda x: x.roll(1, 0),
    "roll by two": lambda x: x.roll(2, 0),
    "roll by three": lambda x: x.roll(3, 0),
    "flip": lambda x: x.flip(0),
    "cummax": lambda x: x.cummax(0)[0],
    "cumsum": lambda x: x.clamp(min=0.5).cumsum(0),
    "kth": lambda x: x.kthvalue(1, 0, keepdim=True)[0].expand_as(x),
    "means of three and more": lambda x: centred(x) if len(x) > 2 else x,
    "neighbours": lambda x: x.unfold(0, 2, 1).mean(-1) if len(x) > 2 else x,
}
HARMLESS = {("roll by two", 2), ("roll by three", 2), ("means of three and more", 2), ("neighbours", 2)}
"""What acts on more points than these alone."""


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("method", ["auto", "layerwise", pytest.param("pointwise", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("name", ACROSS)
def test_what_acts_across_points_is_refused_in_any_order(name: str, method: str, falling: bool) -> None:
    module = seeded(
        lambda: Called(lambda m, x: m.out(ACROSS[name](m.dense(x))), dense=nn.Linear(1, 1), out=nn.Linear(1, 2))
    )
    x = torch.linspace(0.5, 2, 5, dtype=torch.float64)[:, None]
    x = x.flip(0) if falling else x
    for count in (5, 2):
        for _ in range(2):
            if (name, count) in HARMLESS and method != "auto":
                continue
            with pytest.raises(PolygeomError, match=r"on its own|must map points"):
                empirical_ntk(module, x[:count], method=method)


@pytest.mark.parametrize("method", ["layerwise", "pointwise"])
def test_what_begins_with_many_points_never_gives_a_wrong_kernel(method: str) -> None:
    """Refused, or the kernel of the points alone: copies of the points for several outputs are points too."""
    module = seeded(
        lambda: Called(lambda m, x: m.out(m.dense(centred(x) if len(x) > 3 else x).tanh()), dense=nn.Linear(1, 3),
                       out=nn.Linear(3, 2))
    )  # fmt: skip
    x = torch.linspace(0.5, 2, 5, dtype=torch.float64)[:, None]
    for count in (2, 3, 5):
        j = torch.cat([jacobian_by_backward(module, point[None]) for point in x[:count]])
        for _ in range(3):
            try:
                found = empirical_ntk(module, x[:count], method=method)
            except PolygeomError as error:
                assert method == "layerwise"
                assert "on its own" in str(error)  # noqa: PT017  or the kernel
            else:
                expected = torch.einsum("ncp,kdp->nkcd", j, j)
                assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()


def test_layers_that_come_with_many_points_are_no_raw_error() -> None:
    """One more use of a weight from five points on, which changes nothing."""
    module = seeded(
        lambda: Called(lambda m, x: m.dense(x) + (0 * m.dense(x) if len(x) > 4 else 0), dense=nn.Linear(2, 2))
    )
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = empirical_ntk(module, x, method="single")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polygeom.learning.tangent.tangent_kernel._few", lambda *given: None)
        assert (empirical_ntk(module, x) - expected).abs().max() <= 1e-12 * expected.abs().max()
        with pytest.raises(PolygeomError, match='write method="auto"'):
            empirical_ntk(module, x, method="layerwise")

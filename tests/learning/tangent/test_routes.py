"""Layers of every shape, layer-wise against backward passes, and the ways to their inner products by counted cost."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch", reason="tangent kernels need the extra learn")

from learning.tangent_models import jacobian_by_backward, seeded  # noqa: E402
from torch import nn  # noqa: E402

from polygeom.learning.tangent import tangent_kernel  # noqa: E402
from polygeom.learning.tangent.functional import weight_function  # noqa: E402
from polygeom.learning.tangent.layers import convolutions, trials  # noqa: E402
from polygeom.learning.tangent.layers.convolutions import pulled  # noqa: E402
from polygeom.learning.tangent.layers.costs import (  # noqa: E402
    NUMBER,
    Sizes,
    cheapest,
    contraction_cost,
    pair_costs,
    pieces_cost,
    pull_costs,
)
from polygeom.learning.tangent.layers.pieces import Piece, pair_gram  # noqa: E402
from polygeom.learning.tangent.layers.trials import layerwise_trial  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import empirical_ntk, jacobian  # noqa: E402


@pytest.fixture(autouse=True)
def _layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few points are not taken together here."""
    monkeypatch.setattr(tangent_kernel, "_few", lambda *given: None)


class Called(nn.Module):
    def __init__(self, function, **parts) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


def attention(batch_first: bool = True, **options) -> nn.Module:
    layer = nn.MultiheadAttention(4, 2, batch_first=batch_first, **options)

    def function(module, x):
        x = x if batch_first else x.transpose(0, 1)
        y = module.layer(x, x.tanh(), x, need_weights=False)[0]
        return (y if batch_first else y.transpose(0, 1)).mean(dim=1)

    return Called(function, layer=layer)


def causal() -> nn.Module:
    mask = torch.triu(torch.full((2, 2), float("-inf")), diagonal=1)
    layer = nn.MultiheadAttention(4, 2, batch_first=True)
    return Called(lambda m, x: m.layer(x, x, x, attn_mask=mask.to(x))[0].flatten(1), layer=layer)


def conv(*args, **options):
    return lambda: nn.Sequential(nn.Conv2d(2, 4, 1), nn.Tanh(), nn.Conv2d(4, *args, **options), nn.Tanh(), nn.Flatten())


LAYERS = {
    "stride, padding": (conv(3, (3, 2), stride=(2, 1), padding=(1, 2)), (2, 5, 4)),
    "groups, dilation": (conv(6, 2, groups=2, dilation=(2, 1)), (2, 5, 4)),
    "depthwise": (conv(4, 3, groups=4, padding=1, bias=False), (2, 4, 4)),
    "same": (conv(2, (2, 3), padding="same"), (2, 4, 4)),
    "circular": (conv(2, 3, padding=1, padding_mode="circular"), (2, 3, 3)),
    "1-D": (lambda: nn.Sequential(nn.Conv1d(2, 3, 2), nn.GELU(), nn.Conv1d(3, 2, 2, stride=2), nn.Flatten()), (2, 6)),
    "3-D": (lambda: nn.Sequential(nn.Conv3d(1, 2, 2), nn.Tanh(), nn.Conv3d(2, 2, 2), nn.Flatten()), (1, 3, 3, 4)),
    "tokens": (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.Flatten()), (2, 3)),
    "tokens as rows": (
        lambda: Called(lambda m, x: m.a(x.reshape(-1, 3)).tanh().reshape(len(x), -1), a=nn.Linear(3, 2)), (2, 3),
    ),
    "encoder": (
        lambda: nn.Sequential(nn.TransformerEncoderLayer(4, 2, 3, batch_first=True), nn.Flatten()).eval(), (2, 4),
    ),
    "cross attention": (attention, (3, 4)),
    "cross attention, other sizes": (lambda: attention(kdim=4, vdim=4, bias=False), (3, 4)),
    "attention, tokens first": (lambda: attention(False), (2, 4)),
    "masked attention": (causal, (2, 4)),
    "embedding": (
        lambda: Called(lambda m, x: m.out(m.e((x.abs() * 3).long() % 5)).flatten(1),
                       e=nn.Embedding(5, 3, padding_idx=1),
                       out=nn.Linear(3, 2)), (3,),
    ),
    "tied embedding": (
        lambda: Called(lambda m, x: m.e((x.abs() * 3).long() % 5).tanh().mean(1) @ m.e.weight.T,
                       e=nn.Embedding(5, 3)),
        (3,),
    ),
    "norms": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 2), nn.GroupNorm(2, 4), nn.Tanh(), nn.InstanceNorm2d(4, affine=True),
                              nn.LayerNorm([4, 2, 2]), nn.Flatten(), nn.RMSNorm(16), nn.Linear(16, 2)), (2, 3, 3),
    ),
    "gains": (
        lambda: Called(lambda m, x: (m.s * m.a(x) + m.p) * m.t, a=nn.Linear(3, 4), s=nn.Parameter(torch.randn(2, 1)),
                       p=nn.Parameter(torch.randn(2, 4)), t=nn.Parameter(torch.randn(()))), (2, 3),
    ),
    "PReLU": (lambda: nn.Sequential(nn.Linear(3, 4), nn.PReLU(4), nn.Linear(4, 2), nn.PReLU()), (3,)),
    "W and its transpose": (
        lambda: Called(lambda m, x: torch.tanh(x @ m.w) @ m.w.T + m.w.sum(), w=nn.Parameter(torch.randn(3, 2))), (3,),
    ),
}  # fmt: skip
ALWAYS = ("groups, dilation", "tied embedding", "W and its transpose", "gains")


def close(found, expected, relative: float = 1e-10) -> None:
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= relative * float(expected.abs().max())


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in ALWAYS else [pytest.mark.thorough]) for name in LAYERS]
)
def test_layers_of_every_shape_have_their_kernel(name: str) -> None:
    make, shape = LAYERS[name]
    module = seeded(make)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    x = torch.randn(5, *shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    assert layerwise_trial(weight_function(module), x) is not None
    j, right = jacobian_by_backward(module, x), jacobian_by_backward(module, x[:3])
    close(jacobian(module, x), j)
    full = torch.einsum("ncp,kdp->nkcd", j, j)
    close(empirical_ntk(module, x), full)
    close(empirical_ntk(module, x, outputs="diagonal"), torch.einsum("nkcc->nkc", full))
    close(empirical_ntk(module, x, outputs="trace"), torch.einsum("nkcc->nk", full))
    close(empirical_ntk(module, x, x[:3]), torch.einsum("ncp,kdp->nkcd", j, right))


PIECES = {
    "one position": (2, 3, 1, 1),
    "positions": (3, 2, 1, 4),
    "groups": (2, 3, 2, 3),
}


def pieces(name: str, flipped: bool = False) -> list[Piece]:
    rows, columns, groups, positions = PIECES[name]
    generator = torch.Generator().manual_seed(7)

    def normal(*shape: int):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return [
        Piece(normal(n, groups, columns, positions), normal(n, 2, groups, rows, positions), columns, flipped)
        for n in (3, 4)
    ]


@pytest.mark.parametrize("way", ["grams", "products", "vectors", None])
@pytest.mark.parametrize("name", PIECES)
def test_all_ways_give_the_inner_products(name: str, way: str | None) -> None:
    u, v = pieces(name)
    for one, other in ((u, v), (u, u)):
        full = torch.einsum("ncp,kdp->nkcd", one.jacobian(), other.jacobian())
        close(pair_gram(one, other, "full", way), full, 1e-12)
        close(pair_gram(one, other, "diagonal", way), torch.einsum("nkcc->nkc", full), 1e-12)
        close(pair_gram(one, other, "trace", way), torch.einsum("nkcc->nk", full), 1e-12)


def test_costs_are_the_multiplications_and_numbers_of_each_way() -> None:
    """Counted by hand for two actions of one weight (2 × 3) at 5 and 4 positions of 3 and 2 points, 2 outputs."""
    u, v = Sizes(1, 2, 3, 5), Sizes(1, 2, 3, 4)
    pairs = 3 * 2
    counted = pair_costs(u, v, 3, 2, 2, True)
    gram_a, gram_b, product = pairs * 20 * 3, pairs * 4 * 20 * 2, pairs * 4 * 20
    assert counted["grams"] == gram_a + gram_b + product + NUMBER * pairs * 20 * (1 + 4)
    applied, joined = pairs * 20 * 2 * 2, pairs * 4 * 5 * 2
    assert counted["products"] == gram_a + applied + joined + NUMBER * pairs * (20 + 2 * 5 * 2)
    formed, moved = 2 * 2 * 4 * 3 * 2, pairs * 2 * 5 * 2 * 3
    assert counted["vectors"] == formed + moved + joined + NUMBER * pairs * 2 * 5 * 2
    both = (3 + 2) * 2 * (5 + 4) * 6
    assert contraction_cost([u, v], 6, 3, 2, 2, True) == both + pairs * 4 * 6 + NUMBER * 5 * 2 * 6


@pytest.mark.parametrize("full", [True, False])
def test_the_way_taken_is_the_cheapest_counted(full: bool) -> None:
    taken = set()
    for rows, columns, positions, outputs in itertools.product((2, 64, 512), (9, 576), (1, 16, 1024), (1, 10, 1000)):
        sizes = Sizes(1, rows, columns, positions)
        counted = pair_costs(sizes, sizes, 20, 20, outputs, full)
        way, cost = cheapest(sizes, sizes, 20, 20, outputs, full)
        assert cost == min(counted.values()) == counted[way]
        contracted = contraction_cost([sizes], rows * columns, 20, 20, outputs, full)
        taken.add("contraction" if contracted <= pieces_cost([sizes], 20, 20, outputs, full) else way)
    assert taken == {"contraction", "grams", "products"}
    few = Sizes(1, 1, 100, 16)  # products with vectors by the derivatives themselves: for single pairs of points
    way, cost = cheapest(few, few, 1, 1, 2, True)
    assert way == "vectors"
    assert cost < contraction_cost([few], 100, 1, 1, 2, True)


@pytest.mark.parametrize("outputs", ["full", pytest.param("trace", marks=pytest.mark.thorough)])
def test_plans_form_what_is_cheaper_formed(outputs: str) -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.Tanh(), nn.Conv2d(2, 40, 3, stride=4), nn.Flatten()
    ).double()
    x = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    trial = layerwise_trial(weight_function(module), x)
    assert trial is not None
    full = outputs == "full"
    plan = trial.prepared(trial.outputs, 6, 6, full, 2**30)
    for factor in trial.factors:
        if factor.explicit is None and not factor.once:
            sizes = [piece.sizes for piece in factor.pieces]
            contracted = contraction_cost(sizes, trial.sizes[factor.name], 6, 6, trial.outputs, full)
            assert (factor.name in plan.formed) == (contracted <= pieces_cost(sizes, 6, 6, trial.outputs, full))
    assert "0.weight" in plan.formed
    j = jacobian_by_backward(module, x)
    if full:
        close(empirical_ntk(module, x), torch.einsum("ncp,kdp->nkcd", j, j))


@pytest.mark.parametrize("points", [2, 9])
def test_weights_computed_from_others_are_pulled_back_either_way(points: int) -> None:
    """Fewer and more derivatives than entries of the computed weight; sums of rows without symmetry."""
    inner = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))
    module = Called(
        lambda m, x: m.outer(m.inner(x).tanh()) * m.size.exp(), inner=inner, outer=nn.Linear(4, 2),
        size=nn.Parameter(torch.tensor(0.5)),
    ).double()  # fmt: skip
    x = torch.randn(points, 3, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    assert layerwise_trial(weight_function(module), x) is not None
    j = jacobian_by_backward(module, x)
    close(jacobian(module, x), j)
    close(empirical_ntk(module, x), torch.einsum("ncp,kdp->nkcd", j, j))


PULLED = {
    "plain": ((5, 6), (3, 2), (1, 1), (0, 0), (1, 1)),
    "strides, padding, dilation": ((7, 8), (3, 2), (2, 3), (2, 1), (2, 1)),
    "rests at the end": ((6, 9), (2, 2), (4, 3), (0, 1), (1, 1)),
    "1-D": ((9,), (3,), (2,), (1,), (1,)),
    "3-D": ((3, 4, 5), (2, 1, 3), (1, 2, 1), (1, 0, 1), (1, 1, 1)),
}


@pytest.mark.parametrize("name", PULLED)
def test_derivatives_by_images_are_the_same_apart_and_together(name: str) -> None:
    sizes, window, stride, padding, dilation = PULLED[name]
    generator = torch.Generator().manual_seed(8)
    images = torch.randn(2, 3, *sizes, generator=generator, dtype=torch.float64).requires_grad_()
    weight = torch.randn(4, 3, *window, generator=generator, dtype=torch.float64)
    function = (torch.conv1d, torch.conv2d, torch.conv3d)[len(sizes) - 1]
    value = function(images, weight, None, stride, padding, dilation)
    g = torch.randn(3, *value.shape, generator=generator, dtype=torch.float64)
    expected = torch.stack([torch.autograd.grad(value, images, one, retain_graph=True)[0] for one in g])
    setting = (list(stride), list(padding), list(dilation))
    for way in ("apart", "together"):
        found = pulled(g.flatten(end_dim=1), images.detach(), weight, setting, 1, way)
        close(found.unflatten(0, (3, 2)), expected, 1e-13)


def test_convolutions_are_pulled_back_together_where_that_costs_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the counted costs, of several outputs as one batch; all ways have one kernel."""
    late = pull_costs(512, 512, 9, 16, 20)
    assert late["together"] < late["apart"]
    early = pull_costs(64, 64, 9, 1024, 20)
    assert early["apart"] < early["together"]
    assert late["apart"] == 20 * 512 * 4608 * 16 + NUMBER * 20 * (512 * 4608 + 2 * 4608 * 16)
    module = seeded(conv(3, 3, padding=1, stride=2))
    x = torch.randn(5, 2, 5, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    j = jacobian_by_backward(module, x)
    taken = []

    def counted(*sizes: int) -> dict[str, int]:
        taken.append(sizes)
        return {"apart": len(sizes), "together": 0}

    monkeypatch.setattr(convolutions, "pull_costs", counted)
    monkeypatch.setattr(trials, "_SHORT", 0)
    close(empirical_ntk(module, x), torch.einsum("ncp,kdp->nkcd", j, j), 1e-12)
    assert (3, 4, 9, 6, 5 * j.shape[1]) in taken

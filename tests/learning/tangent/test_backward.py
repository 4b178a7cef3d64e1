"""Derivatives node by node through a graph: equal to torch's, whatever stands between a convolution and the outputs."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch", reason="tangent kernels need the extra learn")

from learning.tangent_models import jacobian_by_backward, seeded  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from polygeom.learning.tangent.functional import weight_function  # noqa: E402
from polygeom.learning.tangent.layers import backward, convolutions, layerwise, trials  # noqa: E402
from polygeom.learning.tangent.layers.backward import derivatives  # noqa: E402
from polygeom.learning.tangent.layers.convolutions import Known, gathered, pulled  # noqa: E402
from polygeom.learning.tangent.layers.costs import CALL, NUMBER, gather_cost, pull_costs  # noqa: E402
from polygeom.learning.tangent.layers.recording import record  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import empirical_ntk  # noqa: E402


class Net(nn.Module):
    """Two convolutions, a normalisation with fixed statistics, and what ``tail`` makes of them."""

    def __init__(self, tail, second=None, head=None) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second = second or nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.head = head or nn.Linear(4, 3)
        self.tail = tail
        for name in ("weight", "bias", "running_mean"):
            nn.init.normal_(getattr(self.norm, name))
        nn.init.uniform_(self.norm.running_var, 0.5, 2.0)
        self.eval()

    def forward(self, x):
        return self.tail(self, torch.relu(self.first(x)))


def pooled(x):
    return x.mean(dim=(2, 3))


def whole(x):
    return functional.avg_pool2d(x, tuple(x.shape[2:])).flatten(1)


def branch(m, x):
    return m.norm(m.second(x))


RANK_ONE = {
    "rectifier, mean, dense map": lambda m, x: m.head(pooled(branch(m, x).relu())),
    "pool over everything": lambda m, x: m.head(whole(branch(m, x).relu())),
    "adaptive pool": lambda m, x: m.head(functional.adaptive_avg_pool2d(branch(m, x).relu(), 1).flatten(1)),
    "a way around": lambda m, x: m.head(pooled(torch.relu(x + branch(m, x)))),
    "mean at once": lambda m, x: m.head(pooled(branch(m, x))),
    "in place": lambda m, x: m.head(pooled(functional.relu(branch(m, x), inplace=True))),
    "a sigmoid of the means": lambda m, x: m.head(pooled(branch(m, x).relu()).sigmoid()),
}
"""Where derivatives by the last convolution are one mask times numbers of channels."""
OTHER = {
    "a sigmoid": lambda m, x: m.head(pooled(branch(m, x).sigmoid())),
    "a sigmoid and a rectifier": lambda m, x: m.head(pooled((branch(m, x).sigmoid() - 0.5).relu())),
    "a norm over channels": lambda m, x: m.head(pooled(functional.group_norm(branch(m, x), 2).relu())),
    "a softmax over channels": lambda m, x: m.head(pooled(branch(m, x).softmax(dim=1).relu())),
    "parts of a mean": lambda m, x: m.head(functional.avg_pool2d(branch(m, x).relu(), 3).sum(dim=(2, 3))),
    "a pool with another divisor": lambda m, x: m.head(
        functional.avg_pool2d(branch(m, x).relu(), tuple(x.shape[2:]), divisor_override=7).flatten(1)
    ),
    "a pool with edges": lambda m, x: m.head(
        functional.avg_pool2d(branch(m, x).relu(), tuple(x.shape[2:]), padding=1, stride=20).flatten(1)
    ),
    "a mean over one axis": lambda m, x: m.head(branch(m, x).relu().mean(dim=3).sum(dim=2)),
    "a mean over channels": lambda m, x: branch(m, x).relu().mean(dim=(1, 3))[:, :3],
    "a largest entry": lambda m, x: m.head(branch(m, x).relu().amax(dim=(2, 3))),
    "two heads": lambda m, x: torch.cat([m.head(pooled(branch(m, x).relu())), branch(m, x).flatten(1)[:, 5:7]], 1),
    "twice the other": lambda m, x: m.head(pooled(torch.relu(torch.add(x, branch(m, x), alpha=2)))),
    "one weight twice": lambda m, x: m.head(pooled(branch(m, branch(m, x).relu()).relu())),
    "one value for all": lambda m, x: m.head(
        pooled((branch(m, x) + branch(m, x).mean(dim=(2, 3), keepdim=True)).relu())
    ),
    "one channel for all": lambda m, x: m.head(pooled((branch(m, x) + x[:, :1]).relu())),
    "a product with itself": lambda m, x: m.head(pooled((branch(m, x) * x).relu())),
    "two branches": lambda m, x: m.head(pooled((branch(m, x) + m.second(x)).relu())),
    "a sigmoid around": lambda m, x: m.head(pooled((x.sigmoid() + branch(m, x)).relu())),
    "another scale": lambda m, x: m.head(pooled(torch.addcmul(x, branch(m, x), x).relu())),
    "scales of rows": lambda m, x: m.head(
        pooled(torch.addcmul(x.new_zeros(()), branch(m, x), torch.arange(5.0).to(x).reshape(5, 1)).relu())
    ),
    "in place on a part": lambda m, x: m.head(pooled(_changed(branch(m, x)).relu())),
    "parts of channels": lambda m, x: m.head(pooled(torch.cat(branch(m, x).relu().chunk(2, dim=1)[::-1], dim=1))),
    "rectifiers around": lambda m, x: m.head(pooled(torch.relu(torch.relu(branch(m, x)) + torch.relu(x) - x))),
}
"""Where they are not, or where the simple rules do not hold."""
SECOND = {
    "groups": lambda: nn.Conv2d(4, 4, 3, padding=1, groups=2),
    "strides": lambda: nn.Conv2d(4, 4, 3, stride=2),
    "dilation": lambda: nn.Conv2d(4, 4, 3, dilation=2, padding=2),
    "a wide edge": lambda: nn.Conv2d(4, 4, 1, padding=1),
    "a window of 2 by 3": lambda: nn.Conv2d(4, 4, (2, 3), padding=(1, 0)),
    "same": lambda: nn.Conv2d(4, 4, 3, padding="same"),
}


def _changed(x):
    x = x.clone()
    x[:, :2] *= 2
    return x


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sees how often derivatives are gathered; evaluations are not one for each output."""
    if not hasattr(torch.ones(1, requires_grad=True).exp().grad_fn, "_input_metadata"):
        pytest.skip("torch 2.4 does not tell the shapes of what nodes are given; derivatives are its own")
    seen = []

    def counted(*given):
        seen.append(len(given))
        return gathered(*given)

    monkeypatch.setattr(trials, "_SHORT", 0)
    monkeypatch.setattr(convolutions, "gather_cost", lambda *sizes: 0)
    monkeypatch.setattr(backward, "gathered", counted)
    return seen


def images(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 2, 5, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def agrees(module: nn.Module) -> None:
    x = images()
    module = module.double()
    j = jacobian_by_backward(module, x)
    found, expected = empirical_ntk(module, x, method="layerwise"), torch.einsum("ncp,kdp->nkcd", j, j)
    assert (found - expected).abs().max() <= 1e-13 * expected.abs().max()


@pytest.mark.parametrize("name", [*RANK_ONE, *OTHER])
def test_whatever_follows_a_convolution_the_kernel_is_right(name: str, walked: list[int]) -> None:
    agrees(seeded(lambda: Net((RANK_ONE | OTHER)[name])))
    assert walked or name == "in place on a part"


@pytest.mark.parametrize("name", SECOND)
def test_kernels_of_every_convolution_are_right(name: str, walked: list[int]) -> None:
    agrees(seeded(lambda: Net(RANK_ONE["rectifier, mean, dense map"], SECOND[name]())))
    assert bool(walked) == (name in ("dilation", "a window of 2 by 3"))


@pytest.mark.parametrize("name", RANK_ONE)
def test_one_backward_pass_for_all_outputs_where_they_share_a_mask(name: str, walked: list[int]) -> None:
    module = seeded(lambda: Net(RANK_ONE[name])).double()
    seen = record(weight_function(module), images())
    values = list({id(use.outputs): use.outputs for use in seen.uses}.values())
    found = derivatives(seen.outputs, torch.eye(3, dtype=torch.float64), values)
    last = found[id(values[1])]
    assert last.values.shape[:2] == (1, 3)
    assert len(last.scale) == 3
    for value in values:
        wanted = [torch.autograd.grad(seen.outputs[:, c].sum(), value, retain_graph=True)[0] for c in range(3)]
        assert torch.allclose(found[id(value)].full().expand(3, *value.shape), torch.stack(wanted), 1e-12, 1e-14)


def test_batch_normalisations_in_training_mode_stay_refused(walked: list[int]) -> None:
    module = Net(RANK_ONE["pool over everything"]).double()
    module.norm.train()
    with pytest.raises(Exception, match="eval"):
        empirical_ntk(module, images())


def test_what_changes_derivatives_out_of_sight_is_left_to_torch(walked: list[int]) -> None:
    """A hook on a value is no node of a graph."""

    def hooked(m, x):
        y = branch(m, x).relu()
        if y.requires_grad:
            y.register_hook(lambda g: 3 * g)
        return m.head(pooled(y))

    agrees(seeded(lambda: Net(hooked)))
    assert not walked


def test_a_graph_that_cannot_be_walked_is_left_to_torch(walked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given):
        raise backward.Unwalkable

    monkeypatch.setattr(layerwise, "derivatives", refuse)
    agrees(seeded(lambda: Net(RANK_ONE["a way around"])))
    assert not walked


GATHERED = [(3, 3), (1, 1), (2, 3), (5, 1)], [(0, 0), (1, 1), (2, 0), (0, 1), (2, 2)], [(1, 1), (2, 1)], [1, 10**6]


@pytest.mark.parametrize("case", range(4))
def test_gathered_derivatives_are_those_of_torch(case: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows, edges, dilations; one scale for all, for points, for outputs; sums and masks; in parts and at once."""
    generator = torch.Generator().manual_seed(case)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    tried = 0
    monkeypatch.setattr(convolutions, "_COLUMNS", 1)
    for window, padding, dilation, chunk in itertools.product(*GATHERED):
        reach = [d * (k - 1) for d, k in zip(dilation, window, strict=True)]
        if any(p > r for p, r in zip(padding, reach, strict=True)):
            continue
        monkeypatch.setattr(convolutions, "_CHUNK", chunk)
        x, weight = random(2, 4, 9, 6), random(5, 4, *window)
        sizes = torch.conv2d(x, weight, None, 1, padding, dilation).shape[2:]
        known = Known(x, weight, [[1, 1], list(padding), list(dilation)], 1)
        g = random(3 if case < 3 else 1, 2, 5, *sizes)
        scale = (None, random(1, 1, 5, 1, 1), random(1, 2, 5, 1, 1), random(3, 2, 5, 1, 1))[case]
        more = (None, (random(3, 2, 4, 9, 6), None), (random(1, 2, 4, 9, 6), random(3, 1, 4, 1, 1)))[tried % 3]
        rectified = x if tried % 2 else None
        full = g if scale is None else g * scale
        expected = pulled(full.flatten(end_dim=1), x, weight, known.setting, 1, "apart").unflatten(0, (3, 2))
        if more is not None:
            expected = expected + (more[0] if more[1] is None else more[0] * more[1])
        expected = expected if rectified is None else expected * (x > 0)
        found = gathered(known, g, scale, more, rectified)
        assert (found - expected).abs().max() <= 1e-13 * expected.abs().max()
        tried += 1
    assert tried > 20


def test_the_cheapest_way_through_a_convolution_is_counted() -> None:
    early, late = (64, 64, 9, 1024), (512, 512, 9, 16)
    assert gather_cost(64, 64, (3, 3), 33 * 33, 1, 10) < min(pull_costs(*early, 10).values())
    assert gather_cost(512, 512, (3, 3), 25, 1, 10) > min(pull_costs(*late, 10).values())
    moved = 20 * 30 * (3 * 5 + 2 * 4) + 5 * 4 * 6
    assert gather_cost(5, 4, (2, 3), 30, 2, 10) == 20 * 5 * 4 * 6 * 30 + NUMBER * moved + 2 * CALL * 2 * 11

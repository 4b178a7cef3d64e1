"""What is remembered of a module holds only for evaluations of the same graph: all that may change in between."""

from __future__ import annotations

import gc
import itertools
import random
import warnings
import weakref

import pytest

torch = pytest.importorskip("torch", reason="tangent kernels need the extra learn")

from learning.tangent.test_routes import Called  # noqa: E402
from learning.tangent_models import jacobian_by_backward, seeded  # noqa: E402
from torch import nn  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.tangent import known, tangent_kernel  # noqa: E402
from polygeom.learning.tangent.functional import weight_function  # noqa: E402
from polygeom.learning.tangent.layers.graphs import Teller  # noqa: E402
from polygeom.learning.tangent.layers.recording import record  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import empirical_ntk, jacobian, kernel_diagonal  # noqa: E402


@pytest.fixture(autouse=True)
def _layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few points are not taken together here."""
    monkeypatch.setattr(tangent_kernel, "_few", lambda *given: None)


def points(count: int = 5, size: int = 3):
    return torch.randn(count, size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def net() -> nn.Module:
    return seeded(lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2))).eval()


def thrice(module: nn.Module, x) -> None:
    for _ in range(3):
        empirical_ntk(module, x)


def sure(module: nn.Module) -> list[bool | None]:
    return [one.sure for one in known._MODULES.get(module, {}).values()]


def right(module: nn.Module, x, outputs: str = "full") -> None:
    j = jacobian_by_backward(module, x)
    full = torch.einsum("ncp,kdp->nkcd", j, j)
    expected = {"full": full, "trace": torch.einsum("nkcc->nk", full), "sum": full.sum(dim=(2, 3)) / full.shape[2]}
    found = empirical_ntk(module, x, outputs=outputs)
    assert (found - expected[outputs]).abs().max() <= 1e-12 * expected[outputs].abs().max()


def test_the_third_answer_needs_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = net(), points()
    for _ in range(2):
        empirical_ntk(module, x)
    assert sure(module) == [True]
    monkeypatch.setattr(type(weight_function(module)), "accept", None)
    for scale in (1.0, -2.0):
        with torch.no_grad():
            module[0].weight.mul_(scale)
        right(module, x * scale)
    with pytest.raises(TypeError):
        empirical_ntk(module, x[:4])


def test_every_question_is_remembered_by_itself() -> None:
    module, x = net(), points()
    j = jacobian_by_backward(module, x)
    for _ in range(4):
        for outputs in ("full", "trace", "sum"):
            right(module, x, outputs)
        assert (jacobian(module, x) - j).abs().max() <= 1e-12
        assert (kernel_diagonal(module, x) - j.square().sum(2)).abs().max() <= 1e-12
        cross = torch.einsum("ncp,kdp->nkcd", j[:2], j)
        assert (empirical_ntk(module, x[:2], x) - cross).abs().max() <= 1e-12
    assert sure(module) == [True] * 6


def test_modes_parts_and_hooks_that_change_are_seen() -> None:
    module, x = net(), points()
    thrice(module, x)
    module[1] = nn.GELU()
    right(module, x)
    thrice(module, x)
    hook = module[1].register_forward_hook(lambda part, given, value: 3 * value)
    right(module, x)
    hook.remove()
    right(module, x)
    module[0].weight = nn.Parameter(torch.eye(4, 3, dtype=torch.float64))
    right(module, x)
    module[3].requires_grad_(False)
    right(module, x)
    module.train()
    with pytest.raises(PolygeomError, match="dropout '2' is active"):
        empirical_ntk(module, x)
    module[2].register_forward_hook(lambda part, given, value: value - value.mean(dim=0))
    with pytest.raises(PolygeomError, match="must treat every point on its own"):
        empirical_ntk(module.eval(), x)


def test_sharing_of_weights_is_seen() -> None:
    module, x = seeded(lambda: nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))), points()
    thrice(module, x)
    module[2].weight = module[0].weight
    right(module, x)
    module[2] = module[0]
    right(module, x)


def mixed(module, h):
    return h + module.switch.reshape(5, 5, -1)[: len(h), : len(h), 0] @ h


ZEROS, ONES = (torch.full((5, 5, 90), value, dtype=torch.float64) for value in (0.0, 1.0))
SWITCHES = {
    "number": (1.0, 2.0, lambda m, h: h * m.switch),
    "kind of number": (2, 2.0, lambda m, h: (h * 4).round().detach() // m.switch + h),
    "function": (torch.tanh, torch.sin, lambda m, h: m.switch(h)),
    "derivative": (False, True, lambda m, h: h.detach() if m.switch else h),
    "mixing": (False, True, lambda m, h: h - h.mean(dim=0) if m.switch else h),
    "mixing by a constant that is no buffer": (ZEROS[..., 0], ONES[..., 0], mixed),
    "mixing by a large constant": (ZEROS, ONES, mixed),
}


@pytest.mark.parametrize("name", SWITCHES)
def test_whatever_a_module_reads_elsewhere_is_seen(name: str) -> None:
    first, second, function = SWITCHES[name]
    parts = {"dense": nn.Linear(3, 4), "out": nn.Linear(4, 2)}
    module = seeded(lambda: Called(lambda m, x: m.out(function(m, m.dense(x))), **parts))
    module.switch, x = first, points()
    for _ in range(3):
        right(module, x)
    module.switch = second
    if not name.startswith("mixing"):
        right(module, x)
        return
    with pytest.raises(PolygeomError, match="must treat every point on its own"):
        empirical_ntk(module, x)


def test_numbers_read_out_of_points_are_seen() -> None:
    def function(module, x):
        h = module.dense(x)
        return h.tanh() if bool(h.detach()[:, 0].max() > 0) else h.sin()

    module, x = seeded(lambda: Called(function, dense=nn.Linear(3, 2))), points()
    with torch.no_grad():
        module.dense.bias[0] = 100.0
    thrice(module, x)
    assert sure(module) == [True]
    with torch.no_grad():
        module.dense.bias[0] = -100.0
    right(module, x)


def zero_factor(mix):
    """Points influence each other through weights that are zero at first."""
    return Called(
        lambda m, x: m.last(m.a * m.b * mix(m.dense(x)) + m.dense(x)), dense=nn.Linear(3, 4), last=nn.Linear(4, 2),
        a=nn.Parameter(torch.zeros(4)), b=nn.Parameter(torch.zeros(4)),
    )  # fmt: skip


@pytest.mark.parametrize("mix", [lambda h: h.cumsum(dim=0), lambda h: h + torch.rand_like(h)], ids=["sums", "noise"])
def test_what_vanishes_at_first_is_not_remembered_as_harmless(mix) -> None:
    module, x = seeded(lambda: zero_factor(mix)), points()
    with torch.random.fork_rng(devices=[]):
        thrice(module, x)
        assert sure(module) == [False]
        with torch.no_grad():
            module.a += 1
            module.b += 1
        with pytest.raises(PolygeomError, match=r"on its own|definite outputs"):
            empirical_ntk(module, x)


def test_buffers_and_equal_points_at_first_are_not_either() -> None:
    module = seeded(lambda: Called(lambda m, x: m.mix[: len(x), : len(x)] @ m.dense(x).tanh(), dense=nn.Linear(3, 2)))
    module.register_buffer("mix", torch.eye(5, dtype=torch.float64))
    thrice(module, points())
    assert sure(module) == [False]
    module.mix += 1
    with pytest.raises(PolygeomError, match="on its own"):
        empirical_ntk(module, points())
    other = seeded(lambda: Called(lambda m, x: m.dense(x - x.mean(dim=0)), dense=nn.Linear(3, 2)))
    thrice(other, torch.zeros(5, 3))
    assert sure(other) == [False]
    with pytest.raises(PolygeomError, match="on its own"):
        empirical_ntk(other, points())


def test_what_is_not_seen_has_no_graph() -> None:
    x = points()
    hidden = seeded(lambda: Called(lambda m, x: Twice.apply(m.dense(x)), dense=nn.Linear(3, 2)))
    drawn = seeded(lambda: Called(lambda m, x: m.dense(x) * random.random(), dense=nn.Linear(3, 2)))
    listed = seeded(
        lambda: Called(lambda m, x: m.dense(x) + torch.from_numpy(x.numpy()).sum(1, True), dense=nn.Linear(3, 2))
    )
    assert record(weight_function(hidden), x).graph is None
    assert record(weight_function(listed), x).graph is None
    assert record(weight_function(drawn), x).graph != record(weight_function(drawn), x).graph


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return 2 * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, g):
        return 2 * g


def test_modules_are_not_kept_alive_and_few_questions_are(monkeypatch: pytest.MonkeyPatch) -> None:
    module = net()
    monkeypatch.setattr(known, "_REQUESTS", 2)
    for count in range(2, 6):
        empirical_ntk(module, points(count))
    assert len(known._MODULES[module]) == 2
    alive = weakref.ref(module)
    del module
    gc.collect()
    assert alive() is None


LAYERS = {
    "bilinear": (
        lambda: Called(
            lambda m, x: m.b(x, x.sin()).tanh() @ m.w, b=nn.Bilinear(3, 3, 4), w=nn.Parameter(torch.randn(4, 2))
        ),
        (3,),
    ),
    "bags": (
        lambda: Called(lambda m, x: m.e((x.abs() * 3).long() % 5).tanh(), e=nn.EmbeddingBag(5, 3, mode="sum")),
        (4,),
    ),
    "transposed": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 1),
            nn.Tanh(),
            nn.ConvTranspose2d(3, 2, (2, 3), stride=2, padding=1, output_padding=1),
            nn.Flatten(),
        ),
        (2, 3, 3),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_composed_layers_have_their_kernel(name: str) -> None:
    make, shape = LAYERS[name]
    module = seeded(make)
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    for _ in range(3):
        right(module, x)
    assert sure(module) == [True]


def test_numbers_in_a_graph_are_no_tensors_and_have_a_kind() -> None:
    leaf = torch.ones(2, dtype=torch.float64)

    def told(*args):
        teller = Teller([leaf])
        teller.called(torch.add, args, {})
        return teller.graph(teller.gave(leaf + 1))

    graphs = [told(leaf, other) for other in (leaf, 0, 0.0, -0.0, False, None, "0", [0], (0,))]
    assert None not in graphs
    assert all(one != other for one, other in itertools.combinations(graphs, 2))
    assert told(leaf, 0) == told(leaf, 0)
    assert told(leaf, object()) is None


KINKS = {
    "buffer": (lambda m, x: x - x.mean(dim=0) * (m.gate > 0.5), lambda m, x: (m.gate.add_(1), x)[1]),
    "points": (lambda m, x: torch.where(x > 10, x - x.mean(dim=0), x), lambda m, x: 100 * x),
    "weights": (
        lambda m, x: x + x.mean(dim=0, keepdim=True).expand_as(x) @ (m.w - 10).relu(),
        lambda m, x: (m.w.data.add_(20), x)[1],
    ),
}


@pytest.mark.parametrize("name", KINKS)
def test_mixing_behind_a_kink_is_seen_where_it_begins(name: str) -> None:
    mix, change = KINKS[name]
    module = seeded(
        lambda: Called(lambda m, x: m.dense(mix(m, x)).tanh(), dense=nn.Linear(3, 2), w=nn.Parameter(torch.zeros(3, 3)))
    )
    module.register_buffer("gate", torch.zeros((), dtype=torch.float64))
    x = points()
    for _ in range(3):
        right(module, x)
    assert sure(module) == [True]
    with pytest.raises(PolygeomError, match="on its own"):
        empirical_ntk(module, change(module, x))


def test_one_point_has_its_own_kernel_whatever_points_do_to_each_other() -> None:
    module = seeded(
        lambda: Called(
            lambda m, x: m.out(m.dense(x) - m.gate.relu() * m.dense(x).mean(dim=0)),
            dense=nn.Linear(3, 4), out=nn.Linear(4, 2),
        )
    )  # fmt: skip
    module.register_buffer("gate", torch.full((), -5.0, dtype=torch.float64))
    for _ in range(3):
        right(module, points(1))
    assert sure(module) == [True]
    module.gate += 6
    for _ in range(3):
        right(module, points(1))


def rowwise(m, x):
    return torch.func.vmap(torch.func.grad(lambda row: m.out(m.dense(row[None]).tanh()).sum()))(x)


UNWATCHED = {
    "derivatives by points": (rowwise, (3,)),
    "recomputed": (
        lambda m, x: torch.utils.checkpoint.checkpoint(lambda y: m.out(m.dense(y).tanh()), x, use_reentrant=False),
        (3,),
    ),
    "wide transposed": (lambda m, x: m.wide(x).flatten(1), (2, 2, 3)),
}


@pytest.mark.filterwarnings("ignore::polygeom.learning.checks.FallbackWarning")
@pytest.mark.parametrize("name", UNWATCHED)
def test_what_cannot_be_watched_is_differentiated_point_by_point(name: str) -> None:
    function, shape = UNWATCHED[name]
    wide = nn.ConvTranspose2d(2, 1, 2, dilation=3, stride=2, output_padding=2)
    module = seeded(lambda: Called(function, dense=nn.Linear(3, 4), out=nn.Linear(4, 2), wide=wide))
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    for _ in range(3):
        right(module, x)


def test_weights_that_act_unseen_in_compiled_code_are_differentiated() -> None:
    module, x = net(), points()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        compiled = torch.jit.script(module)
    assert (empirical_ntk(compiled, x) - empirical_ntk(module, x)).abs().max() <= 1e-12


@pytest.mark.filterwarnings("ignore::polygeom.learning.checks.FallbackWarning")
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("first", [False, True])
def test_reentrant_checkpoints_are_refused_in_words(first: bool) -> None:
    """They have no derivatives but by ``backward``, and none at all where they read the points themselves."""
    from polygeom.learning.regions.confusion import gradient_products
    from polygeom.learning.tangent.linearised import linearize
    from polygeom.learning.tangent.operators import tangent_operator
    from polygeom.learning.tangent.target_alignment import alignment

    def function(m, x):
        h = x if first else m.dense(x)
        return m.out(torch.utils.checkpoint.checkpoint(lambda h: m.inner(h).tanh(), h, use_reentrant=m.reentrant))

    module = seeded(lambda: Called(function, dense=nn.Linear(3, 3), inner=nn.Linear(3, 4), out=nn.Linear(4, 2)))
    x, y = points(), points()[:, :2]
    calls = (
        *(lambda method=method: empirical_ntk(module, x, method=method) for method in ("auto", "layerwise", "single")),
        lambda: jacobian(module, x),
        lambda: kernel_diagonal(module, x),
        lambda: tangent_operator(module, x),
        lambda: alignment(module, x, y),
        lambda: linearize(module)(x),
        lambda: gradient_products(module, x, y, [(0, 1)]),
        lambda: gradient_products(module, x, y, [(0, 1)], loss=lambda a, b: (a - b).square().sum(dim=1)),
    )
    module.reentrant = True
    for call in calls:
        with pytest.raises(PolygeomError, match="use_reentrant=False"):
            call()
    module.reentrant = False
    right(module, x)

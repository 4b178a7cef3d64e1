"""Few points together: right for every module of the zoo, whatever changes between two calls, and refused as ever."""

from __future__ import annotations

import warnings

import pytest

torch = pytest.importorskip("torch", reason="tangent kernels need the extra learn")

from learning.tangent.test_known import KINKS, SWITCHES, Twice, points, right  # noqa: E402
from learning.tangent.test_routes import Called  # noqa: E402
from learning.tangent_models import jacobian_by_backward, seeded  # noqa: E402
from torch import nn  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.tangent import few, known  # noqa: E402
from polygeom.learning.tangent.apart import SEPARATE, Separate  # noqa: E402
from polygeom.learning.tangent.functional import weight_function  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import empirical_ntk, jacobian, kernel_diagonal  # noqa: E402
from polygeom.testing.module_zoo import ZOO  # noqa: E402

UNFIT = {"LSTM", "GRU", "autograd function"}
if torch.__version__.startswith("2.4."):
    UNFIT |= {"fused attention", "encoder layer"}
"""Modules without rules for many points."""
LOOPED = {"bilinear", "embedding bag", "weight norm"}
"""Modules with functions that torch takes one point after the other."""


def net() -> nn.Module:
    return seeded(lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2))).eval()


@pytest.fixture
def other_ways(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Says when another way is gone."""
    gone: list[bool] = []
    accepted = known._accepted
    monkeypatch.setattr(known, "_accepted", lambda f, given: (gone.append(True), accepted(f, given))[1])
    return gone


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(
    ("copied", "separate"),
    [
        (False, True),
        *(pytest.param(*one, marks=pytest.mark.thorough) for one in ((True, True), (True, False), (False, False))),
    ],
)
@pytest.mark.parametrize("case", [case for case in ZOO if not case.refused], ids=lambda case: case.name)
def test_points_together_have_the_derivatives_that_they_have_alone(
    case, copied: bool, separate: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    f = weight_function(case.module)
    size, _ = few.size_of(f, case.x)
    monkeypatch.setattr(few.Size, "copied", lambda *given: copied)
    monkeypatch.setattr(few.Size, "separate", lambda *given: separate)
    features = few.few(few.Seen(), size)(f, None)
    if case.name in UNFIT or (case.name in LOOPED and not separate):
        with pytest.raises(few.Unfit):
            features(case.x)
        return
    (found,) = features(case.x)
    j = jacobian_by_backward(case.module, case.x)
    assert (found.jacobian() - j).abs().max() <= 1e-12 * j.abs().max()


def test_first_and_later_calls_go_no_other_way(other_ways: list[bool]) -> None:
    module, x = net(), points()
    j = jacobian_by_backward(module, x)
    for _ in range(4):
        for outputs in ("full", "trace", "sum"):
            right(module, x, outputs)
        assert (jacobian(module, x) - j).abs().max() <= 1e-12
        assert (kernel_diagonal(module, x) - j.square().sum(2)).abs().max() <= 1e-12
        cross = torch.einsum("ncp,kdp->nkcd", j[:2], j)
        assert (empirical_ntk(module, x[:2], x) - cross).abs().max() <= 1e-12
    assert not other_ways


def test_what_changes_between_calls_is_seen() -> None:
    module, x = net(), points()
    right(module, x)
    with torch.no_grad():
        module[0].weight.mul_(-2)
    right(module, x)
    module[1] = nn.GELU()
    right(module, x)
    hook = module[1].register_forward_hook(lambda part, given, value: 3 * value)
    right(module, x)
    hook.remove()
    module.forward = lambda x: module[3](module[0](x)) ** 2
    right(module, x)
    del module.forward
    module[3].requires_grad_(False)
    right(module, x)
    module[3] = nn.Linear(4, 5).double()
    right(module, x)
    module.train()
    with pytest.raises(PolygeomError, match="dropout '2' is active"):
        empirical_ntk(module, x)
    module[2].register_forward_hook(lambda part, given, value: value - value.mean(dim=0))
    with pytest.raises(PolygeomError, match="must treat every point on its own"):
        empirical_ntk(module.eval(), x)


@pytest.mark.parametrize("name", SWITCHES)
def test_whatever_a_module_reads_elsewhere_is_seen(name: str) -> None:
    first, second, function = SWITCHES[name]
    parts = {"dense": nn.Linear(3, 4), "out": nn.Linear(4, 2)}
    module = seeded(lambda: Called(lambda m, x: m.out(function(m, m.dense(x))), **parts))
    module.switch, x = first, points()
    right(module, x)
    module.switch = second
    if not name.startswith("mixing"):
        right(module, x)
        return
    with pytest.raises(PolygeomError, match="must treat every point on its own"):
        empirical_ntk(module, x)


@pytest.mark.parametrize("name", KINKS)
def test_mixing_behind_a_kink_is_seen_where_it_begins(name: str) -> None:
    mix, change = KINKS[name]
    module = seeded(
        lambda: Called(lambda m, x: m.dense(mix(m, x)).tanh(), dense=nn.Linear(3, 2), w=nn.Parameter(torch.zeros(3, 3)))
    )
    module.register_buffer("gate", torch.zeros((), dtype=torch.float64))
    x = points()
    right(module, x)
    with pytest.raises(PolygeomError, match="on its own"):
        empirical_ntk(module, change(module, x))


class Wrong(Twice):
    """A rule for many points with the right values and wrong derivatives."""

    generate_vmap_rule = False

    @staticmethod
    def vmap(info, in_dims, x):
        return 2 * x.detach() + 0 * x, in_dims[0]


def test_wrong_rules_for_many_points_are_seen(other_ways: list[bool]) -> None:
    module, x = seeded(lambda: Called(lambda m, x: m.rule(m.dense(x)), dense=nn.Linear(3, 2))), points()
    module.rule = lambda h: 2 * h
    right(module, x)
    assert not other_ways
    module.rule = Wrong.apply
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right(module, x)
    assert other_ways


def hook_of_module(part):
    return part.register_full_backward_hook(lambda part, to, by: (2 * to[0],))


def hook_before_module(part):
    return part.register_full_backward_pre_hook(lambda part, by: (3 * by[0],))


def hook_of_all_modules(part):
    return nn.modules.module.register_module_full_backward_hook(
        lambda own, to, by: (2 * to[0],) if own is part else None
    )


def hook_of_value(part):
    def hooked(part, given, value):
        return value.register_hook(lambda g: 2 * g) if value.requires_grad else None

    return part.register_forward_hook(lambda *given: (hooked(*given), None)[1])


def derivative_of_its_own(part):
    """Where a value is asked whether it has derivatives, and gets others."""
    return part.register_forward_hook(lambda part, given, value: value + (value - value.detach()) * value.requires_grad)


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize(
    "change", [hook_of_module, hook_before_module, hook_of_all_modules, hook_of_value, derivative_of_its_own]
)
def test_what_changes_derivatives_alone_is_seen_after_many_calls(change) -> None:
    module, x = net(), points()
    for _ in range(3):
        right(module, x)
    handle = change(module[1])
    try:
        for _ in range(3):
            right(module, x)
    finally:
        handle.remove()
    right(module, x)


def test_two_points_that_change_places_are_seen() -> None:
    for mix in (lambda h: h.flip(0), lambda h: h.roll(1, 0), lambda h: h.cumsum(0)):
        module = seeded(lambda mix=mix: Called(lambda m, x: mix(m.dense(x)).tanh(), dense=nn.Linear(3, 2)))
        for two in (points()[:2], points()[:2].flip(0)):
            with pytest.raises(PolygeomError, match="on its own"):
                empirical_ntk(module, two)


def test_numbers_at_random_and_state_are_refused() -> None:
    draws = seeded(lambda: Called(lambda m, x: m.dense(x) + torch.rand(2), dense=nn.Linear(3, 2)))
    counts = seeded(lambda: Called(lambda m, x: m.dense(x) * m.times.append(1) or len(m.times), dense=nn.Linear(3, 2)))
    counts.times = []
    counts.function = lambda m, x: (m.times.append(1), m.dense(x) * len(m.times))[1]
    for module in (draws, counts):
        with torch.random.fork_rng(devices=[]), pytest.raises(PolygeomError, match="definite outputs"):
            empirical_ntk(module, points())


def test_inference_mode_is_refused_and_its_points_are_read() -> None:
    module, x = net(), points()
    for method in ("auto", "layerwise", "pointwise", "single"):
        with torch.inference_mode():
            y = x.clone()
            with pytest.raises(PolygeomError, match="inference_mode, got a call"):
                empirical_ntk(module, x, method=method)
        assert torch.equal(empirical_ntk(module, y, method=method), empirical_ntk(module, x, method=method))


def test_sparse_derivatives_are_refused_in_words() -> None:
    module = nn.Sequential(nn.Embedding(5, 3, sparse=True), nn.Flatten(), nn.Linear(6, 2)).double()
    for method in ("auto", "layerwise", "pointwise", "single"):
        with pytest.raises(PolygeomError, match="'0' has sparse=True; write sparse=False"):
            empirical_ntk(module, torch.tensor([[1, 2], [4, 1]]), method=method)


def test_memory_that_is_short_is_refused_by_the_number() -> None:
    with pytest.raises(PolygeomError, match="memory must be at least"):
        empirical_ntk(net(), points(), memory=2000)


def bag(x, w, **options):
    return nn.functional.embedding_bag((x.abs() * 3).long() % 5, w, **options)


UNUSUAL = {
    "padding by name": (lambda x, w: torch.conv2d(x, w, padding="same"), (2, 4, 4), (3, 2, 3, 3)),
    "groups": (lambda x, w: torch.conv2d(x, w, groups=2), (2, 4, 4), (4, 1, 2, 2)),
    "strides": (lambda x, w: torch.conv2d(x, w, None, (2, 1), (1, 2), (1, 2)), (2, 5, 4), (3, 2, 2, 2)),
    "1-D": (lambda x, w: torch.conv1d(x, w, None, 2, 1, 2), (2, 9), (3, 2, 3)),
    "transposed": (lambda x, w: torch.conv_transpose2d(x, w, w[0, :, 0, 0], 2, 1), (2, 3, 3), (2, 3, 3, 2)),
    "transposed, groups": (lambda x, w: torch.conv_transpose2d(x, w, groups=2), (2, 3, 3), (2, 3, 3, 2)),
    "1-D, lists of one": (lambda x, w: torch.conv1d(x, w, None, [2], [1], [2]), (2, 9), (3, 2, 3)),
    "bilinear": (lambda x, w: nn.functional.bilinear(x, x.sin(), w, w[:, 0, 0]), (3,), (2, 3, 3)),
    "length by columns": (lambda x, w: x @ torch._weight_norm(w, w[:1] + 3, 1), (3,), (3, 2)),
    "length of all": (lambda x, w: x @ torch._weight_norm(w, w[0, 0], -1), (3,), (3, 2)),
    "bag": (lambda x, w: bag(x, w, mode="sum"), (4,), (5, 2)),
    "padded bag": (lambda x, w: bag(x, w, padding_idx=1), (4,), (5, 2)),
    "largest of a bag": (lambda x, w: bag(x, w, mode="max"), (4,), (5, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSUAL)
def test_separate_functions_are_those_of_torch(name: str) -> None:
    function, shape, size = UNUSUAL[name]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, *shape, generator=generator, dtype=torch.float64)
    w = torch.randn(size, generator=generator, dtype=torch.float64)
    with Separate():
        found = function(x, w)
    expected = function(x, w)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-13 * expected.abs().max()
    assert len(SEPARATE) == 6


def test_what_a_module_keeps_of_an_evaluation_is_that_of_points() -> None:
    def function(m, x):
        m.kept = m.dense(x).detach()
        return m.out(m.kept.tanh() + m.dense(x))

    module, x = seeded(lambda: Called(function, dense=nn.Linear(3, 4), out=nn.Linear(4, 2))), points()
    for _ in range(2):
        right(module, x)
        empirical_ntk(module, x)
        assert torch.isfinite(module.kept + 1).all()
        assert "BatchedTensor" not in repr(module.kept)


def test_what_one_evaluation_takes_is_seen_from_one_point_or_all() -> None:
    f = weight_function(seeded(lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))))
    (one, none), (all_points, plain) = few.size_of(f, points(2**15)), few.size_of(f, points(7))
    assert (one.calls, one.numbers, one.outputs) == (3, 5 + 5 + 2, (2,))
    assert one == all_points
    assert none is None
    assert plain is not None
    assert plain.value.shape == (9, 2)

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="normalisation of tensors needs the extra learn")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.networks.normalisation import KINDS, Normalisation  # noqa: E402

N, S, T, F = 8, 3, 4, 5


def sequences(seed: int = 0) -> torch.Tensor:
    return 2 + 3 * torch.randn(N, S, T, F, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(kind: str, scale: float = 1.0, shift: float = 0.0) -> Normalisation:
    module = Normalisation(kind, F, shape=(S, T) if kind == "running" else None).double()
    if kind != "none":
        with torch.no_grad():
            module.scale.fill_(scale)
            module.shift.fill_(shift)
    return module


def company(kind: str, n: int, s: int, t: int, f: int) -> list[tuple[int, int, int, int]]:
    """The entries that entry ``(n, s, t, f)`` is normalised with, written down one by one."""
    place = n * T + t
    if kind == "context":
        return [(n, s, other, f) for other in range(T)]
    if kind in ("batch", "batch-dropout", "running"):
        return [(other, s, t, f) for other in range(N)]
    if kind == "sub-batch":
        return [(other, s, t, f) for other in range(N) if other // 4 == n // 4]
    if kind == "layer":
        return [(n, s, t, other) for other in range(F)]
    if kind == "batch-context":
        return [(other, s, position, f) for other in range(N) for position in range(T)]
    if kind == "sliding":
        before = [(place - back) % (N * T) for back in range(1, 5)]
        return [(other // T, s, other % T, f) for other in before]
    assert kind == "misaligned"
    group = [other for other in range(N * T) if other // 5 == place // 5]
    return [(other // T, s, other % T, f) for other in group]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "none"])
def test_each_kind_is_its_definition_entry_by_entry(kind: str) -> None:
    x = sequences()
    module = made(kind, scale=1.5, shift=-0.25)
    if kind == "batch-dropout":
        module.eval()
    found = module(x).detach()
    for place in np.ndindex(N, S, T, F):
        values = np.array([float(x[other]) for other in company(kind, *place)])
        expected = 1.5 * (float(x[place]) - values.mean()) / np.sqrt(values.var() + 1e-8) - 0.25
        assert float(found[place]) == pytest.approx(expected, rel=1e-9, abs=1e-9), place


def test_no_normalisation_is_the_identity_and_has_no_weights() -> None:
    x = sequences()
    assert made("none")(x) is x
    assert not list(made("none").parameters())


def test_context_normalisation_forgets_place_and_size_of_every_feature() -> None:
    x, context = sequences(), made("context")
    generator = torch.Generator().manual_seed(1)
    size = 0.5 + torch.rand(N, S, 1, F, generator=generator, dtype=torch.float64)
    place = torch.randn(N, S, 1, F, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(context(size * x + place), context(x), rtol=0, atol=1e-6)
    for kind in ("batch", "layer", "sliding", "misaligned", "batch-context", "sub-batch"):
        assert not torch.allclose(made(kind)(size * x + place), made(kind)(x), atol=0.1)


def test_a_foil_is_normalised_with_its_own_context() -> None:
    x = sequences()
    changed = x.clone()
    changed[:, 1, 3] += 10
    before, after = made("context")(x), made("context")(changed)
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.allclose(before[:, 1, 0], after[:, 1, 0])


def test_half_of_the_features_are_dropped_while_training_alone() -> None:
    x = sequences()
    torch.manual_seed(0)
    module = made("batch-dropout")
    kept = module(x)
    assert 0.4 < float((kept == 0).double().mean()) < 0.6
    whole = module.eval()(x)
    assert torch.allclose(kept[kept != 0], 2 * whole[kept != 0])


def test_running_statistics_approach_those_of_the_training_set() -> None:
    module = made("running")
    for seed in range(300):
        module(sequences(seed))
    assert float((module.get_buffer("mean") - 2).abs().max()) < 1.5
    fixed = module.eval()(sequences(1))
    x = torch.cat([sequences(1)[:1], sequences(2)])
    assert torch.allclose(module(x)[0], fixed[0])


def test_the_gradient_is_that_of_finite_differences() -> None:
    x = sequences()[:4, :1, :, :2].clone().requires_grad_()
    for kind in ("context", "sliding", "misaligned", "sub-batch"):
        module = Normalisation(kind, 2).double()
        assert torch.autograd.gradcheck(module, (x,))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Normalisation("group", 3), "kind must be one of none, context, .*, got 'group'"),
        (lambda: Normalisation("context", 3, shape=(7, 4)), "shape belongs to kind 'running'"),
        (lambda: Normalisation("running", 3), "shape belongs to kind 'running'"),
        (lambda: Normalisation("context", 3)(torch.zeros(2, 7, 4, 5)), r"shape \(N, S, T, 3\), got \(2, 7, 4, 5\)"),
        (lambda: Normalisation("sub-batch", 5)(torch.zeros(6, 7, 4, 5)), "multiple of 4 problems, got 6"),
    ],
)
def test_wrong_arguments_are_named(call, message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        call()

"""Weights up to permutations and scalings: random symmetries are undone, other changes are not."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="weights need the extra learn")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.thresholds.weight_matching import match_weights, normalise_weights, weight_distance  # noqa: E402
from polygeom.learning.training.fleet import random_starts  # noqa: E402
from polygeom.network import parse  # noqa: E402

Weights = dict[str, "torch.Tensor"]


def one(text: str, seed: int = 0) -> Weights:
    return {name: w[0] for name, w in random_starts(text, 1, rng=seed).items()}


def moved(text: str, weights: Weights, seed: int) -> Weights:
    """The same function after a random permutation and scaling of every hidden layer."""
    generator = torch.Generator().manual_seed(seed)
    result = dict(weights)
    names = list(weights)
    for name, after, degree in zip(names, names[1:], parse(text).activation_degrees, strict=False):
        width = len(result[name])
        order = torch.randperm(width, generator=generator)
        scale = torch.randn(width, generator=generator, dtype=torch.float64) * 3
        result[name] = (result[name] * scale[:, None])[order]
        result[after] = (result[after] * scale**-degree)[:, order]
    return result


@pytest.mark.parametrize("text", ["[3,4,1] r=3", "[3,3,3] r=2", "[2,3,4,2] r=2,3", "[2,2,2,2,2] r=3", "[4,5,5,1] r=4"])
def test_random_symmetries_are_undone(text: str) -> None:
    weights = one(text)
    x = torch.randn((5, parse(text).input_dimension), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for seed in range(5):
        other = moved(text, weights, seed)
        module = parse(text).to_torch(initialisation="zero")
        values = []
        for own in (weights, other, normalise_weights(text, other), match_weights(text, other, weights)):
            module.set_weights(own)
            values.append(module(x))
        for value in values[1:]:
            torch.testing.assert_close(value, values[0], rtol=1e-8, atol=1e-10)
        assert weight_distance(text, other, weights) < 1e-8
        for name, w in normalise_weights(text, other).items():
            if name != list(weights)[-1]:
                torch.testing.assert_close(w.norm(dim=1), torch.ones(len(w), dtype=torch.float64))


def test_weights_of_another_precision_are_matched() -> None:
    text = "[3,4,2] r=2"
    wide = one(text)
    narrow = {name: w.float() for name, w in wide.items()}
    for weights, reference in ((narrow, wide), (wide, narrow)):
        assert weight_distance(text, weights, reference) < 1e-5
        matched = match_weights(text, weights, reference)
        assert [w.dtype for w in matched.values()] == [w.dtype for w in weights.values()]


def test_other_weights_are_other() -> None:
    text = "[3,4,2] r=2"
    weights = one(text)
    assert weight_distance(text, one(text, 1), weights) > 0.1
    for name in weights:
        changed = moved(text, weights, 3)
        changed[name] = changed[name] + 1e-3 * torch.ones_like(changed[name]) * changed[name].abs().max()
        assert weight_distance(text, changed, weights) > 1e-6
    swapped = weights | {"W2": -weights["W2"]}
    assert weight_distance(text, swapped, weights) == pytest.approx(2)


def test_dead_neurons_stay() -> None:
    weights = one("[2,2,1] r=2")
    weights["W1"][0] = 0
    assert torch.equal(normalise_weights("[2,2,1] r=2", weights)["W1"][0], torch.zeros(2, dtype=torch.float64))


def test_bad_arguments_are_explained() -> None:
    with pytest.raises(PolygeomError, match="must be a perceptron with monomial activations and without biases"):
        normalise_weights("ccp(2,rank=2,degree=2)", {})
    with pytest.raises(PolygeomError, match="whole group GL"):
        match_weights("[3,2,3] r=1", one("[3,2,3] r=1"), one("[3,2,3] r=1"))

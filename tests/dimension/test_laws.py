"""Laws that relate the dimensions of different networks, or ranks at different weights of one network."""

from __future__ import annotations

from itertools import pairwise

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polygeom.dimensions import dimension
from polygeom.dimensions.ranks.tangent import jacobian
from polygeom.modular import P22, PrimeField
from polygeom.network import Network, ccp, convolutional, lightning_attention, mlp, parse, product_network

FIELD = PrimeField(P22)
WIDTHS = st.lists(st.integers(1, 4), min_size=3, max_size=5)
DEGREES = st.integers(2, 3)


def rank_at(network: Network, weights: dict[str, np.ndarray], seed: int) -> int:
    """Rank of the plain Jacobian at these weights, by FLINT; points enough for every column."""
    points = FIELD.random(np.random.default_rng(seed), (network.parameter_count + 2, *network.input_shape))
    rows = FIELD.decode(jacobian(network, FIELD, weights, points)).reshape(-1, network.parameter_count)
    return int(flint.nmod_mat(*rows.shape, rows.ravel().tolist(), P22).rank())


def special_weights(network: Network, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights from -1, 0, 1, 2: far from generic, so that the rank at them depends on which they are."""
    return {name: rng.integers(-1, 3, size=shape).astype(float) for name, shape in network.parameters.items()}


@given(WIDTHS, DEGREES, st.integers(0, 2**32))
@settings(max_examples=60)
def test_permuting_neurons_keeps_the_rank_at_any_weights(widths: list[int], r: int, seed: int) -> None:
    network, rng = mlp(widths, r), np.random.default_rng(seed)
    weights = special_weights(network, rng)
    permuted, before = {}, np.arange(widths[0])
    for number, width in enumerate(widths[1:], start=1):
        after = rng.permutation(width)  # the last one permutes the outputs
        permuted[f"W{number}"] = weights[f"W{number}"][np.ix_(after, before)]
        before = after
    assert rank_at(network, weights, seed) == rank_at(network, permuted, seed + 1)


@given(WIDTHS, DEGREES, st.integers(0, 2**32))
@settings(max_examples=60)
def test_scaling_neurons_keeps_the_rank_at_any_weights(widths: list[int], r: int, seed: int) -> None:
    network, rng = mlp(widths, r), np.random.default_rng(seed)
    weights = special_weights(network, rng)
    scaled, undo = {}, np.ones(widths[0])
    for number, width in enumerate(widths[1:], start=1):
        t = FIELD.encode(rng.integers(1, P22, size=width))
        if number == len(widths) - 1:
            t = np.ones(width)
        w = FIELD.multiply(weights[f"W{number}"], t[:, None])
        scaled[f"W{number}"] = FIELD.multiply(w, undo[None, :])
        undo = FIELD.inverse(FIELD.power(t, r))
    assert rank_at(network, weights, seed) == rank_at(network, scaled, seed + 1)


@given(WIDTHS, DEGREES, st.integers(0, 2**32))
@settings(max_examples=60)
def test_special_weights_never_exceed_the_dimension(widths: list[int], r: int, seed: int) -> None:
    network = mlp(widths, r)
    weights = special_weights(network, np.random.default_rng(seed))
    assert rank_at(network, weights, seed) <= dimension(network).dimension


@given(WIDTHS, DEGREES, st.data())
@settings(max_examples=40)
def test_parts_of_a_network_bound_the_whole(widths: list[int], r: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(widths) - 2))
    whole, lower, upper = (dimension(mlp(w, r)).dimension for w in (widths, widths[: k + 1], widths[k:]))
    assert whole <= lower + upper - widths[k]


@given(WIDTHS, DEGREES, st.integers(1, 3))
@settings(max_examples=30)
def test_each_further_output_adds_the_same(widths: list[int], r: int, more: int) -> None:
    """Beyond as many outputs as features, an output adds the number of independent features."""
    w = [*widths[:-1], widths[-2]]
    values = [dimension(mlp([*w[:-1], w[-1] + k], r)).dimension for k in range(more + 2)]
    assert len({b - a for a, b in pairwise(values)}) == 1
    assert values[1] - values[0] <= widths[-2]


@given(st.lists(st.integers(1, 3), min_size=3, max_size=4), DEGREES)
@settings(max_examples=20)
def test_a_linear_layer_wide_enough_changes_nothing(widths: list[int], r: int) -> None:
    plain = dimension(mlp(widths, r)).dimension
    for k in range(1, len(widths)):
        longer = [*widths[:k], max(widths[k - 1 : k + 1]), *widths[k:]]
        degrees = [r] * (len(widths) - 2)
        assert dimension(mlp(longer, [*degrees[: k - 1], 1, *degrees[k - 1 :]])).dimension == plain


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
@settings(max_examples=25)
def test_product_networks_grow_with_every_number(n: int, rank: int, degree: int, outputs: int) -> None:
    value = dimension(product_network(n, rank, degree, outputs)).dimension
    assert value <= dimension(product_network(n + 1, rank, degree, outputs)).dimension
    assert value <= dimension(product_network(n, rank + 1, degree, outputs)).dimension
    assert value <= dimension(product_network(n, rank, degree, outputs + 1)).dimension
    assert value <= dimension(ccp(n, rank, degree, outputs)).dimension  # which has them as leading forms


def test_biases_and_tokens_and_windows_only_add() -> None:
    for widths in ((1, 2, 1), (2, 2, 2), (2, 3, 1), (1, 2, 2, 1)):
        assert dimension(mlp(widths, 2)).dimension <= dimension(mlp(widths, 2, bias=True)).dimension
        assert dimension(mlp(widths, 2, tied=True)).dimension <= dimension(mlp(widths, 2)).dimension
    one, two, three = (dimension(lightning_attention(t, 3, 1, 2)).dimension for t in (1, 2, 3))
    assert one <= two == three
    assert dimension(convolutional(5, (2, 2), 2)).dimension <= dimension(convolutional(6, (3, 2), 2)).dimension


@pytest.mark.parametrize("widths", [(2, 2, 1), (3, 2, 2), (2, 3, 2, 1)])
def test_beyond_a_threshold_the_degree_does_not_matter(widths: tuple[int, ...]) -> None:
    """arXiv 2408.04569: an activation degree threshold exists."""
    free = sum(a * b for a, b in pairwise(widths)) - sum(widths[1:-1])
    values = [dimension(mlp(widths, r)).dimension for r in range(2, 12)]
    assert values[5:] == [free] * len(values[5:])
    assert max(values) == free


@pytest.mark.parametrize("text", ["[3,4,2] r=2", "[4,5,3,1] r=2", "ccp(2,rank=2,degree=3)", "[2,2,1] r=2 bias"])
@pytest.mark.parametrize("method", ["auto", "generic"])
def test_a_seed_or_a_generator_fixes_every_number(text: str, method: str) -> None:
    def record(rng: int | np.random.Generator) -> dict[str, object]:
        data = dimension(text, rng=rng, method=method).as_dict()
        data.pop("elapsed")
        return data

    assert record(3) == record(3) == record(np.int64(3))
    assert record(np.random.default_rng(3)) == record(np.random.default_rng(3))
    one, two = np.random.default_rng(4), np.random.default_rng(4)
    assert record(one)["seed"] != record(one)["seed"]  # a generator is advanced
    assert record(two) | {"seed": 0} == record(np.random.default_rng(4)) | {"seed": 0}


def test_a_text_and_its_network_give_one_record() -> None:
    for text in ("[3,4,2] r=2", " [3, 4, 2]  r=2 ", parse("[3,4,2] r=2").to_json()):
        assert dimension(text).network == "[3,4,2] r=2"
        assert dimension(text).dimension == dimension(parse(text)).dimension


@pytest.mark.parametrize("k", [2, 3])
def test_two_networks_side_by_side_add_their_dimensions(k: int) -> None:
    """A block diagonal network: its outputs have no weight in common."""
    pattern = np.full((2 * k, 2 * k), -1)
    for block in range(k):
        pattern[2 * block : 2 * block + 2, 2 * block : 2 * block + 2] = 4 * block + np.arange(4).reshape(2, 2)
    rows = str(pattern.tolist()).replace(" ", "")
    text = f"x=input({2 * k}); a=dense(x,pattern={rows}); b=power(a,2); dense(b,pattern={rows})"
    assert dimension(text).dimension == k * dimension("[2,2,2] r=2").dimension

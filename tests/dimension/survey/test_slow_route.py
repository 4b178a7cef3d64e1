"""What the quick route says is what the slow one says, field by field, for random networks of every family.

Quick is what a sweep does: compiled kernels, the structure of the architecture, many perceptrons at once. Slow is one
network at a time in pure numpy, by the same method and by the one that uses no structure; and the dimension is the rank
of derivatives by dual numbers, taken by FLINT.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from dimension.bounds import random_networks
from dimension.bounds.random_networks import true_rank
from dimension.every_family import FAMILIES

from polygeom.dimensions import dimension
from polygeom.dimensions.survey.task import run as run_many
from polygeom.dimensions.task import run, small_perceptron
from polygeom.errors import PolygeomError
from polygeom.modular import _backend
from polygeom.network import Network, parse

HOW = {"method", "points", "primes", "trials", "witness", "error_bound"}
"""Fields that say how a dimension was found, and may depend on it."""
TOGETHER = 50


def _widths(rng: random.Random, least: int, most: int) -> str:
    return ",".join(str(rng.choice((1, 2, 2, 3, 3, 4, 5))) for _ in range(rng.randint(least, most)))


def _several_degrees(rng: random.Random) -> str:
    widths = _widths(rng, 4, 5)
    return f"[{widths}] r={','.join(str(rng.choice((1, 2, 3))) for _ in range(widths.count(',') - 1))}"


def _lightning(rng: random.Random) -> str:
    sizes = {"tokens": (1, 2, 3), "features": (1, 2, 3), "rank": (1, 2), "outputs": (1, 2), "layers": (1, 1, 2)}
    return f"lightning_attention({','.join(f'{name}={rng.choice(some)}' for name, some in sizes.items())})"


def _strided(rng: random.Random) -> str:
    size, channels = f"{rng.choice((3, 4, 5))},{rng.choice((1, 2))}", rng.choice((1, 2, 3))
    first = f"x0=input({size}); x1=convolution(x0,2,stride={rng.choice((1, 2))},channels={channels})"
    middle = rng.choice(("x2=bias(x1); x3=power(x2,2)", "x3=power(x1,2)"))
    return f"{first}; {middle}; x4=flatten(x3); dense(x4,{rng.choice((1, 2))})"


def _written(rng: random.Random) -> str:
    ones = ",".join("1" * (rng.choice((2, 3)) + 1))
    sizes = {"r": rng.choice((2, 3)), "d": rng.choice((2, 3)), "h": rng.choice((2, 3, 4)), "o": rng.choice((1, 2))}
    return FAMILIES[rng.choice(list(FAMILIES))].format(**sizes, ones=ones)


DRAWN = {
    "perceptrons": lambda rng: f"[{_widths(rng, 3, 6)}] r={rng.choice((2, 2, 3, 4))}",
    "perceptrons, several degrees": _several_degrees,
    "perceptrons, biases, tied, polynomials": random_networks._perceptron,
    "products (ccp, ncp, product)": random_networks._product,
    "convolutions": random_networks._convolution,
    "convolutions with strides and channels": _strided,
    "residual stacks": random_networks._residual,
    "attention": random_networks._attention,
    "lightning attention": _lightning,
    "graphs of sums, products, powers, polynomials": random_networks._graph,
    "kan, skips, gated, heads, blocks": _written,
}


def draw(rng: random.Random, weights: int, degree: int) -> Iterator[tuple[str, Network]]:
    """Different networks, one of each family in turn; a family is left out once no further one is found."""
    tried, seen = set[str](), set[str]()  # as drawn, and as polygeom writes them
    families = dict(DRAWN)
    while True:
        for family, write in list(families.items()):
            for _ in range(300):
                text = write(rng)
                if text in tried or random_networks._least_weights(text) > weights:
                    continue
                tried.add(text)
                try:
                    network = parse(text)
                except PolygeomError:  # a filter longer than its input
                    continue
                if 0 < network.parameter_count <= weights and network.degree <= degree and network.text not in seen:
                    seen.add(network.text)
                    yield family, network
                    break
            else:
                del families[family]


@contextmanager
def numpy_alone() -> Iterator[None]:
    """No compiled kernel computes anything."""
    kernels = _backend._Kernels()
    kernels.failure = "switched off"
    with mock.patch.object(_backend, "_kernels", kernels):
        yield
    assert kernels.elimination is None


def rows(texts: list[str], seed: int) -> list[dict[str, Any]]:
    """As a sweep computes them: small perceptrons together, the others one by one."""
    _backend.load_compiled()
    together = [text for text in texts if small_perceptron(text)]
    argument = {"arguments": [{"network": text} for text in together]}
    many = iter(run_many({"argument": argument, "seed": seed})["results"])
    return [
        next(many) if small_perceptron(text) else run({"argument": {"network": text}, "seed": seed}) for text in texts
    ]


def differences(networks: list[Network], seed: int) -> list[str]:
    """Where the quick route and a slow one do not say the same, in words."""
    found = []
    for network, quick in zip(networks, rows([one.text for one in networks], seed), strict=True):
        with numpy_alone():
            slow = dimension(network, rng=seed).as_dict()
            generic = dimension(network, rng=seed, method="generic").as_dict()
        for other, without in ((slow, {"elapsed"}), (generic, {"elapsed", *HOW})):
            assert quick.keys() == other.keys()
            found += [
                f"{network}: {name} is {quick[name]!r}, by the slow route {other[name]!r} ({other['method']})"
                for name in quick.keys() - without
                if quick[name] != other[name]
            ]
        if quick["dimension"] != (truth := true_rank(network)):
            found.append(f"{network}: dimension {quick['dimension']}, the rank is {truth}")
    return found


def compare(count: int, seed: int, weights: int, degree: int) -> Counter[str]:
    """How many networks of each family say the same by all routes; the assertion tells the others."""
    drawn, said = draw(random.Random(seed), weights, degree), Counter[str]()
    for start in range(0, count, TOGETHER):
        some = [next(drawn) for _ in range(min(TOGETHER, count - start))]
        assert differences([network for _, network in some], seed + start) == []
        said.update(family for family, _ in some)
    return said


@pytest.mark.thorough
def test_a_hundred_networks_of_every_family_by_all_routes() -> None:
    assert compare(110, 5, weights=16, degree=12).keys() == DRAWN.keys()


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_five_thousand_networks_of_every_family_by_all_routes() -> None:
    said = compare(5000, 6, weights=16, degree=10)
    print(dict(said))
    assert min(said[family] for family in DRAWN) >= 20

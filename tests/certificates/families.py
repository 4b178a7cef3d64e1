"""Honest certificates of all kinds and families, one for each number: what both checkers must agree about."""

from __future__ import annotations

import random
from collections.abc import Callable

from certificates.honest import BY_RULE, GRAPHS, IDEALS, MAPS
from certificates.truths import DIMENSIONS, TRUTHS, Data
from dimension.bounds.random_networks import networks

from polygeom import maps
from polygeom.dimensions import certify as certify_dimension
from polygeom.dimensions.frontier.search import frontier
from polygeom.errors import PolygeomError
from polygeom.ideal import interpolate
from polygeom.ideal.proofs.certificate import certify as certify_ideal
from polygeom.network import Network

Find = Callable[[], Data]

LARGE_DIMENSIONS = (
    "[5,5,5,1] r=2", "[6,8,6,3] r=2", "[10,10,10,10] r=2", "[20,15,10] r=3", "[30,20,10] r=2", "[12,14,12,1] r=2 bias",
    "[4,8,5,1] r=2,2", "[6,3,3,3,3,3,2] r=2", "[8,8,8,8] r=2 tied", "[3,4,4,4,1] r=3,2,2",
    "lightning_attention(tokens=4,features=6,rank=2,outputs=6)", "convolutional(12,kernels=[3,3,2],degrees=2)",
    "ccp(5,rank=4,degree=3)", "ncp(3,rank=3,degree=3)",
    "x=input(8); a=dense(x,9); b=power(a,2); c=dense(b,8); sum(x,c)",
)  # fmt: skip
LARGE_IDEALS = ("[8,1,1] r=2", "[9,1,1] r=2", "[3,2,3] r=2", "[3,3,3] r=2", "[4,3,1] r=2", "[3,1,2] r=2", "[2,2,2] r=3")
GALLERY: tuple[Callable[[], Network], ...] = (
    lambda: maps.rational_normal_curve(4), lambda: maps.rational_normal_scroll(1, 2), lambda: maps.segre([2, 3]),
    lambda: maps.segre([2, 2], 2), lambda: maps.veronese(3, 2), lambda: maps.veronese(3, 2, 2),
    lambda: maps.grassmannian(2, 4), lambda: maps.grassmannian(2, 5), maps.essential_matrices,
    lambda: maps.gaussian_graphical_model(3, [(1, 2), (2, 3)]), lambda: maps.toric([[1, 0, -1], [0, 1, 2]]),
    lambda: maps.toric([[3, 2, 1, 0], [0, 1, 2, 3]]), lambda: maps.minors([["a", "b", "c"], ["d", "e", "f"]], 2),
)  # fmt: skip
FRONTIERS = [(n, m, r, depth) for n in (1, 2, 3) for m in (1, 2) for r in (2, 3) for depth in (2, 3)] + [(2, 1, 2, 4)]


def case(number: int) -> tuple[str, str, Find]:
    """Kind, name, and how the certificate of a number is found."""
    fixed = _fixed()
    if number < len(fixed):
        return fixed[number]
    rng = random.Random(f"honest {number}")
    kind = rng.choice(["dimension"] * 16 + ["ideal"] * 3 + ["frontier"])
    if kind == "frontier":
        question = rng.choice(FRONTIERS)
        return kind, str(question), lambda: frontier(*question).certificate()
    seed = rng.randrange(1000)
    if kind == "dimension":
        network = _map(rng) if rng.random() < 0.2 else next(networks(rng, 26, 24))
        return kind, network.text, lambda: certify_dimension(network, rng=seed)
    while True:
        network = _map(rng) if rng.random() < 0.4 else next(networks(rng, 26, 24))
        if network.parameter_count <= 9 and network.degree <= 4 and network.output_dimension <= 4:
            break
    top = rng.choice([1, 2, 2, 3])
    return kind, network.text, lambda: certify_ideal(interpolate(network, top, timeout=10, rng=seed))


def _fixed() -> list[tuple[str, str, Find]]:
    dimensions = [
        *LARGE_DIMENSIONS,
        *DIMENSIONS,
        *GRAPHS,
        *MAPS,
        *(text for texts in BY_RULE.values() for text in texts),
    ]
    cases: list[tuple[str, str, Find]] = [("dimension", t, lambda t=t: certify_dimension(t)) for t in dimensions]
    cases += [("dimension", "gallery", lambda make=make: certify_dimension(make())) for make in GALLERY]
    cases += [("ideal", t, lambda t=t: certify_ideal(interpolate(t))) for t in (*LARGE_IDEALS, *TRUTHS, *IDEALS)]
    cases += [("ideal", "gallery", lambda make=make: certify_ideal(interpolate(make()))) for make in GALLERY]
    return [*cases, *(("frontier", str(q), lambda q=q: frontier(*q).certificate()) for q in FRONTIERS)]


def _map(rng: random.Random) -> Network:
    """A polynomial or rational map in at most three parameters."""
    names = ["s", "t", "u"][: rng.randint(1, 3)]

    def term() -> str:
        powers = [f"{name}^{rng.randint(0, 2)}" for name in names]
        return "*".join([f"{rng.randint(1, 5)}", *powers])

    while True:
        parts = [
            f"{term()}{rng.choice('+-')}{term()}" if rng.random() < 0.6 else term() for _ in range(rng.randint(1, 4))
        ]
        parts = [f"({part})/(1+{term()})" if rng.random() < 0.2 else part for part in parts]
        try:
            return maps.from_text(", ".join(parts), names)
        except PolygeomError:  # a denominator of zero
            continue

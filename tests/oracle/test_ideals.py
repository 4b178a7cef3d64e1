"""The equations found are those that Singular eliminates: equal ideals over Q, for networks of every family.

Singular gets the coefficients of the outputs as polynomials in the weights, eliminates the weights, and reduces each of
the two ideals by a Gröbner basis of the other.
"""

from __future__ import annotations

import subprocess

import pytest
from programs import program

from polygeom.engines.symbolic import coefficient_map
from polygeom.ideal import interpolate
from polygeom.network import Network, parse

SINGULAR = program("Singular")

pytestmark = [pytest.mark.oracle, pytest.mark.skipif(SINGULAR is None, reason="Singular is not installed")]

# network, last degree to look at
NETWORKS = [
    ("[3,2,3] r=1", 3),
    ("[3,2,1] r=2", 3),
    ("[2,2,3] r=2", 3),
    ("[2,2,1] r=4", 3),
    ("[4,2,1] r=2", 3),
    ("[2,2,2] r=3", 3),
    ("[3,2,1] r=3", 3),
    ("[3,2,2] r=2", 3),
    ("[4,3,1] r=2", 4),
    ("[2,1,2] r=3", 2),
    ("[2,1,1,1] r=2,3", 2),
    ("[2,1,2] r=2 bias", 2),
    ("[1,1,1] r=3 bias", 3),
    ("[1,1,1,1] p=0,1,1", 3),
    ("[2,1,1] p=0,1/2,1", 3),
    ("ccp(2,rank=1,degree=2)", 3),
    ("ncp(2,rank=1,degree=2)", 3),
    ("ccp(1,rank=2,degree=3,outputs=3)", 3),
    ("product_network(2,rank=1,degree=2,outputs=2)", 2),
    ("convolutional(3,kernels=[2,2],degrees=2)", 4),
    ("convolutional(4,kernels=[2,2],degrees=2)", 4),
    ("lightning_attention(tokens=2,features=2,rank=1,outputs=1)", 3),
    ("x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); sum(x,c)", 2),
    ("x=input(2); a=dense(x,2,[[0,1],[1,0]]); b=power(a,2); dense(b,2,[[0,1],[1,0]])", 3),
]


def eliminated(network: Network) -> list[str]:
    """Singular lines that define the ideal ``E`` by elimination in the coordinates c(1), c(2), …"""
    known = coefficient_map(network)
    names = {str(x): f"w({k + 1})" for k, x in enumerate(next(iter(known.values())).ring.gens)}
    equations = []
    entries = interpolate(network, 1).result.coordinates.entries
    for number, entry in enumerate(entries, start=1):
        text = str(known[entry]).replace("**", "^") if entry in known else "0"
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(name, names[name])
        equations.append(f"c({number})-({text})")
    weights = "*".join(f"w({k + 1})" for k in range(network.parameter_count))
    return [
        f"ring r = 0,(w(1..{network.parameter_count}),c(1..{len(entries)})),dp;",
        f"ideal g = {','.join(equations)};",
        f"ideal e = std(eliminate(g, {weights}));",
    ]


def found(network: Network, top: int) -> str:
    result = interpolate(network, top).result
    texts = []
    for generator in result.generators:
        text = str(generator.polynomial).replace("**", "^")
        for number, name in sorted(enumerate(result.coordinates.names, start=1), key=lambda pair: -len(pair[1])):
            text = text.replace(name, f"c({number})")
        texts.append(text)
    return ",".join(texts) or "0"


@pytest.mark.parametrize(("text", "top"), NETWORKS, ids=[row[0] for row in NETWORKS])
def test_the_ideal_is_the_one_that_singular_eliminates(text: str, top: int) -> None:
    network = parse(text)
    program = [
        *eliminated(network),
        f"ideal f = std(ideal({found(network, top)}));",
        'size(reduce(e, f)), size(reduce(f, e)), "done";',
        "quit;",
    ]
    done = subprocess.run([SINGULAR, "-q"], input="\n".join(program), capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["0", "0", "done"], done.stdout[-500:] + done.stderr[-500:]

"""Text reads as networks and networks write as text."""

from __future__ import annotations

import pytest

from polygeom.network import parse, write

CANONICAL = [
    "[2,3]",
    "[2,3,1] r=2",
    "[2,3,1] r=1",
    "[2,3,3,1] r=2,3",
    "[2,3,3,1] r=2 bias",
    "[2,3,3,3,1] r=2 bias tied",
    "[2,3,1] p=0,1,1/2",
    "[2,3,3,1] p=0,1,1;-1,0,0,2",
    "input(3)",
    "x0=input(2); x1=dense(x0,3); x2=power(x1,1); dense(x2,1)",
    "lightning_attention(tokens=2,features=3,rank=2,outputs=3)",
    "x0=input(2); x1=dense(x0,2,pattern=[[0,-1],[-1,0]]); x2=dense(x1,2); x3=dense(x2,2,shares=x2); sum(x1,x3)",
]


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_text_reads_back(text: str) -> None:
    network = parse(text)
    assert write(network) == text == str(network)
    assert parse(network.to_json()) == network

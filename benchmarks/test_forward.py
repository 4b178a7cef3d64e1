"""Forward passes of small torch networks in loops, where the way to the arithmetic costs more than the arithmetic."""

from __future__ import annotations

import time

import pytest

from polygeom.network import parse

torch = pytest.importorskip("torch")
timed = pytest.mark.benchmark(timer=time.process_time)
NETWORKS = (
    "[2,3,1] r=2",
    "[4,8,8,8,1] r=2 bias",
    "ccp(3,rank=4,degree=4)",
    "convolutional(8,kernels=[3,2,2],degrees=2)",
    "lightning_attention(tokens=3,features=2,rank=2,outputs=2)",
    "x=input(3); a=dense(x,pattern=[[0,-1,1],[1,0,-1]]); b=power(a,2); c=scale(b); dense(c,1)",
)


@timed
@pytest.mark.parametrize("text", NETWORKS)
def test_a_hundred_forward_passes(benchmark, text) -> None:
    torch.set_num_threads(1)
    network = parse(text)
    module = network.to_torch(rng=1)
    x = torch.randn(8, *network.input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def passes() -> None:
        with torch.no_grad():
            for _ in range(100):
                module(x)

    passes()
    benchmark(passes)

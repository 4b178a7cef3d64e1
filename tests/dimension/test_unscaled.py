"""A factor of an activation that free weights absorb changes no set of functions, and no answer about it."""

from __future__ import annotations

import numpy as np
import pytest

import polygeom
from polygeom.dimensions import certify
from polygeom.dimensions.task import describe
from polygeom.engines.exact import ExactEngine
from polygeom.engines.symbolic import jacobian_rank
from polygeom.network import parse
from polygeom.tables import sweep

PROGRAM = "x=input(2,3); a=convolution(x,2,channels=2); b=polynomial(a,[0,0,{}]); c=flatten(b); dense(c,2)"
ABSORBED = {
    "[5,5,5,1] p=0,0,3": "[5,5,5,1] r=2",
    "[3,2,3] p=0,3": "[3,2,3] r=1",
    "[2,2,2,1] p=0,0,-2;0,1/3": "[2,2,2,1] r=2,1",
    "[3,3,3] p=1,0,3": "[3,3,3] p=1/3,0,1",
    "[2,3,2] p=0,0,2 bias": "[2,3,2] r=2 bias",
    "convolutional(5,kernels=[2,2],activation=[0,0,5])": "convolutional(5,kernels=[2,2],degrees=2)",
    "x=input(3); a=dense(x,3); b=polynomial(a,[0,0,3]); c=dense(b,3); sum(a,c)":
        "x=input(3); a=dense(x,3); b=power(a,2); c=dense(b,3); sum(a,c)",
}  # fmt: skip
KEPT = (
    "[2,3,2] r=2",
    "[2,3,2] p=0,1,1",
    "x=input(3); a=dense(x,3); b=polynomial(a,[0,0,3]); c=dense(b,3); sum(b,c)",  # the sum does not absorb it
    "x=input(3); a=dense(x,3); polynomial(a,[0,0,3])",  # nor does the output
    "x=input(2); a=dense(x,2); b=polynomial(a,[0,0,3]); dense(b,2,shares=a)",  # nor weights that are read elsewhere
)


@pytest.mark.thorough
@pytest.mark.parametrize(("text", "plain"), ABSORBED.items())
def test_the_factor_is_absorbed(text: str, plain: str) -> None:
    network = parse(text)
    assert network.unscaled == parse(plain)
    assert network.unscaled.parameters == network.parameters
    assert network != parse(plain)
    assert jacobian_rank(network) == jacobian_rank(parse(plain)) == polygeom.dimension(text).dimension


@pytest.mark.parametrize("text", KEPT)
def test_what_nothing_absorbs_stays(text: str) -> None:
    assert parse(text).unscaled == parse(text)


def test_other_weights_give_the_same_function() -> None:
    """The factor goes into the weights that read it; the network itself keeps its values."""
    rng, engine = np.random.default_rng(0), ExactEngine()
    for text in ("[2,3,3,2] p=0,0,3", "[2,3,3,2] p=0,2,0,4"):
        network = parse(text)
        factor = network.nodes[2].layer.coefficients[-1]
        weights = {name: engine.encode(rng.integers(-5, 6, shape)) for name, shape in network.parameters.items()}
        moved = {name: value if name == "W1" else value * factor for name, value in weights.items()}
        points = engine.encode(rng.integers(-5, 6, (4, 2)))
        found, expected = (n.evaluate(engine, w, points) for n, w in ((network.unscaled, moved), (network, weights)))
        assert found.tolist() == expected.tolist()
        assert network.unscaled.evaluate(engine, weights, points).tolist() != expected.tolist()


def test_every_answer_about_the_functions_is_that_of_the_monomial() -> None:
    text, plain = "[5,5,5,1] p=0,0,3", "[5,5,5,1] r=2"
    assert str(polygeom.dimension(text)) == str(polygeom.dimension(plain))
    assert polygeom.identifiability("[3,3,3] p=0,0,3").level == polygeom.identifiability("[3,3,3] r=2").level
    assert str(polygeom.explain(text)) == str(polygeom.explain(plain))
    assert describe(text) == describe(plain)
    assert polygeom.verify(certify(text)).valid
    row = sweep(["[3,2,1] p=0,0,3"], progress=False).iloc[0]
    assert (row["network"], row["widths"], row["activation"], row["proved"]) == ("[3,2,1] r=2", "[3,2,1]", "2", True)
    found, other = (polygeom.Neurovariety(f"[3,2,1] {activation}") for activation in ("p=0,0,-7", "r=2"))
    assert found.equations() == other.equations()
    assert found.degree.value == 3
    assert polygeom.Neurovariety("[5,3,1] p=0,0,2").degree.status == "proved"

"""Layers added in one file each, by the shipped cases; fields of every type; what the register refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import pytest
from network.added_layers import ADDED

from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.ranks.confidence import heights
from polygeom.errors import FormatError, PolygeomError
from polygeom.network import Layer, Network, parse
from polygeom.network.layers import LAYERS, Input
from polygeom.network.nodes import Node
from polygeom.testing import check_layer
from polygeom.testing.formulas import filled


@pytest.mark.parametrize("text", ADDED)
def test_an_added_layer(text: str) -> None:
    check_layer(text)


DEPTHWISE = next(text for text in ADDED if "depthwise" in text)


def depthwise(layer: Any, inputs: list[np.ndarray], weights: Any) -> np.ndarray:
    (x,), w = inputs, weights["w"]
    length = (len(x) - layer.size) // layer.stride + 1
    return filled(
        (length, x.shape[1]), lambda p: sum(w[p[1], i] * x[layer.stride * p[0] + i, p[1]] for i in range(layer.size))
    )


@pytest.mark.parametrize("text", ["x=input(4,2); depthwise(x,3)", DEPTHWISE, "x=input(3,1); depthwise(x,1,stride=2)"])
def test_depthwise_convolution_by_loops(text: str) -> None:
    check_layer(text, depthwise)


def test_a_wrong_formula_is_seen() -> None:
    with pytest.raises(AssertionError, match="not that of the formula"):
        check_layer(DEPTHWISE, lambda *given: 2 * depthwise(*given))


def test_depthwise_refuses_what_it_cannot_read() -> None:
    for text in ("x=input(4); depthwise(x,2)", "x=input(2,3); depthwise(x,3)", "x=input(2,2,2); depthwise(x,1)"):
        with pytest.raises(FormatError, match="depthwise: a filter of size"):
            parse(text)


@pytest.fixture(autouse=True)
def register() -> Iterator[None]:
    before = dict(LAYERS)
    yield
    LAYERS.clear()
    LAYERS.update(before)


@dataclass(frozen=True, slots=True)
class Everything(Layer):
    """The identity, with a field of every kind."""

    sizes: tuple[int, ...]
    word: str
    pair: tuple[int, Fraction]
    deep: tuple[tuple[tuple[int, ...], ...], ...] = ()
    words: tuple[str, ...] = ()
    factor: Fraction = Fraction(1)
    flag: bool = False
    maybe: int | None = None
    kind: ClassVar[str] = "everything"

    def apply(self, engine: Any, inputs: Any, weights: Any, shapes: Any) -> Any:
        return inputs[0]


del LAYERS["everything"]  # only the tests that need it register it

FIELDS = [
    Everything((1, 2, 3), "same", (4, Fraction(1, 2))),
    Everything((), "a", (0, Fraction(3)), (((1, -1), (2,)), ()), ("x", "y1"), Fraction(-7, 3), True, 5),
]


@pytest.mark.parametrize("layer", FIELDS)
def test_fields_of_every_type_round_trip_in_text_and_json(layer: Everything) -> None:
    LAYERS["everything"] = Everything
    network = Network((Node(Input((2,))), Node(layer, (0,))))
    assert parse(network.text) == network
    assert Network.from_json(network.to_json()) == network
    assert [type(v) for v in (layer.pair[1], parse(network.text).nodes[1].layer.pair[1])] == [Fraction] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=input(2); everything(x,3,[4,1],word=a,pair=[1,2])", "everything"),
        ("x=input(2); everything(x,3,word=a,pair=[1,2])", "sizes must be a list, each entry an integer, got 3"),
        ("x=input(2); everything(x,[3],word=a,pair=[1])", "pair must be a list of 2: an integer, an integer or a"),
        ("x=input(2); everything(x,[3],word=4,pair=[1,2])", "word must be a word, got 4"),
        ("x=input(2); everything(x,[3],word=a,pair=[1,2],flag=1)", "flag must be True or False, got 1"),
        ("x=input(2); everything(x,[True],word=a,pair=[1,2])", "sizes must be a list"),
    ],
)
def test_fields_of_other_types_are_refused_in_words(text: str, message: str) -> None:
    LAYERS["everything"] = Everything
    with pytest.raises(FormatError, match=message.replace("[", r"\[")):
        parse(text)


def test_a_field_that_texts_cannot_hold_is_refused() -> None:
    @dataclass(frozen=True)
    class Odd(Layer):
        """A layer with a field of floats."""

        size: float
        kind: ClassVar[str] = "odd"

    with pytest.raises(FormatError, match="its fields must be int, bool, str, Fraction or tuples"):
        parse("x=input(2); odd(x,3)")


def test_a_word_belongs_to_one_layer() -> None:
    with pytest.raises(PolygeomError, match="the word 'dense' is Dense; write another kind"):
        type("Dense2", (Layer,), {"kind": "dense"})
    with pytest.raises(PolygeomError, match="kind must be a word, got 'two words'"):
        type("Two", (Layer,), {"kind": "two words"})


def test_names_of_weights_cannot_collide() -> None:
    def parameters(self: Layer, *inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"W1": (2,)}

    named = dataclass(frozen=True)(type("Named", (Layer,), {"kind": "named", "parameters": parameters}))
    with pytest.raises(PolygeomError, match="weights of layers must be named by letters, got 'W1'"):
        Network((Node(Input((2,))), Node(named(), (0,))))


@dataclass(frozen=True, slots=True)
class Repeated(Layer):
    """``x ↦ 8 w x``, as a sum of eight terms that no shape of the network shows."""

    kind: ClassVar[str] = "repeated"

    def parameters(self, *inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"w": (1,)}

    def apply(self, engine: Any, inputs: Any, weights: Any, shapes: Any) -> Any:
        eight = np.zeros((1, 8), dtype=np.int64)
        return engine.linear(engine.reindex(inputs[0], eight[0]), engine.arrange(weights["w"], eight))


del LAYERS["repeated"]


def test_heights_count_the_terms_that_a_layer_sums() -> None:
    network = Network((Node(Input((1,))), Node(Repeated(), (0,))))
    assert heights(network).norm >= 3


@dataclass(frozen=True, slots=True)
class Mixed(Layer):
    """Every primitive that the check of certificates can write down, one after the other."""

    kind: ClassVar[str] = "mixed"

    def parameters(self, *inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"W": (2, inputs[0][-1]), "b": (2,)}

    def shape(self, *inputs: tuple[int, ...]) -> tuple[int, ...]:
        return (inputs[0][0], 2)

    def apply(self, engine: Any, inputs: Any, weights: Any, shapes: Any) -> Any:
        tokens = shapes[0][0]
        y = engine.bias(engine.linear(inputs[0], weights["W"]), weights["b"])
        turned = engine.reindex(y, np.arange(2 * tokens).reshape(tokens, 2).T)
        z = engine.matmul(engine.matmul(y, turned), engine.power(y, 2))
        return engine.add(engine.multiply(z, y), engine.polynomial(y, (Fraction(1), Fraction(0), Fraction(3))))


del LAYERS["mixed"]


def test_certificates_see_the_steps_of_an_added_layer() -> None:
    LAYERS["mixed"] = Mixed
    assert read("x0=input(2,1); mixed(x0)").believed == {"mixed"}  # what it cannot read, check_layer would pass over
    check_layer("x=input(2,1); mixed(x)")

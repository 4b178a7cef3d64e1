"""What a network computes, read from its text by the checker itself and written in eight primitive steps.

A value is an array ``(…, features)``; all weights are numbered through.

==========  =======================================================================================================
step        value
==========  =======================================================================================================
linear      ``Σ_j w[index[i, j]] x[…, j]``; -1 in the index stands for zero
bias        ``x[…, i] + w[index[i]]``
gather      ``x`` flattened, at the places of an index
add         of two values
multiply    of two values, entry by entry
matmul      of two matrices
power       entry by entry
polynomial  entry by entry, rational coefficients
==========  =======================================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np

from polygeom._dataclass import dataclass, field
from polygeom.dimensions.proofs.maps import Map, read_map
from polygeom.dimensions.proofs.texts import Statement, statements
from polygeom.errors import BudgetError, CertificateError

Array = np.ndarray
Shape = tuple[int, ...]

MOST_ENTRIES = 4_000_000
"""Largest number of entries of all weight matrices, values and indices together."""


@dataclass(frozen=True, eq=False)
class Step:
    """One primitive: its word, the numbers of the values it reads, and its index, exponent or coefficients."""

    word: str
    reads: tuple[int, ...]
    data: Any = None


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer as it is written: word, values read, and the arrays of numbers of its weights by their letters.

    ``value`` is the number of the value it makes, ``own`` whether its weights are full and used nowhere else.
    """

    word: str
    reads: tuple[int, ...]
    weights: dict[str, Array]
    value: int
    own: bool
    degree: int = 0


@dataclass(eq=False)
class Program:
    """Steps, layers, the shapes of all values, and the number of weights. Value 0 is the input, the last the output.

    ``believed`` are words of layers that the checker does not know by itself. A map given by formulas has no steps but
    ``formulas``, one dummy input, and one output for each coordinate.
    """

    widths: tuple[int, ...] | None = None
    degrees: tuple[int, ...] = ()
    steps: list[Step] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    weights: int = 0
    entries: int = 0
    believed: set[str] = field(default_factory=set)
    text: str = ""
    formulas: Map | None = None

    @property
    def inputs(self) -> int:
        """Number of input variables."""
        return math.prod(self.shapes[0])

    @property
    def outputs(self) -> int:
        """Number of output polynomials."""
        return math.prod(self.shapes[-1])

    def push(self, word: str, reads: tuple[int, ...], shape: Shape, data: Any = None) -> int:
        """One more step; the number of its value."""
        self.count(math.prod(shape) + (data.size if isinstance(data, np.ndarray) else 0))
        self.steps.append(Step(word, reads, data))
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def count(self, entries: int) -> None:
        """Count entries of arrays, and refuse when there are too many."""
        self.entries += entries
        if self.entries > MOST_ENTRIES:
            raise BudgetError(
                f"certificate: a network with more than {MOST_ENTRIES} entries is larger than the check allows"
            )


def _fail(text: str) -> NoReturn:
    raise CertificateError(f"certificate: the network {text!r:.60} is not one as polygeom writes it; write it again")


@lru_cache(maxsize=64)
def read(text: str) -> Program:
    """The program of a network's text.

    Raises
    ------
    CertificateError
        If the text is not as polygeom writes it.
    BudgetError
        If an array of it is larger than `MOST_ENTRIES`.

    Examples
    --------
    >>> program = read("[2,3,1] r=2")
    >>> program.weights, [step.word for step in program.steps], program.widths
    (9, ['linear', 'power', 'linear'], (2, 3, 1))
    """
    try:
        program = _of_map(text) if text.startswith("map(") else _Reader(statements(text)).program
        program.text = text
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        if isinstance(error, BudgetError | CertificateError):
            raise
        _fail(text)
    return program


def from_lines(lines: list[Statement]) -> Program:
    """The program of a list of statements; raises `ValueError` or one of its kind where they are none."""
    return _Reader(lines).program


def _of_map(text: str) -> Program:
    formulas = read_map(text)
    program = Program(formulas=formulas, weights=len(formulas.parameters), shapes=[(1,), (len(formulas.names),)])
    program.count(program.weights + program.outputs)
    return program


LAYERS = {
    word: f"_{word}_layer"
    for word in (
        "input",
        "dense",
        "bias",
        "scale",
        "power",
        "polynomial",
        "product",
        "sum",
        "convolution",
        "flatten",
        "attention",
    )
}
"""The method of `_Reader` for every layer."""
_OF_SEVERAL = ("product", "sum")
"""Layers that read more than one value."""


class _Reader:
    """Builds the program statement by statement."""

    def __init__(self, lines: list[Statement]) -> None:
        self.program = Program()
        self._values: list[int] = []
        self._owned: list[dict[str, Array]] = []
        shared = {s for *_, named in lines if (s := named.get("shares")) is not None}
        read: set[int] = set()
        for number, (word, reads, values, named) in enumerate(lines):
            rest = dict(named)
            shares = rest.pop("shares", None)
            method = self._method(word, values, rest)
            if (word == "input") != (number == 0) or (shares is not None and lines[shares][0] != word):
                raise ValueError(word)
            if values if word in _OF_SEVERAL else word in LAYERS and len(reads) != int(number > 0):
                raise ValueError(word)
            self._weights: dict[str, Array] = {}
            self._shared = None if shares is None else self._owned[shares]
            first = len(self.program.shapes)
            value = method(*(self._values[i] for i in reads))
            if self._shared is not None and (not self._shared or self._weights.keys() != self._shared.keys()):
                raise ValueError(word)
            self._values.append(value)
            self._owned.append(self._weights)
            read.update(reads)
            own = number not in shared and shares is None and "pattern" not in rest
            degree = values[0] if word == "power" else int(word == "polynomial" and values[0] == [0, 1])
            if len(self.program.shapes) == first:
                raise ValueError(word)
            sources = tuple(self._values[i] for i in reads)
            self.program.layers.append(Layer(word, sources, self._weights, value, own, degree))
        if read != set(range(len(lines) - 1)):
            raise ValueError("a value is not used")
        self._recognise(lines)

    def _method(self, word: str, values: list[Any], named: dict[str, Any]) -> Callable[..., int]:
        if word in LAYERS:
            known: Callable[..., int] = getattr(self, LAYERS[word])
            return lambda *reads: known(*reads, *values, **named)
        from polygeom.dimensions.proofs.added import added_layer, record

        layer = added_layer(word, values, named)
        self.program.believed.add(word)
        return lambda *reads: record(layer, self.program, reads, self._new)

    def _recognise(self, lines: list[Statement]) -> None:
        """Note widths and degrees of a perceptron without biases: dense layers and powers in turn."""
        program, widths, degrees, active = self.program, [*self.program.shapes[0]], list[int](), True
        for number, (word, reads, values, named) in enumerate(lines[1:], start=1):
            if reads != (number - 1,) or named:
                return
            if word == "dense":
                degrees += [] if active else [1]
                widths.append(values[0])
                active = False
            elif word == "power" and not active:
                degrees.append(values[0])
                active = True
            else:
                return
        if not active and len(program.shapes[0]) == 1:
            program.widths, program.degrees = tuple(widths), tuple(degrees)

    def _new(self, letter: str, *shape: int) -> Array:
        """Numbers of new weights, or of those that are shared."""
        size = math.prod(shape)
        self.program.count(size)
        if self._shared is not None:
            numbers: Array = self._shared[letter]
            if numbers.shape != shape:
                raise ValueError(letter)
        else:
            numbers = np.arange(self.program.weights, self.program.weights + size).reshape(shape)
            self.program.weights += size
        self._weights[letter] = numbers
        return numbers

    def _shape(self, x: int) -> Shape:
        return self.program.shapes[x]

    def _input_layer(self, *dims: int) -> int:
        if not 1 <= len(dims) <= 4 or min(dims) < 1:
            raise ValueError(dims)
        self.program.count(math.prod(dims))
        self.program.shapes.append(dims)
        return 0

    def _dense_layer(self, x: int, width: int, pattern: list[list[int]] | None = None) -> int:
        n = self._shape(x)[-1]
        if width < 1:
            raise ValueError(width)
        if pattern is None:
            index = self._new("W", width, n)
        else:
            places = np.array(pattern)
            if places.shape != (width, n) or sorted({*places.ravel().tolist(), -1}) != list(
                range(-1, places.max() + 1)
            ):
                raise ValueError(pattern)
            numbers = self._new("W", int(places.max()) + 1)
            index = np.where(places < 0, -1, numbers[np.maximum(places, 0)])
        return self.program.push("linear", (x,), (*self._shape(x)[:-1], width), index)

    def _bias_layer(self, x: int) -> int:
        return self.program.push("bias", (x,), self._shape(x), self._new("b", self._shape(x)[-1]))

    def _scale_layer(self, x: int) -> int:
        n = self._shape(x)[-1]
        self.program.count(n * n)
        index = np.full((n, n), -1)
        np.fill_diagonal(index, self._new("s", n))
        return self.program.push("linear", (x,), self._shape(x), index)

    def _power_layer(self, x: int, degree: int) -> int:
        if not 1 <= degree <= 10**6:
            raise ValueError(degree)
        return self.program.push("power", (x,), self._shape(x), degree)

    def _polynomial_layer(self, x: int, coefficients: list[Fraction]) -> int:
        return self.program.push("polynomial", (x,), self._shape(x), tuple(coefficients))

    def _several(self, word: str, values: tuple[int, ...]) -> int:
        if len({self._shape(x) for x in values}) != 1:
            raise ValueError(word)
        value = values[0]
        for other in values[1:]:
            value = self.program.push(word, (value, other), self._shape(other))
        return value

    def _product_layer(self, *values: int) -> int:
        return self._several("multiply", values)

    def _sum_layer(self, *values: int) -> int:
        return self._several("add", values)

    def _flatten_layer(self, x: int) -> int:
        size = math.prod(self._shape(x))
        return self.program.push("gather", (x,), (size,), np.arange(size))

    def _convolution_layer(self, x: int, size: int, stride: int = 1, channels: int = 1) -> int:
        shape = self._shape(x)
        if len(shape) > 2 or not 1 <= size <= shape[0] or min(stride, channels) < 1:
            raise ValueError(shape)
        c, length = math.prod(shape[1:]), (shape[0] - size) // stride + 1
        places = np.arange(length)[:, None] * (stride * c) + np.arange(size * c)
        windows = self.program.push("gather", (x,), places.shape, places)
        y = self.program.push("linear", (windows,), (length, channels), self._new("w", channels, size * c))
        if len(shape) == 1 and channels == 1:
            return self.program.push("gather", (y,), (length,), np.arange(length))
        return y

    def _attention_layer(self, x: int, rank: int, width: int) -> int:
        tokens, d = self._shape(x)
        if min(rank, width) < 1:
            raise ValueError(rank)
        push = self.program.push
        queries = push("linear", (x,), (tokens, rank), self._new("Q", rank, d))
        keys = push("linear", (x,), (tokens, rank), self._new("K", rank, d))
        turned = push("gather", (keys,), (rank, tokens), np.arange(tokens * rank).reshape(tokens, rank).T)
        scores = push("matmul", (queries, turned), (tokens, tokens))
        values = push("linear", (x,), (tokens, width), self._new("V", width, d))
        return push("matmul", (scores, values), (tokens, width))

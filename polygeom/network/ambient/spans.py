"""The right ambient space: the monomials that each output may have, and the coefficients that weights can change.

An engine whose values are arrays of sets of degrees (`polygeom.network.ambient.degrees`), one for each feature. Where
all features share one set, an array is a view of a single entry, so that wide layers cost nothing.

Two refinements over "all monomials up to the degree": every output has a set of its own, and where the inputs fall into
groups that the first maps read separately, multidegrees take the place of total degrees. A coefficient that no weight
enters is fixed and adds no dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import BudgetError, PolygeomError
from polygeom.network.ambient.degrees import Degrees, Exponents, Multidegrees, TotalDegrees, power
from polygeom.network.constants import Constants
from polygeom.network.layers.linear import Dense

Entries = np.ndarray
"""Object array ``(1, *shape)`` of one value for every feature."""

MOST_GROUPS = 16
_MOST_FEATURES = 200_000
"""Features that are looked at one by one; larger values are taken to have all degrees of their parts."""


class _EntryEngine:
    """The primitives, feature by feature; subclasses say what sums, products and powers of entries are."""

    zero: Any

    def sum(self, terms: Iterable[Any]) -> Any:
        """The entry of a sum with constant coefficients."""
        raise NotImplementedError

    def trained(self, x: Any) -> Any:
        """The entry times a weight."""
        raise NotImplementedError

    def weight(self) -> Any:
        """The entry of a weight."""
        raise NotImplementedError

    def constant(self) -> Any:
        """The entry of a constant that is not zero."""
        raise NotImplementedError

    def times(self, x: Any, y: Any) -> Any:
        """The entry of a product."""
        raise NotImplementedError

    def raised(self, x: Any, exponent: int) -> Any:
        """The entry of a power."""
        raise NotImplementedError

    def inverted(self, x: Any) -> Any:
        """The entry of an inverse."""
        raise NotImplementedError

    def linear(self, x: Entries, w: np.ndarray) -> Entries:
        shape = (*x.shape[:-1], len(w))
        if _uniform(x) and (w.flat[0] if _uniform(w) else w.all()):  # a large matrix need not be walked through
            return _filled(shape, self.trained(x.flat[0]))
        rows = x.reshape(-1, x.shape[-1])
        masks: dict[bytes, np.ndarray] = {}
        keys = [row.tobytes() for row in w] if not _uniform(w) else [b""] * len(w)
        for key, row in zip(keys, w, strict=True):
            masks.setdefault(key, row)
        sums = [{key: self.trained(self.sum(_distinct(row[mask]))) for key, mask in masks.items()} for row in rows]
        if len(masks) == 1 and len(rows) == 1:
            return _filled(shape, next(iter(sums[0].values())))
        y = np.empty((len(rows), len(w)), dtype=object)
        for row, own in zip(y, sums, strict=True):
            row[:] = _objects([own[key] for key in keys])
        return y.reshape(shape)

    def bias(self, x: Entries, b: np.ndarray) -> Entries:
        with_bias = self._map(lambda a: self.sum((a, self.weight())), x)
        return with_bias if b.all() else np.where(b, with_bias, x)

    def add(self, x: Entries, y: Entries) -> Entries:
        return self._map(lambda a, b: self.sum((a, b)), x, y)

    def multiply(self, x: Entries, y: Entries) -> Entries:
        return self._map(self.times, x, y)

    def power(self, x: Entries, exponent: int) -> Entries:
        return self._map(lambda a: self.raised(a, exponent), x)

    def polynomial(self, x: Entries, coefficients: Sequence[Fraction]) -> Entries:
        exponents = [k for k, c in enumerate(coefficients) if c and k]
        constant = [self.constant()] if coefficients[0] else []
        return self._map(lambda a: self.sum([*constant, *(self.raised(a, k) for k in exponents)]), x)

    def inverse(self, x: Entries) -> Entries:
        return self._map(self.inverted, x)

    def combine(self, x: Entries, matrix: Constants) -> Entries:
        rows = x.reshape(-1, x.shape[-1])
        y = np.empty((len(rows), matrix.shape[0]), dtype=object)
        columns: list[list[int]] = [[] for _ in range(matrix.shape[0])]
        for i, j, _ in matrix.entries:
            columns[i].append(j)
        for t, row in enumerate(rows):
            y[t] = _objects([self.sum(_distinct(row[own])) for own in columns])
        return y.reshape(*x.shape[:-1], matrix.shape[0])

    def matmul(self, x: Entries, y: Entries) -> Entries:
        shape = (1, x.shape[1], y.shape[2])
        if _uniform(x) and _uniform(y):
            return _filled(shape, self.times(x.flat[0], y.flat[0]))
        z = np.empty(shape, dtype=object)
        for i in range(shape[1]):
            for j in range(shape[2]):
                z[0, i, j] = self.sum(dict.fromkeys(self.times(a, b) for a, b in zip(x[0, i], y[0, :, j], strict=True)))
        return z

    def reindex(self, x: Entries, index: np.ndarray) -> Entries:
        if _uniform(x) and (index >= 0).all():
            return _filled((1, *index.shape), x.flat[0])
        padded = np.empty(x.size + 1, dtype=object)
        padded[:-1] = x.ravel()
        padded[-1] = self.zero
        taken: Entries = padded[index][None]
        return taken

    def arrange(self, w: np.ndarray, index: np.ndarray) -> np.ndarray:
        return index >= 0 if _uniform(w) and w.flat[0] else np.append(w.ravel(), False)[index]

    def _map(self, function: Callable[..., Any], *arrays: Entries) -> Entries:
        shape = arrays[0].shape
        if all(map(_uniform, arrays)):
            return _filled(shape, function(*(a.flat[0] for a in arrays)))
        known: dict[Any, Any] = {}
        values = []
        for operands in zip(*(a.flat for a in arrays), strict=True):
            if operands not in known:
                known[operands] = function(*operands)
            values.append(known[operands])
        return _objects(values).reshape(shape)


def _uniform(x: np.ndarray) -> bool:
    return x.size == 1 or not any(x.strides)


def _filled(shape: tuple[int, ...], entry: Any) -> Entries:
    one = np.empty((), dtype=object)
    one[()] = entry
    return np.broadcast_to(one, shape)


def _objects(values: Sequence[Any]) -> Entries:
    array = np.empty(len(values), dtype=object)
    for k, value in enumerate(values):
        array[k] = value
    return array


def _distinct(row: Entries) -> Iterable[Any]:
    return dict.fromkeys(row.tolist())


@dataclass(frozen=True, slots=True)
class Span:
    """What a polynomial may contain.

    Attributes
    ----------
    every:
        Degrees of its monomials.
    free:
        Degrees of monomials whose coefficients weights may enter.
    """

    every: Any
    free: Any


class _SpanEngine(_EntryEngine):
    def __init__(self, degrees: Degrees) -> None:
        self.degrees: Any = degrees
        self.zero = Span(degrees.zero, degrees.zero)

    def sum(self, terms: Iterable[Span]) -> Span:
        parts = list(terms)
        if len(parts) == 1:
            return parts[0]
        union: Any = self.degrees.union
        return Span(union(part.every for part in parts), union(part.free for part in parts))

    def trained(self, x: Span) -> Span:
        return Span(x.every, x.every)

    def weight(self) -> Span:
        return Span(self.degrees.one, self.degrees.one)

    def constant(self) -> Span:
        return Span(self.degrees.one, self.degrees.zero)

    def times(self, x: Span, y: Span) -> Span:
        product = self.degrees.product
        every = product(x.every, y.every)
        if x.free == x.every or y.free == y.every:
            return Span(every, every)
        return Span(every, self.degrees.union((product(x.free, y.every), product(x.every, y.free))))

    def raised(self, x: Span, exponent: int) -> Span:
        every = power(self.degrees, x.every, exponent)
        if x.free == x.every:
            return Span(every, every)
        if exponent == 1 or x.free == self.degrees.zero:
            return Span(every, x.free)
        return Span(every, self.degrees.product(x.free, power(self.degrees, x.every, exponent - 1)))

    def inverted(self, x: Span) -> Span:
        if x.every not in (self.degrees.one, self.degrees.zero):
            raise PolygeomError(
                "network: its outputs are rational functions of the inputs, which have no finite list of coefficients; "
                "write numerators and denominator as outputs, as rational_mlp does"
            )
        return Span(self.degrees.one, x.free)


class _ReadingEngine(_EntryEngine):
    """Which sets of inputs enter nonlinear layers as linear forms: an entry is a set of inputs as bits, 0 beyond."""

    zero = 0

    def __init__(self) -> None:
        self.forms: set[int] = set()

    def sum(self, terms: Iterable[int]) -> int:
        union = 0
        for term in terms:
            union |= term
        return union

    def trained(self, x: int) -> int:
        return x

    def weight(self) -> int:
        return 0

    def constant(self) -> int:
        return 0

    def times(self, x: int, y: int) -> int:
        self.forms |= {x, y}
        return 0

    def raised(self, x: int, exponent: int) -> int:
        if exponent == 1:
            return x
        self.forms.add(x)
        return 0

    def inverted(self, x: int) -> int:
        self.forms.add(x)
        return 0


@dataclass(frozen=True)
class Ambient:
    """The space in which the functions of a network lie: one `Span` for each output.

    Attributes
    ----------
    degrees:
        The arithmetic that the spans belong to.
    spans:
        For every output, row by row.
    """

    degrees: Degrees
    spans: tuple[Span, ...]

    @cached_property
    def dimension(self) -> int:
        """The number of coefficients that weights may change."""
        counts = {span: self.degrees.count(span.free) for span in set(self.spans)}
        return sum(counts[span] for span in self.spans)

    @cached_property
    def size(self) -> int:
        """The number of all coefficients, fixed ones included."""
        counts = {span: self.degrees.count(span.every) for span in set(self.spans)}
        return sum(counts[span] for span in self.spans)

    def monomials(self, output: int) -> tuple[Exponents, ...]:
        """The monomials that an output may have, by falling degree, then lexicographically decreasing."""
        span = self.spans[output]
        if span not in self._monomials:
            self._monomials[span] = tuple(self.degrees.monomials(span.every))
        return self._monomials[span]

    @cached_property
    def _monomials(self) -> dict[Span, tuple[Exponents, ...]]:
        return {}

    def __str__(self) -> str:
        """In words: which coefficients are counted."""
        spans = list(dict.fromkeys(self.spans))
        if all(span.every == self.degrees.one for span in spans) or not spans:
            fixed = sum(span.free != span.every for span in self.spans)
            count = f"{len(self.spans)} coordinates"
            return f"{count}, {fixed} of them fixed" if fixed else count
        parts = [self.degrees.describe(span.every) for span in spans[:2]]
        text = "; ".join(parts) + (f"; and {len(spans) - 2} more" if len(spans) > 2 else "")
        fixed = self.size - self.dimension
        return f"coefficients of {text}" + (f", without {fixed} that no weight enters" if fixed else "")


def ambient(network: Any) -> Ambient:
    """The space of the functions of a network, as small as degrees can tell.

    Raises
    ------
    PolygeomError
        When the outputs are rational functions of the inputs.
    BudgetError
        When there are too many separate degrees.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> print(ambient(parse("[2,3,1] r=2 bias")))
    coefficients of degree 0 to 2
    """
    groups = _groups(network)
    if groups is not None:
        try:
            return evaluated(network, Multidegrees(groups))
        except BudgetError:
            pass
    return evaluated(network, TotalDegrees(network.input_dimension))


def _weights(network: Any) -> dict[str, np.ndarray]:
    return {name: _present(shape) for name, shape in network.parameters.items()}


@lru_cache(maxsize=1024)
def _present(shape: tuple[int, ...]) -> np.ndarray:
    """A weight of this shape, none of whose entries is a constant zero; nobody can write to it."""
    return np.broadcast_to(np.array(True), shape)


def evaluated(network: Any, degrees: Degrees) -> Ambient:
    """The space of the functions of a network in one of the arithmetics of degrees."""
    engine = _SpanEngine(degrees)
    shape = (1, *network.input_shape)
    if isinstance(degrees, TotalDegrees):
        points = _filled(shape, Span(degrees.input(0), degrees.zero))
    else:
        spans = [Span(degrees.input(j), degrees.zero) for j in range(network.input_dimension)]
        points = _objects(spans).reshape(shape)
    outputs = network.evaluate(engine, _weights(network), points)
    return Ambient(degrees, tuple(outputs.flat))


def _reads_everything(network: Any) -> bool:
    """Whether a full matrix reads all inputs at once, so that there is one group; most networks begin so."""
    if len(network.input_shape) > 1:
        return False
    return any(
        node.inputs == (0,) and isinstance(node.layer, Dense) and node.layer.pattern is None for node in network.nodes
    )


def _groups(network: Any) -> tuple[tuple[int, ...], ...] | None:
    """Groups of inputs that are read separately; None if there is one, or if linear forms overlap."""
    n = network.input_dimension
    if network.widths is not None or n > _MOST_FEATURES or _reads_everything(network):
        return None
    engine = _ReadingEngine()
    points = _objects([1 << j for j in range(n)]).reshape(1, *network.input_shape)
    outputs = network.evaluate(engine, _weights(network), points)
    forms = (engine.forms | set(outputs.flat)) - {0}
    union = engine.sum(forms)
    if not 2 <= len(forms) <= MOST_GROUPS or sum(f.bit_count() for f in forms) != union.bit_count():
        return None
    forms |= {1 << j for j in range(n) if not union >> j & 1}
    if len(forms) > MOST_GROUPS:
        return None
    return tuple(sorted(tuple(j for j in range(n) if form >> j & 1) for form in forms))

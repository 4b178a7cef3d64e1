"""A polynomial network as data: a frozen directed acyclic graph of layers, evaluated over any engine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from polygeom.errors import BudgetError, MissingPackageError, PolygeomError
from polygeom.network.degrees import DegreeSet, Multidegrees, TotalDegrees
from polygeom.network.layers import Dense, Input, Layer, Polynomial, Power, Shape
from polygeom.network.limits import MOST_SYMBOLS, shown

if TYPE_CHECKING:
    import networkx
    import torch

    from polygeom.engines.torch_module import NetworkModule
    from polygeom.network.primitives import Engine
    from polygeom.network.spans import Ambient


_MOST_BITS = 4_000_000


def _monomials_up_to(n: int, degree: int, most: int) -> int:
    """``min(most, C(n + degree, n))`` without large numbers: the partial products grow."""
    total = 1
    for i in range(1, min(n, degree) + 1):
        total = total * (max(n, degree) + i) // i
        if total >= most:
            return most
    return min(total, most)


@dataclass(frozen=True, slots=True)
class Node:
    """One layer at work: the layer, the numbers of the nodes it reads, and the node whose weights it shares, if any."""

    layer: Layer
    inputs: tuple[int, ...] = ()
    shares: int | None = None


def _canonical(node: Node) -> Node:
    """The node with a monomial activation written as a power, so that one network has one form."""
    if isinstance(node, Node) and isinstance(node.layer, Polynomial) and (power := node.layer.monomial) is not None:
        return Node(power, node.inputs, node.shares)
    return node


@dataclass(frozen=True)
class Network:
    """A polynomial network: nodes in topological order, the `Input` first, the output last.

    Two networks are equal when their nodes are (a polynomial activation ``x ** k`` is the power it is); the text of a
    network (`text`) reads back as an equal network (`polygeom.network.parse`). Build one with the functions of
    `polygeom.network.families` or with `Builder`.

    Raises
    ------
    PolygeomError
        When a layer does not fit its inputs, a node is not used by the output, or shared weights differ in shape.

    Examples
    --------
    >>> from polygeom.network import Builder, Dense, Power
    >>> b = Builder(2)
    >>> network = b.network(b.add(Dense(1), b.add(Power(2), b.add(Dense(3), b.input))))
    >>> str(network), network.parameter_count, network.degree
    ('[2,3,1] r=2', 9, 2)
    """

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(map(_canonical, self.nodes)))
        if len(self.nodes) > MOST_SYMBOLS or sum(n.layer.symbols + len(n.inputs) for n in self.nodes) > MOST_SYMBOLS:
            raise PolygeomError(
                f"network: layers, inputs, pattern entries and coefficients must be at most {MOST_SYMBOLS} together; "
                "write a smaller network"
            )
        if not self.nodes or not isinstance(self.nodes[0].layer, Input):
            raise PolygeomError("network: the first node must be an input; write input(3) first")
        for number, node in enumerate(self.nodes):
            self._check_wiring(number, node)
        _ = self.shapes
        unused = set(range(len(self.nodes) - 1)) - {i for node in self.nodes for i in node.inputs}
        if unused:
            raise PolygeomError(
                f"network: nodes {shown(sorted(unused))} lead nowhere; write every node but the last into another"
            )
        for number, node in enumerate(self.nodes):
            if node.shares is not None:
                own, theirs = self._weights_of(number), self._weights_of(node.shares)
                if own != theirs or not own:
                    raise PolygeomError(
                        f"network: node {number} shares the weights of node {node.shares}, but needs the shapes {own}, "
                        f"not {theirs}; leave out shares, or write equal widths"
                    )

    def _check_wiring(self, number: int, node: Node) -> None:
        arity, got = node.layer.arity, len(node.inputs)
        if (number > 0) == isinstance(node.layer, Input):
            raise PolygeomError(f"network: node {number} is a second input; write one input and read it more than once")
        if (arity is None and got < 2) or (arity is not None and got != arity):
            wanted = "at least 2" if arity is None else str(arity)
            raise PolygeomError(
                f"network: node {number} ({node.layer.kind}) needs {wanted} inputs, got {got}; add them"
            )
        if any(not 0 <= i < number for i in node.inputs):
            raise PolygeomError(
                f"network: node {number} must read earlier nodes, got {shown(node.inputs)}; renumber it"
            )
        if node.shares is not None:
            if not 0 <= node.shares < number or self.nodes[node.shares].shares is not None:
                raise PolygeomError(
                    f"network: node {number} must share the weights of an earlier node that owns them; "
                    "write the first node with these weights"
                )
            if self.nodes[node.shares].layer.kind != node.layer.kind:
                raise PolygeomError(
                    f"network: node {number} and node {node.shares} share weights but differ in kind; write one layer"
                )

    def _input_shapes(self, number: int) -> list[Shape]:
        return [self.shapes[i] for i in self.nodes[number].inputs]

    def _weights_of(self, number: int) -> dict[str, Shape]:
        return self.nodes[number].layer.parameters(*self._input_shapes(number))

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Shape of the value of every node, without the axis of points."""
        shapes: list[Shape] = []
        for number, node in enumerate(self.nodes):
            try:
                shapes.append(node.layer.shape(*(shapes[i] for i in node.inputs)))
            except PolygeomError as error:
                raise PolygeomError(f"network: node {number}: {error}") from None
        return tuple(shapes)

    @cached_property
    def weight_names(self) -> tuple[Mapping[str, str], ...]:
        """For every node, its layer's local weight names and their names in the network: ``W`` → ``W2``."""
        counters: dict[str, int] = {}
        names: list[Mapping[str, str]] = []
        for number, node in enumerate(self.nodes):
            if node.shares is not None:
                names.append(names[node.shares])
                continue
            own = {}
            for local in self._weights_of(number):
                counters[local] = counters.get(local, 0) + 1
                own[local] = f"{local}{counters[local]}"
            names.append(own)
        return tuple(names)

    @cached_property
    def parameters(self) -> Mapping[str, Shape]:
        """Shape of every weight by name (``W1``, ``b1``, …), in the order in which the nodes own them."""
        shapes: dict[str, Shape] = {}
        for number, names in enumerate(self.weight_names):
            for local, shape in self._weights_of(number).items():
                shapes.setdefault(names[local], shape)
        return MappingProxyType(shapes)

    @cached_property
    def fan_in(self) -> Mapping[str, int]:
        """For every weight the number of terms in the sums that it enters, 0 for biases; for initial weights."""
        return MappingProxyType(
            {
                names[local]: terms
                for number, names in enumerate(self.weight_names)
                if self.nodes[number].shares is None
                for local, terms in self.nodes[number].layer.fan_in(*self._input_shapes(number)).items()
            }
        )

    @cached_property
    def parameter_count(self) -> int:
        """Number of free weights."""
        return sum(math.prod(shape) for shape in self.parameters.values())

    @property
    def input_shape(self) -> Shape:
        """Shape of one input point."""
        return self.shapes[0]

    @property
    def output_shape(self) -> Shape:
        """Shape of the output at one point."""
        return self.shapes[-1]

    @property
    def input_dimension(self) -> int:
        """Number of input variables."""
        return math.prod(self.input_shape)

    @property
    def output_dimension(self) -> int:
        """Number of output polynomials."""
        return math.prod(self.output_shape)

    @cached_property
    def degrees(self) -> DegreeSet:
        """Total degrees that may occur in the outputs, as disjoint closed intervals ``((low, high), …)``."""
        if self.activation_degrees is not None:
            top = math.prod(self.activation_degrees)
            return ((top, top),)
        sets = [span.every for span in dict.fromkeys(self.ambient.spans)]
        if isinstance(self.ambient.degrees, Multidegrees):
            sets = [tuple((sum(each), sum(each)) for each in degrees) for degrees in sets]
        return TotalDegrees(self.input_dimension).union(sets) or ((0, 0),)

    @property
    def degree(self) -> int:
        """Total degree of the output polynomials."""
        return self.degrees[-1][1]

    @cached_property
    def ambient(self) -> Ambient:
        """The space in which the functions of the network lie; see `polygeom.network.spans`."""
        from polygeom.network.spans import ambient

        return ambient(self)

    @cached_property
    def ambient_dimension(self) -> int:
        """Number of coefficients of the outputs that weights may change, one for each monomial that may occur.

        Raises
        ------
        BudgetError
            When the number would have millions of digits.
        PolygeomError
            When the outputs are rational functions of the inputs.
        """
        n, top = self.input_dimension, self.degree
        if min(n, top) * (n + top).bit_length() > _MOST_BITS:
            raise BudgetError(
                f"ambient_dimension: {n} variables in degree {shown(top)} have too many monomials to count; "
                "ask for expected_dimension, or write a smaller network"
            )
        if self.activation_degrees is not None:
            return self.output_dimension * math.comb(n + top - 1, top)
        return self.ambient.dimension

    @cached_property
    def gauge(self) -> int:
        """How many parameters the continuous symmetries make redundant; see `polygeom.symmetry.gauge.gauge`."""
        from polygeom.symmetry.gauge import gauge

        return gauge(self)

    @cached_property
    def expected_dimension(self) -> int:
        """``min(ambient_dimension, parameter_count - gauge)``, an upper bound for the dimension of the neurovariety."""
        free = self.parameter_count - self.gauge
        if self.activation_degrees is not None:
            n, top = self.input_dimension, self.degree
            if self.output_dimension * _monomials_up_to(n - 1, top, free) >= free:
                return free
        try:
            return min(free, self.ambient_dimension)
        except PolygeomError:
            return free

    @cached_property
    def _chain(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Widths and activation degrees when the network is dense layers with monomials, or nothing, between."""
        if len(self.input_shape) != 1:
            return None
        widths, degrees, activated = [self.input_dimension], [], True
        for number, node in enumerate(self.nodes[1:], start=1):
            layer = node.layer
            if node.inputs != (number - 1,) or node.shares is not None:
                return None
            if isinstance(layer, Dense) and layer.pattern is None:
                if not activated:
                    degrees.append(1)
                widths.append(layer.width)
                activated = False
            elif isinstance(layer, Power) and not activated:
                degrees.append(layer.degree)
                activated = True
            else:
                return None
        return None if activated else (tuple(widths), tuple(degrees))

    @property
    def widths(self) -> tuple[int, ...] | None:
        """``(d_0, …, d_L)`` of a multilayer perceptron with monomial activations, without biases; None for others."""
        return None if self._chain is None else self._chain[0]

    @property
    def activation_degrees(self) -> tuple[int, ...] | None:
        """``(r_1, …, r_{L-1})`` of a perceptron as in `widths`, 1 where no activation stands; None for others."""
        return None if self._chain is None else self._chain[1]

    @cached_property
    def graph(self) -> networkx.DiGraph[int]:
        """The graph, frozen: nodes carry ``layer`` and ``shape``, an edge the ``slots`` it feeds."""
        import networkx

        graph: networkx.DiGraph[int] = networkx.DiGraph()
        for number, node in enumerate(self.nodes):
            graph.add_node(number, layer=node.layer, shape=self.shapes[number])
            for source in node.inputs:
                graph.add_edge(source, number, slots=tuple(s for s, i in enumerate(node.inputs) if i == source))
        return networkx.freeze(graph)

    @cached_property
    def text(self) -> str:
        """Canonical text; `polygeom.network.parse` reads it back as an equal network."""
        from polygeom.network.text.notation import write

        return write(self)

    def to_json(self) -> str:
        """One line of JSON; `Network.from_json` and `polygeom.network.parse` read it back as an equal network."""
        from polygeom.network.text.records import dump

        return dump(self)

    @classmethod
    def from_json(cls, text: str) -> Network:
        """The network that `to_json` wrote; raises `FormatError` for any other text."""
        from polygeom.network.text.records import read

        return read(text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Network({self.text!r})"

    def __deepcopy__(self, memo: object) -> Network:
        return self  # nothing in it ever changes

    def __reduce__(self) -> tuple[type[Network], tuple[tuple[Node, ...]]]:
        return Network, (self.nodes,)

    def to_torch(
        self,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
        initialisation: str = "unit",
        rng: int = 0,
    ) -> NetworkModule:
        """The network as a ``torch.nn.Module`` with its own weights; needs torch (extra ``learn``).

        Parameters as for `polygeom.engines.torch_module.NetworkModule`; ``dtype`` is float64 if None.
        """
        try:
            import torch
        except ImportError as error:
            raise MissingPackageError("to_torch", "torch") from error
        from polygeom.engines.torch_module import NetworkModule

        return NetworkModule(self, dtype=dtype or torch.float64, device=device, initialisation=initialisation, rng=rng)

    def evaluate(self, engine: Engine[Any], weights: Mapping[str, Any], points: Any) -> Any:
        """The value of the output over ``engine``.

        Parameters
        ----------
        engine:
            Arithmetic, see `polygeom.network.primitives`.
        weights:
            A weight value for every name in `parameters`, of that shape.
        points:
            A point value of shape ``(N, *input_shape)``.

        Returns
        -------
        A point value of shape ``(N, *output_shape)``.
        """
        values: list[Any] = [points]
        for number, node in enumerate(self.nodes[1:], start=1):
            own = {local: weights[name] for local, name in self.weight_names[number].items()}
            inputs = [values[i] for i in node.inputs]
            values.append(node.layer.apply(engine, inputs, own, self._input_shapes(number)))
        return values[-1]

"""A polynomial network as data: a frozen directed acyclic graph of layers, evaluated over any engine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom._lazy import given
from polygeom.errors import BudgetError, MissingPackageError, PolygeomError
from polygeom.network.ambient.degrees import DegreeSet, Multidegrees, TotalDegrees
from polygeom.network.ambient.spans import Ambient, ambient
from polygeom.network.layers import Shape
from polygeom.network.limits import capped_monomials, shown
from polygeom.network.nodes import Node, canonical, perceptron, unscaled
from polygeom.network.plan import Plan, compile_nodes
from polygeom.network.primitives import Engine
from polygeom.network.text import notation, records

if TYPE_CHECKING:
    import networkx
    import torch


_MOST_BITS = 4_000_000


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
        object.__setattr__(self, "nodes", tuple(map(canonical, self.nodes)))
        _ = self.plan  # compiling is the check

    @cached_property
    def plan(self) -> Plan:
        """The network compiled into a flat program; every engine runs it."""
        return compile_nodes(self.nodes)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Shape of the value of every node, without the axis of points."""
        return self.plan.shapes

    @property
    def weight_names(self) -> tuple[Mapping[str, str], ...]:
        """For every node, its layer's local weight names and their names in the network: ``W`` → ``W2``."""
        return self.plan.weight_names

    @property
    def parameters(self) -> Mapping[str, Shape]:
        """Shape of every weight by name (``W1``, ``b1``, …), in the order in which the nodes own them."""
        return self.plan.parameters

    @property
    def fan_in(self) -> Mapping[str, int]:
        """For every weight the number of terms in the sums that it enters, 0 for biases; for initial weights."""
        return self.plan.fan_in

    @property
    def weight_numbers(self) -> dict[str, np.ndarray]:
        """Arrays with the numbers 0, 1, … of the weights, in the order of `parameters`."""
        numbers, start = {}, 0
        for name, shape in self.parameters.items():
            size = math.prod(shape)
            numbers[name] = np.arange(start, start + size).reshape(shape)
            start += size
        return numbers

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
        """The space in which the functions of the network lie; see `polygeom.network.ambient.spans`."""
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
        return int(given("gauge")(self))

    @cached_property
    def expected_dimension(self) -> int:
        """``min(ambient_dimension, parameter_count - gauge)``, an upper bound for the dimension of the neurovariety."""
        free = self.parameter_count - self.gauge
        if self.activation_degrees is not None:
            n, top = self.input_dimension, self.degree
            if self.output_dimension * capped_monomials(n, top, free) >= free:
                return free
        try:
            return min(free, self.ambient_dimension)
        except PolygeomError:
            return free

    @cached_property
    def _chain(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        return perceptron(self.nodes)

    @property
    def widths(self) -> tuple[int, ...] | None:
        """``(d_0, …, d_L)`` of a multilayer perceptron with monomial activations, without biases; None for others."""
        return None if self._chain is None else self._chain[0]

    @property
    def activation_degrees(self) -> tuple[int, ...] | None:
        """``(r_1, …, r_{L-1})`` of a perceptron as in `widths`, 1 where no activation stands; None for others."""
        return None if self._chain is None else self._chain[1]

    @cached_property
    def unscaled(self) -> Network:
        """The same functions with the leading coefficient 1 in activations, as far as free weights absorb the factor.

        ``3 x ** 2`` before a dense layer is ``x ** 2`` with other weights: what is asked about the set of all functions
        (dimension, equations, identifiability) is answered for this network.

        Examples
        --------
        >>> from polygeom.network import parse
        >>> parse("[5,5,5,1] p=0,0,3").unscaled.text, parse("[3,2,3] p=0,3").unscaled.text
        ('[5,5,5,1] r=2', '[3,2,3] r=1')
        """
        nodes = unscaled(self.nodes)
        return self if nodes == self.nodes else Network(nodes)

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
        return notation.write(self.nodes)

    def to_json(self) -> str:
        """One line of JSON; `Network.from_json` and `polygeom.network.parse` read it back as an equal network."""
        return records.dump(self.nodes)

    @classmethod
    def from_json(cls, text: str) -> Network:
        """The network that `to_json` wrote; raises `FormatError` for any other text."""
        nodes = records.read(text)
        with notation.pointing_at(text):
            return cls(nodes)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Network({self.text!r})"

    def _repr_html_(self) -> str:
        """Its text and its numbers, for notebooks."""
        from html import escape

        facts = {"weights": self.parameter_count, "inputs": self.input_dimension, "outputs": self.output_dimension}
        facts["degree"] = self.degree
        rows = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td>{value}</td></tr>" for name, value in facts.items()
        )
        return f"<p><b>{escape(self.text)}</b></p><table>{rows}</table>"

    def _repr_latex_(self) -> str:
        """The formula of a perceptron, and the text of other networks, for notebooks."""
        if self.widths is None or self.activation_degrees is None:
            words = self.text.replace("{", r"\{").replace("}", r"\}").replace("_", r"\_").replace("^", r"\wedge ")
            return rf"$$\texttt{{{words}}}$$"
        value = "x"
        for number in range(1, len(self.widths)):
            value = f"W_{{{number}}} {value}"
            if number < len(self.widths) - 1:
                power = self.activation_degrees[number - 1]
                value = rf"\left({value}\right)^{{{power}}}"
        return rf"$$x \mapsto {value}$$"

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
    ) -> torch.nn.Module:
        """The network as a `polygeom.engines.torch_module.NetworkModule`; needs torch (extra ``learn``).

        Parameters as for `NetworkModule`; ``dtype`` is float64 if None.
        """
        try:
            make = given("to_torch")
        except ImportError as error:
            raise MissingPackageError("to_torch", "torch") from error
        module: torch.nn.Module = make(self, dtype=dtype, device=device, initialisation=initialisation, rng=rng)
        return module

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
        return self.plan.run(engine, weights, points)

"""Families of networks from the literature, each a function from a few integers to a `Network`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from operator import index
from typing import Any

from polygeom.errors import PolygeomError
from polygeom.network.graph import Network, Node
from polygeom.network.layers import Bias, Dense, Input, Layer, Polynomial, Power
from polygeom.network.limits import shown

Coefficients = Sequence[int | str | Fraction]
"""Coefficients of a polynomial activation, constant term first."""


def mlp(
    widths: Sequence[int],
    degrees: int | Sequence[int] | None = None,
    *,
    activation: Coefficients | Sequence[Coefficients] | None = None,
    bias: bool = False,
    tied: bool = False,
) -> Network:
    """A multilayer perceptron ``W_L σ_{L-1} W_{L-1} ⋯ σ_1 W_1``; the last layer is linear.

    Parameters
    ----------
    widths:
        ``(d_0, …, d_L)`` with ``L ≥ 1``; the weight matrix ``W_l`` is ``d_l × d_{l-1}``.
    degrees:
        Activation degrees ``r_l ≥ 1`` of ``σ_l(x) = x ** r_l``: one integer for all, or ``L - 1`` of them. Degree 1
        means no activation at all, so that ``mlp(widths, 1) == linear(widths)``. Not needed when ``L = 1``.
    activation:
        Instead of ``degrees``: the coefficients of a polynomial activation, constant term first, or ``L - 1`` such
        lists.
    bias:
        Whether every layer, the last one included, adds a learned vector ``b_l``.
    tied:
        Whether layers ``2, …, L-1`` of equal shape share one matrix, and one bias: a recurrent network.

    Raises
    ------
    PolygeomError
        When there are fewer than two widths, a number is not positive, or the number of activations is not ``L - 1``.

    References
    ----------
    Kileel, Trager, Bruna, arXiv 1905.12207; biases as in Usevich, Borsoi, Dérand, Clausel, arXiv 2506.17093, Section
    3.3.

    Examples
    --------
    >>> mlp((2, 3, 1), 2).parameter_count
    9
    >>> str(mlp((2, 3, 3, 1), (2, 3), bias=True))
    '[2,3,3,1] r=2,3 bias'
    >>> str(mlp((2, 3, 1), activation=(0, 1, "1/2")))
    '[2,3,1] p=0,1,1/2'
    """
    widths = _widths(widths)
    activations = _activations(len(widths) - 2, degrees, activation)
    nodes = [Node(Input((widths[0],)))]
    owners: dict[tuple[int, int], int] = {}
    for number, width in enumerate(widths[1:]):
        shape = (widths[number], width)
        hidden = tied and 0 < number < len(widths) - 2
        owner = owners.setdefault(shape, len(nodes)) if hidden else len(nodes)
        shared = owner != len(nodes)
        nodes.append(Node(Dense(width), (len(nodes) - 1,), owner if shared else None))
        if bias:
            nodes.append(Node(Bias(), (len(nodes) - 1,), owner + 1 if shared else None))
        if number < len(activations) and (layer := activations[number]) is not None:
            nodes.append(Node(layer, (len(nodes) - 1,)))
    return Network(tuple(nodes))


def linear(widths: Sequence[int]) -> Network:
    """A linear network ``W_L ⋯ W_1``: dense layers without activation, for which ``[2,3,1] r=1`` is the text.

    Its neurovariety is determinantal: the ``d_L × d_0`` matrices of rank at most the least width.

    Raises
    ------
    PolygeomError
        When there are fewer than two widths or one is not positive.

    Examples
    --------
    >>> linear((3, 2, 3)) == mlp((3, 2, 3), 1)
    True
    """
    return mlp(widths, 1)


def _widths(widths: Sequence[int]) -> tuple[int, ...]:
    try:
        exact = tuple(index(d) for d in widths)
    except TypeError:
        raise PolygeomError(f"widths must be a sequence of integers, got {shown(widths)}; write [2, 3, 1]") from None
    if len(exact) < 2:
        raise PolygeomError(f"widths must have at least 2 entries, got {shown(list(exact))}; write [3, 1]")
    for d in exact:
        if d < 1:
            raise PolygeomError(f"widths must be positive integers, got {shown(list(exact))}; write [2, 3, 1]")
    return exact


def _activations(
    hidden: int, degrees: int | Sequence[int] | None, activation: Coefficients | Sequence[Coefficients] | None
) -> list[Layer | None]:
    """The activation layer after each of ``hidden`` layers, None where the degree is 1."""
    if (degrees is None) == (activation is None) and (hidden or degrees is not None):
        raise PolygeomError(
            f"activation: {hidden} hidden layer(s) need either degrees or activation; "
            "write degrees=2, or activation=(0, 1, 1) for x + x^2"
        )
    if activation is not None:
        given: list[Any] = list(activation)
        lists = given if given and not isinstance(given[0], int | str | Fraction) else [given] * hidden
        _one_for_each("activation", len(lists), hidden)
        return [Polynomial(tuple(c)) for c in lists]
    if degrees is None:
        return []
    try:
        exact = tuple(index(r) for r in degrees) if not hasattr(degrees, "__index__") else (index(degrees),) * hidden
    except TypeError:
        raise PolygeomError(f"degrees must be integers, got {shown(degrees)}; write 2 or (2, 3)") from None
    _one_for_each("degrees", len(exact), hidden)
    return [None if r == 1 else Power(r) for r in exact]


def _one_for_each(name: str, got: int, hidden: int) -> None:
    if got != hidden:
        raise PolygeomError(
            f"{name}: {hidden} hidden layer(s) need {hidden} of them or one for all, got {got}; "
            f"write {hidden} entries, one for each layer but the last"
        )

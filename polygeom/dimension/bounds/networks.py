"""Upper bounds for networks of any kind: coefficients, parameters minus symmetries, and what the literature adds."""

from __future__ import annotations

from polygeom.dimension.bounds.perceptrons import Bound, upper_bound
from polygeom.errors import PolygeomError
from polygeom.network import Attention, Bias, Dense, Network, Power


def network_bound(network: Network, *, thorough: bool = True) -> Bound:
    """The smallest proved upper bound for the dimension of the neurovariety of ``network``.

    ``ambient``
        All coefficients of the outputs.
    ``symmetries``
        Parameters minus the dimension of the orbits of symmetries (`polygeom.symmetry.gauge`). For one-channel
        convolutions with monomial activation this is Σ k_i - (L - 1) and for one layer of lightning attention a (2d -
        a) + d d′ - 1, the dimensions proved in arXiv 2410.00722 and arXiv 2408.17221.
    ``one token``
        Lightning attention on one token ``x`` is ``(xᵀ A x) V x`` with ``rank A ≤ a``; only the symmetric part of
        ``A`` matters, a symmetric matrix of rank at most 2a.
    ``homogenised``
        A perceptron with biases is one without, on one more input and one more neuron in each hidden layer, restricted
        to weights that keep the constant 1 (arXiv 2506.17093, Section 3.3): its dimension is at most that of the
        larger one.

    >>> from polygeom.network import parse
    >>> network_bound(parse("[2,2,1] r=2 bias")).value
    6
    """
    return min(network_rules(network, thorough=thorough), key=lambda bound: bound.value)


def network_rules(network: Network, *, thorough: bool = True) -> list[Bound]:
    """Every bound of the rules in `network_bound` that applies."""
    rules = [
        _ambient(network),
        Bound(network.parameter_count - network.gauge, "symmetries", (), ()),
        _one_token(network),
        _homogenised(network, thorough),
    ]
    return [bound for bound in rules if bound is not None]


def _ambient(network: Network) -> Bound | None:
    try:
        return Bound(network.ambient_dimension, "ambient", (), ())
    except PolygeomError:  # so many coefficients bound nothing
        return None


def _one_token(network: Network) -> Bound | None:
    if (
        len(network.nodes) != 2
        or not isinstance(layer := network.nodes[1].layer, Attention)
        or network.input_shape[0] != 1
    ):
        return None
    d = network.input_shape[1]
    s = min(2 * layer.rank, d)
    return Bound(s * d - s * (s - 1) // 2 + d * layer.width - 1, "one token", (), ())


def _homogenised(network: Network, thorough: bool) -> Bound | None:
    widths: list[int] = [network.input_dimension + 1]
    degrees: list[int] = []
    biased = False
    for number, node in enumerate(network.nodes[1:], start=1):
        between = len(widths) == len(degrees) + 1
        if node.inputs != (number - 1,) or node.shares is not None:
            return None
        match node.layer:
            case Bias() if not between:
                biased = True
            case Dense(width, None) if between:
                widths.append(width + 1)
            case Power(degree) if not between:
                degrees.append(degree)
            case _:
                return None
    if not biased or len(widths) != len(degrees) + 2 or len(network.input_shape) != 1:
        return None
    widths[-1] -= 1
    part = upper_bound(tuple(widths), tuple(degrees), thorough=thorough)
    return Bound(part.value, "homogenised", (), (), 0, (part,))

"""Degrees and Euclidean distance degrees that are known: determinantal, Veronese, secant and convolutional cases.

Every function takes a network and the *proved* dimension of its neurovariety, and answers with a number and the theorem
it rests on, or None. A neurovariety is recognised by an inclusion and a dimension: an irreducible variety that contains
it and has its dimension is equal to it.
"""

from __future__ import annotations

import math

from polygeom._dataclass import dataclass
from polygeom.ideal.bundles.pencils import pencils_of
from polygeom.ideal.counting import formulas
from polygeom.network import Convolution, Input, Network, Power

UNIT, WEYL, LOSS, GENERIC = "unit", "bombieri-weyl", "loss", "generic"


@dataclass(frozen=True, slots=True)
class Known:
    """A number with the theorem that gives it."""

    value: int
    reason: str


def known_degree(network: Network, dimension: int) -> Known | None:
    """The degree of the neurovariety, where a theorem gives it.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> known_degree(parse("[5,3,1] r=2"), 12)
    Known(value=20, reason='symmetric 5 x 5 matrices of rank at most 3 (Harris, Tu)')
    >>> known_degree(parse("[4,2,1] r=3"), 8).value
    175
    """
    if dimension == network.ambient_dimension:
        return Known(1, "the network is filling: the neurovariety is the whole space")
    if (size := _determinantal(network, dimension)) is not None:
        rows, columns, rank = size
        value = formulas.determinantal_degree(rows, columns, rank)
        return Known(value, f"{rows} x {columns} matrices of rank at most {rank} (Giambelli)")
    if (symmetric := _symmetric(network)) is not None:
        n, rank = symmetric
        value = formulas.symmetric_degree(n, rank)
        return Known(value, f"symmetric {n} x {n} matrices of rank at most {rank} (Harris, Tu)")
    if (rational := _rational_normal(network)) is not None:
        r, s = rational
        return Known(math.comb(r - s + 1, s), f"secants through {s} points of the rational normal curve of degree {r}")
    if (smooth := _segre_veronese(network, dimension)) is not None:
        dimensions, degrees, name = smooth
        return Known(formulas.segre_veronese_degree(dimensions, degrees), name)
    if (secants := _secants(network, dimension)) is not None:
        dimensions, degrees, name = secants
        return Known(formulas.secant_degree(dimensions, degrees), f"secant lines of the {name} (double point formula)")
    return None


def degree_bound(network: Network, dimension: int) -> Known | None:
    """An upper bound for the degree that is a multiple of it, where a theorem gives one.

    Whatever follows two hidden neurons with binary inputs, the outputs are forms in two powers; where they are all such
    forms, by their dimension, the neurovariety is the image of a bundle.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> degree_bound(parse("[2,2,2,1] r=3"), 6)
    Known(value=70, reason='Segre class of forms of degree 3 in two powers of degree 3, a bundle over P^2')
    """
    bundle = pencils_of(network, dimension)
    if bundle is None:
        return None
    first, rest, outputs = bundle.first, bundle.rest, bundle.outputs
    value = formulas.pencil_degree(first, rest, outputs)
    return Known(value, f"Segre class of forms of degree {rest} in two powers of degree {first}, a bundle over P^2")


def known_distance_degree(network: Network, dimension: int, form: str) -> Known | None:
    """The number of critical points of the distance to a generic function, where a theorem gives it.

    Parameters
    ----------
    network, dimension:
        As above.
    form:
        ``"generic"``, ``"unit"``, ``"bombieri-weyl"`` or ``"loss"``: a form ``I ⊗ M``.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> known_distance_degree(parse("[2,2,3] r=2"), 8, "loss")
    Known(value=3, reason='3 x 3 matrices of rank at most 2 under a form I x M (Eckart, Young)')
    >>> known_distance_degree(parse("[4,2,1] r=2"), 7, "generic").value
    122
    >>> known_distance_degree(parse("[3,3,3] r=2"), 15, "generic").value
    30529
    """
    if dimension == network.ambient_dimension:
        return Known(1, "the network is filling: the only critical point is the target")
    if form == GENERIC:
        return _known_generic(network, dimension)
    if (size := _determinantal(network, dimension)) is not None:
        rows, columns, rank = size
        value = math.comb(min(rows, columns), rank)
        return Known(value, f"{rows} x {columns} matrices of rank at most {rank} under a form I x M (Eckart, Young)")
    if form == WEYL and (symmetric := _symmetric(network)) is not None:
        n, rank = symmetric
        reason = f"symmetric {n} x {n} matrices of rank at most {rank} under the Frobenius norm (Eckart, Young)"
        return Known(math.comb(n, rank), reason)
    smooth = _segre_veronese(network, dimension)
    if form == WEYL and smooth is not None and network.output_dimension == 1 and len(smooth[0]) == 1:
        (size_,), (degree,) = smooth[:2]
        value = sum((degree - 1) ** i for i in range(size_ + 1))
        return Known(value, f"eigenvectors of a symmetric tensor of order {degree} (Cartwright, Sturmfels)")
    return None


def _known_generic(network: Network, dimension: int) -> Known | None:
    if (size := _determinantal(network, dimension)) is not None and math.comb(size[0] + size[1], size[2]) < MOST_POINTS:
        rows, columns, rank = size
        value = formulas.matrix_distance_degree(rows, columns, rank)
        return Known(value, f"polar classes of {rows} x {columns} matrices of rank at most {rank}, by localisation")
    if (symmetric := _symmetric(network)) is not None and math.comb(*symmetric) < MOST_POINTS:
        n, rank = symmetric
        value = formulas.symmetric_distance_degree(n, rank)
        reason = f"symmetric {n} x {n} matrices of rank at most {rank} (von Bothmer, Ranestad)"
        return Known(value, reason)
    if (smooth := _segre_veronese(network, dimension)) is not None:
        dimensions, degrees, name = smooth
        value = formulas.segre_veronese_distance_degree(dimensions, degrees)
        source = "Draisma, Horobet, Ottaviani, Sturmfels, Thomas"
        return Known(value, f"Chern classes of the {name} ({source})")
    if (outputs := _nets(network, dimension)) is not None:
        reason = "polar degrees on the smooth variety of nets of conics through three points, by localisation"
        return Known(sum(formulas.net_polar_degrees(outputs)), reason)
    return None


MOST_POINTS = 3000
"""Largest number of subsets that a formula sums over."""
_MOST_OUTPUTS = 100


def known_learning_degree(network: Network, dimension: int, samples: int) -> Known | None:
    """An upper bound for the learning degree of a power of one linear form at so many inputs, attained by generic ones.

    In the weights ``l`` the loss of ``Σ_s ((l·x_s)^d - y_s)²`` has a gradient whose part of highest degree, ``2d - 1``,
    is that of ``q(l) = Σ_s (l·x_s)^{2d}``, and whose part of lowest degree, ``d - 1``, is that of ``Σ_s y_s
    (l·x_s)^d``. Where the hypersurface ``q = 0`` is smooth there are no solutions at infinity, hence at most ``(2d -
    1)^n`` (Bézout); 0 takes at least ``(d - 1)^n`` of them, and ``d`` of the others give the same function. For inputs
    that contain a basis, ``q`` is smooth in general: it is for a basis alone.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> known_learning_degree(parse("[10,1,1] r=2"), 10, 60).value
    29524
    """
    smooth = _segre_veronese(network, dimension)
    n = network.input_dimension
    if smooth is None or len(smooth[0]) != 1 or network.output_dimension != 1 or samples < n or smooth[0] != [n - 1]:
        return None
    (degree,) = smooth[1]
    value = ((2 * degree - 1) ** n - (degree - 1) ** n) // degree
    return Known(value, f"powers of degree {degree} of one linear form at inputs with a smooth sum of powers (Bézout)")


def _determinantal(network: Network, dimension: int) -> tuple[int, int, int] | None:
    """Rows, columns and rank, when the neurovariety is a determinantal one: outputs by monomials, through a bottleneck.

    The outputs of a perceptron are linear combinations of the last ``d_{L-1}`` features, and in a linear network those
    of every layer: the matrix of coefficients has at most that rank. Such matrices form an irreducible variety.
    """
    if network.widths is None or network.activation_degrees is None:
        return None
    linear = all(r == 1 for r in network.activation_degrees)
    rank = min(network.widths) if linear else network.widths[-2]
    rows = network.output_dimension
    columns = network.ambient_dimension // rows
    if rank >= min(rows, columns) or dimension != rank * (rows + columns - rank):
        return None
    return rows, columns, rank


def _symmetric(network: Network) -> tuple[int, int] | None:
    """Size and rank, when the network is a sum of squares of linear forms."""
    if network.widths is None or len(network.widths) != 3 or network.activation_degrees != (2,):
        return None
    n, rank, outputs = network.widths
    return (n, rank) if outputs == 1 and rank < n else None


def _rational_normal(network: Network) -> tuple[int, int] | None:
    """Degree ``r`` and number ``s`` of powers, for sums of powers of binary linear forms that do not fill the space."""
    if network.widths is None or len(network.widths) != 3 or network.activation_degrees is None:
        return None
    n, s, outputs = network.widths
    (r,) = network.activation_degrees
    return (r, s) if (n, outputs) == (2, 1) and 2 * s < r + 1 else None


def _segre_veronese(network: Network, dimension: int) -> tuple[list[int], list[int], str] | None:
    """Dimensions and degrees, when the neurovariety is a Segre–Veronese variety, with its name.

    Through a first hidden layer of width one goes the power of one linear form; all later layers only multiply its
    powers by constants. In a convolutional network with one channel and monomials the kernels are the factors of a
    morphism of projective spaces, which is finite and generically one to one.
    """
    if network.widths is not None and network.activation_degrees is not None:
        if len(network.widths) < 3 or network.widths[1] != 1:
            return None
        n, m, degree = network.input_dimension, network.output_dimension, network.degree
        if dimension != n + m - 1:
            return None
        if m == 1:
            return [n - 1], [degree], f"Veronese variety of P^{n - 1}, O({degree})"
        return [m - 1, n - 1], [1, degree], f"Segre-Veronese variety of P^{m - 1} x P^{n - 1}, O(1,{degree})"
    return _convolutional(network, dimension)


def _secants(network: Network, dimension: int) -> tuple[list[int], list[int], str] | None:
    """The variety whose secant lines make up the neurovariety: two hidden neurons in one layer.

    A general point is on one secant line, because a tensor of order three or more and rank two with independent factors
    is a sum of two decomposable ones in one way (Kruskal).
    """
    if network.widths is None or len(network.widths) != 3 or network.activation_degrees is None:
        return None
    n, s, m = network.widths
    (r,) = network.activation_degrees
    if s != 2 or n < 2 or r + (m > 1) < 3 or dimension != 2 * (n + m - 1):
        return None
    if m == 1:
        return [n - 1], [r], f"Veronese variety of P^{n - 1}, O({r})"
    return [m - 1, n - 1], [1, r], f"Segre-Veronese variety of P^{m - 1} x P^{n - 1}, O(1,{r})"


def _nets(network: Network, dimension: int) -> int | None:
    """The number of outputs, when the functions are combinations of the squares of three ternary linear forms."""
    if network.widths is None or network.widths[:-1] != (3, 3) or network.activation_degrees != (2,):
        return None
    outputs = network.output_dimension
    return outputs if 3 <= outputs <= _MOST_OUTPUTS and dimension == 3 * (outputs + 2) else None


def _convolutional(network: Network, dimension: int) -> tuple[list[int], list[int], str] | None:
    """One channel, monomials between the layers: a morphism of projective spaces, generically one to one."""
    layers = [node.layer for node in network.nodes]
    chain = all(node.inputs == (k,) and node.shares is None for k, node in enumerate(network.nodes[1:]))
    kinds = [Input, *[Convolution, Power] * (len(layers) // 2)][: len(layers)]
    if len(network.input_shape) != 1 or not chain or [type(layer) for layer in layers] != kinds or len(layers) % 2:
        return None
    sizes = [layer.size - 1 for layer in layers if isinstance(layer, Convolution) and layer.channels == 1]
    powers = [layer.degree for layer in layers if isinstance(layer, Power)]
    if len(sizes) != len(powers) + 1 or min(powers, default=2) < 2 or dimension != sum(sizes) + 1:
        return None
    degrees = [math.prod(powers[k:]) for k in range(len(sizes))]
    used = [(size, degree) for size, degree in zip(sizes, degrees, strict=True) if size]
    name = "convolutional network with monomial activations (Shahverdi, Marchetti, Kohn)"
    return [size for size, _ in used], [degree for _, degree in used], name

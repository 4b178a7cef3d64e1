"""Families of networks from the literature, each a function from a few integers to nodes.

`polygeom.network` has the same functions with a `Network` as their value; texts read and write families by these.
"""

from __future__ import annotations

from collections.abc import Sequence

from polygeom.errors import PolygeomError
from polygeom.network.arguments import (
    Coefficients,
    activation_layers,
    exact_count,
    exact_counts,
    exact_flag,
    exact_widths,
)
from polygeom.network.layers import (
    Attention,
    Bias,
    Convolution,
    Dense,
    Input,
    Product,
    Scale,
    Sum,
)
from polygeom.network.limits import MOST_SYMBOLS
from polygeom.network.nodes import Node, Nodes, Wiring


def mlp(
    widths: Sequence[int],
    degrees: int | Sequence[int] | None = None,
    *,
    activation: Coefficients | Sequence[Coefficients] | None = None,
    bias: bool = False,
    tied: bool = False,
) -> Nodes:
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
    widths = exact_widths(widths)
    activations = activation_layers(len(widths) - 2, degrees, activation)
    bias, tied = exact_flag("bias", bias), exact_flag("tied", tied)
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
    return tuple(nodes)


def linear(widths: Sequence[int]) -> Nodes:
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


def ccp(
    inputs: int,
    rank: int,
    degree: int,
    outputs: int = 1,
    *,
    bias: bool | str = False,
    skip: bool = True,
) -> Nodes:
    """A Π-net with coupled CP decomposition: ``x_1 = U_1 z``, ``x_n = (U_n z) * x_{n-1} + x_{n-1}``, ``y = C x_N``.

    Parameters
    ----------
    inputs, outputs:
        Numbers of features of ``z`` and ``y``.
    rank:
        Number ``k`` of hidden features: the matrices ``U_n`` are ``k × inputs``, ``C`` is ``outputs × k``.
    degree:
        Number ``N ≥ 1`` of the matrices ``U_n``, the degree of ``y``.
    bias:
        True adds a learned vector to every ``U_n z`` and to ``y``; ``"output"`` to ``y`` only, as in the source.
    skip:
        False leaves out the skip connections ``+ x_{n-1}``; ``y`` is then homogeneous.

    Raises
    ------
    PolygeomError
        When a number is not a positive integer or ``degree`` is beyond a few thousand.

    References
    ----------
    Chrysos et al., arXiv 2003.03828 and 2006.13026 (model CCP); with biases, Wu et al., arXiv 2209.07736.

    Examples
    --------
    >>> network = ccp(3, rank=4, degree=3, outputs=2)
    >>> network.parameter_count, network.degrees
    (44, ((1, 3),))
    """
    inputs, rank, outputs = exact_count("inputs", inputs), exact_count("rank", rank), exact_count("outputs", outputs)
    degree = exact_count("degree", degree, MOST_SYMBOLS // 6)
    if bias != "output":
        bias = exact_flag("bias", bias)
    skip = exact_flag("skip", skip)
    b = Wiring(inputs)

    def affine(width: int, source: int, biased: bool) -> int:
        y = b.add(Dense(width), source)
        return b.add(Bias(), y) if biased else y

    x = affine(rank, b.input, bias is True)
    for _ in range(1, degree):
        product = b.add(Product(), x, affine(rank, b.input, bias is True))
        x = b.add(Sum(), product, x) if skip else product
    return b.nodes(affine(outputs, x, bool(bias)))


def ncp(inputs: int, rank: int, degree: int, outputs: int = 1, *, bias: bool = True) -> Nodes:
    """A Π-net with nested coupled CP decomposition.

    ``x_1 = (A_1 z) * b_1``, ``x_n = (A_n z) * (S_n x_{n-1} + b_n)`` for ``n = 2, …, N``, and ``y = C x_N + β``.

    Parameters
    ----------
    inputs, outputs:
        Numbers of features of ``z`` and ``y``.
    rank:
        Number ``k`` of hidden features: ``A_n`` is ``k × inputs``, ``S_n`` is ``k × k``, ``C`` is ``outputs × k``.
    degree:
        Number ``N ≥ 1`` of factors ``A_n z``, the degree of ``y``.
    bias:
        Whether ``β`` is there.

    Raises
    ------
    PolygeomError
        When a number is not a positive integer or ``degree`` is beyond a few thousand.

    References
    ----------
    Chrysos et al., arXiv 2003.03828 and 2006.13026 (model NCP).

    Examples
    --------
    >>> ncp(3, rank=2, degree=2).parameter_count  # A_1, b_1, A_2, S_2, b_2, C, β
    23
    """
    inputs, rank, outputs = exact_count("inputs", inputs), exact_count("rank", rank), exact_count("outputs", outputs)
    b = Wiring(inputs)
    x = b.add(Scale(), b.add(Dense(rank), b.input))
    for _ in range(1, exact_count("degree", degree, MOST_SYMBOLS // 9)):
        nested = b.add(Bias(), b.add(Dense(rank), x))
        x = b.add(Product(), nested, b.add(Dense(rank), b.input))
    y = b.add(Dense(outputs), x)
    return b.nodes(b.add(Bias(), y) if exact_flag("bias", bias) else y)


def product_network(inputs: int, rank: int, degree: int, outputs: int = 1, *, skip: bool = False) -> Nodes:
    """A product of linear maps: ``y = C ((U_1 z) * ⋯ * (U_N z))``; with ``skip`` the same as `ccp` without biases.

    Parameters are those of `ccp`. For one output the functions are the forms of degree ``N`` that are sums of ``rank``
    products of linear forms.

    Raises
    ------
    PolygeomError
        When a number is not a positive integer or ``degree`` is beyond a few thousand.

    References
    ----------
    Wu et al., arXiv 2209.07736.

    Examples
    --------
    >>> str(product_network(3, rank=4, degree=2))
    'product_network(3,rank=4,degree=2)'
    """
    if exact_flag("skip", skip):
        return ccp(inputs, rank, degree, outputs)
    inputs, rank, outputs = exact_count("inputs", inputs), exact_count("rank", rank), exact_count("outputs", outputs)
    b = Wiring(inputs)
    factors = [b.add(Dense(rank), b.input) for _ in range(exact_count("degree", degree, MOST_SYMBOLS // 6))]
    product = factors[0] if len(factors) == 1 else b.add(Product(), *factors)
    return b.nodes(b.add(Dense(outputs), product))


def convolutional(
    length: int,
    kernels: Sequence[int],
    degrees: int | Sequence[int] | None = None,
    *,
    strides: int | Sequence[int] = 1,
    activation: Coefficients | Sequence[Coefficients] | None = None,
) -> Nodes:
    """A 1-D convolutional network with one channel and no padding, its last layer linear.

    Layer ``l`` is ``y[m] = Σ_i w_l[i] x[s_l m + i]`` for ``0 ≤ i < k_l``, followed by an activation for ``l < L``.

    Parameters
    ----------
    length:
        Number of positions of the input.
    kernels:
        Filter sizes ``(k_1, …, k_L)``.
    degrees, activation:
        As for `mlp`; one of them is needed when ``L > 1``.
    strides:
        Strides ``(s_1, …, s_L)``, or one for all.

    Raises
    ------
    PolygeomError
        When the input is too short for the filters, or a list has the wrong length.

    References
    ----------
    Shahverdi, Marchetti, Kohn, arXiv 2410.00722 (monomial activations) and 2505.11846 (polynomial ones).

    Examples
    --------
    >>> str(convolutional(5, (3, 2), 2))
    'convolutional(5,kernels=[3,2],degrees=2)'
    """
    length, sizes = exact_count("length", length), exact_counts("kernels", kernels)
    activations = activation_layers(len(sizes) - 1, degrees, activation)
    if not sizes:
        raise PolygeomError("kernels must have at least one entry, got []; write kernels=[3,2]")
    several = isinstance(strides, list | tuple)
    steps = exact_counts("strides", strides) if several else (exact_count("strides", strides),) * len(sizes)
    if len(steps) != len(sizes):
        raise PolygeomError(
            f"strides: {len(sizes)} kernel(s) need as many strides or one for all, got {len(steps)}; "
            "write kernels=[3,2], strides=[1,2]"
        )
    b = Wiring(length)
    x = b.input
    for number, (size, step) in enumerate(zip(sizes, steps, strict=True)):
        x = b.add(Convolution(size, step), x)
        if number < len(activations) and (layer := activations[number]) is not None:
            x = b.add(layer, x)
    return b.nodes(x)


def lightning_attention(tokens: int, features: int, rank: int, outputs: int, *, layers: int = 1) -> Nodes:
    """Unnormalised self-attention, ``X ↦ V X Xᵀ Kᵀ Q X`` in each layer.

    Parameters
    ----------
    tokens, features:
        Shape of the input, ``tokens`` vectors of ``features`` entries.
    rank:
        ``Q`` and ``K`` are ``rank × features``.
    outputs:
        Number of features after the last layer; between layers there are ``features``.
    layers:
        Number of layers; ``L`` of them give degree ``3 ** L``.

    Raises
    ------
    PolygeomError
        When a number is not a positive integer.

    References
    ----------
    Henry, Marchetti, Kohn, arXiv 2408.17221.

    Examples
    --------
    >>> network = lightning_attention(tokens=2, features=3, rank=2, outputs=3)
    >>> network.parameter_count - network.gauge  # rank (2 features - rank) + features outputs - 1
    16
    """
    shape = (exact_count("tokens", tokens), exact_count("features", features))
    rank, outputs = exact_count("rank", rank), exact_count("outputs", outputs)
    layers = exact_count("layers", layers, MOST_SYMBOLS // 3)
    b = Wiring(shape)
    x = b.input
    for number in range(layers):
        x = b.add(Attention(rank, outputs if number == layers - 1 else shape[1]), x)
    return b.nodes(x)

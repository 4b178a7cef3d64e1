"""Networks with Hadamard products as torch modules: those the algebra describes, and their relatives with activations.

With identity activation `hadamard_network` is a family of `polygeom.network` turned into a module, so everything that
is known about it (dimension, equations, coefficients) is about the module too. With a real activation the function is
not a polynomial, and asking such a module for its ``network`` says so.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from polygeom.checks import choice
from polygeom.engines.torch_module import NetworkModule
from polygeom.errors import PolygeomError
from polygeom.learning.networks.initialisation import initialise
from polygeom.network import ccp, ncp, product_network

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
    "tanh": torch.tanh,
    "sin": torch.sin,
    "sigmoid": torch.sigmoid,
}
KINDS = ("ccp", "product", "ncp")


class NotPolynomial(nn.Module):
    """A module that no `polygeom.network.Network` describes; ``why`` says what is not polynomial, or not described."""

    why = "has an activation that is not a polynomial"

    @property
    def network(self) -> Any:
        """There is none.

        Raises
        ------
        PolygeomError
            Always, with the reason.
        """
        raise PolygeomError(f"{type(self).__name__} {self.why}, so no network of polygeom describes it")

    def __getattr__(self, name: str) -> Any:
        if name == "network":  # torch looks here when the property has raised
            return type(self).network.fget(self)  # type: ignore[attr-defined]
        return super().__getattr__(name)


def hadamard_network(
    kind: str,
    inputs: int,
    width: int,
    degree: int,
    outputs: int = 1,
    *,
    activation: str = "identity",
    bias: bool = True,
    initialisation: str = "uniform",
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
    rng: int = 0,
) -> nn.Module:
    r"""A Π-net: with identity activation a `Network` as a module, otherwise `ActivatedHadamardNetwork`.

    Parameters
    ----------
    kind:
        With ``s`` the activation and ``*`` the product of entries, for ``n = 2, …, N``:
        ``"ccp"``: ``h_1 = s(W_1 x + b_1)``, ``h_n = s(W_n x + b_n) * h_{n-1} + h_{n-1}``;
        ``"product"``: the same without ``+ h_{n-1}`` and without biases;
        ``"ncp"``: ``h_1 = s(A_1 x) * b_1``, ``h_n = s(A_n x) * (S_n h_{n-1} + b_n)``; always ``y = C h_N (+ c)``.
    inputs, width, outputs:
        Numbers of features; ``width`` is that of all ``h_n``.
    degree:
        ``N``.
    activation:
        One of `ACTIVATIONS`.
    bias:
        Whether the affine maps have biases; for ``"ncp"`` that of the output alone.
    initialisation, rng:
        See `initialise`; ``"standard"`` also multiplies the output by ``sqrt(2 / width)``. ``"unit"`` is for identity
        activation alone.
    dtype, device:
        Of the parameters.

    Raises
    ------
    PolygeomError
        For unknown names.

    References
    ----------
    Chrysos et al., arXiv 2003.03828; Wu et al., arXiv 2209.07736.

    Examples
    --------
    >>> hadamard_network("ccp", 2, 3, degree=4).network.degree
    4
    >>> hadamard_network("product", 2, 3, degree=2, activation="relu").network
    Traceback (most recent call last):
    polygeom.errors.PolygeomError: ActivatedHadamardNetwork has an activation that is not a polynomial, ...
    """
    choice("kind", kind, KINDS, "ccp")
    _known_activation(activation)
    if activation == "identity" and initialisation != "standard":
        if kind == "product":
            network = product_network(inputs, width, degree, outputs)
        else:
            network = (ccp if kind == "ccp" else ncp)(inputs, width, degree, outputs, bias=bias)
        module = NetworkModule(network, dtype=dtype, device=device, rng=rng)
        return module if initialisation == "unit" else initialise(module, initialisation, rng)
    made = ActivatedHadamardNetwork(kind, inputs, width, degree, outputs, activation=activation, bias=bias)
    if initialisation == "standard":
        made.scale = math.sqrt(2 / width)
    return initialise(made.to(dtype), initialisation, rng).to(device)


def _known_activation(name: str) -> Callable[[Tensor], Tensor]:
    choice("activation", name, ACTIVATIONS, "relu")
    return ACTIVATIONS[name]


class ActivatedHadamardNetwork(NotPolynomial):
    """The Π-nets of `hadamard_network` with an activation after every affine map of the input."""

    def __init__(
        self, kind: str, inputs: int, width: int, degree: int, outputs: int = 1, *, activation: str, bias: bool
    ) -> None:
        super().__init__()
        if activation == "identity":
            self.why = "multiplies its output by a fixed factor"
        self.kind, self.scale, self.activation = kind, 1.0, _known_activation(activation)
        own = bias and kind == "ccp"
        self.factors = nn.ModuleList([nn.Linear(inputs, width, bias=own) for _ in range(degree)])
        self.nested = nn.ModuleList([nn.Linear(width, width) for _ in range(degree - 1 if kind == "ncp" else 0)])
        self.first = nn.Parameter(torch.ones(width)) if kind == "ncp" else None
        self.fan_in = {"first": 1}
        self.last = nn.Linear(width, outputs, bias=bias and kind != "product")

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(N, outputs)`` at points ``(N, inputs)``."""
        h = self.activation(self.factors[0](x))
        if self.first is not None:
            h = h * self.first
        for number, factor in enumerate(self.factors[1:]):
            if self.kind == "ncp":
                h = self.activation(factor(x)) * self.nested[number](h)
            else:
                product = self.activation(factor(x)) * h
                h = product + h if self.kind == "ccp" else product
        value: Tensor = self.scale * self.last(h)
        return value


class PooledHadamardNetwork(NotPolynomial):
    """A nested Π-net whose skips carry a pooled input: ``h_n = s(W_n h_{n-1}) * pool(x) + h_{n-1}``.

    Parameters
    ----------
    inputs, width, degree, outputs:
        ``pool`` averages neighbouring inputs to ``width`` numbers; the degree is that of the polynomial if ``s`` is the
        identity.
    activation:
        ``s``, one of `ACTIVATIONS`.
    inner_bias, last_bias:
        Biases of the hidden maps, and of the output.
    batch_norm:
        Normalise before each activation.

    References
    ----------
    Chrysos et al., arXiv 2003.03828; Wu et al., arXiv 2209.07736 (arithmetic on pairs of digits).
    """

    why = "averages its input, a fixed linear map"

    def __init__(
        self,
        inputs: int,
        width: int,
        degree: int,
        outputs: int = 1,
        *,
        activation: str = "identity",
        inner_bias: bool = True,
        last_bias: bool = True,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.activation = _known_activation(activation)
        self.pool = nn.AdaptiveAvgPool1d(width)
        self.maps = nn.ModuleList(
            [nn.Linear(inputs if n == 0 else width, width, bias=inner_bias) for n in range(degree)]
        )
        self.norms = nn.ModuleList([nn.BatchNorm1d(width) if batch_norm else nn.Identity() for _ in range(degree)])
        self.last = nn.Linear(width, outputs, bias=last_bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(N, outputs)`` at points ``(N, inputs)``."""
        pooled = self.pool(x[:, None])[:, 0]
        h = self.activation(self.norms[0](self.maps[0](x)))
        for linear, norm in zip(self.maps[1:], self.norms[1:], strict=True):
            h = self.activation(norm(linear(h))) * pooled + h
        value: Tensor = self.last(h)
        return value


class Perceptron(NotPolynomial):
    """The baseline: affine maps with an activation between them.

    Parameters
    ----------
    inputs, width, layers, outputs:
        ``layers`` affine maps in all.
    activation:
        One of `ACTIVATIONS`.
    bias, batch_norm:
        As for `PooledHadamardNetwork`.
    hidden_scale:
        Factor of every hidden layer, such as ``width ** -0.5`` for weights of variance one.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        layers: int,
        outputs: int = 1,
        *,
        activation: str = "relu",
        bias: bool = True,
        batch_norm: bool = False,
        hidden_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if layers < 2:
            raise PolygeomError(f"layers must be at least 2, got {layers}; write layers=2 for one hidden layer")
        self.activation, self.hidden_scale = _known_activation(activation), hidden_scale
        widths = [inputs] + [width] * (layers - 1)
        self.maps = nn.ModuleList([nn.Linear(a, b, bias=bias) for a, b in itertools.pairwise(widths)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(width) if batch_norm else nn.Identity() for _ in self.maps])
        self.last = nn.Linear(width, outputs, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(N, outputs)`` at points ``(N, inputs)``."""
        for linear, norm in zip(self.maps, self.norms, strict=True):
            x = self.activation(norm(linear(x))) * self.hidden_scale
        value: Tensor = self.last(x)
        return value

"""Activations as modules, and which of them cut the space of inputs into regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from polygeom.errors import PolygeomError

NAMED: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": nn.functional.softplus,
    "x+x^2": lambda x: x + x * x / 2,
}
"""Activations that `Elementwise` knows by name, next to all powers ``x^r``."""


class Sine(nn.Module):
    """``x ↦ sin(ω x)``, the activation of SIREN (arXiv 2006.09661).

    Parameters
    ----------
    frequency:
        ``ω``.

    Examples
    --------
    >>> import torch
    >>> Sine(30.0)(torch.zeros(2))
    tensor([0., 0.])
    """

    def __init__(self, frequency: float = 1.0) -> None:
        super().__init__()
        self.frequency = frequency

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.frequency * x)

    def extra_repr(self) -> str:
        """The frequency, for torch's printing of modules."""
        return f"frequency={self.frequency:g}"


class Elementwise(nn.Module):
    """An activation by name: relu, gelu, sigmoid, tanh, softplus, ``x+x^2`` (which is ``x + x²/2``), or ``x^r``.

    Raises
    ------
    PolygeomError
        For other names.

    Examples
    --------
    >>> Elementwise("x^3")(torch.tensor([2.0]))
    tensor([8.])
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        if name not in NAMED and not (name.startswith("x^") and name[2:].isdecimal()):
            raise PolygeomError(f"activation must be one of {', '.join(NAMED)} or x^r, got {name!r}; write relu")
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        """The value, elementwise."""
        return NAMED[self.name](x) if self.name in NAMED else x ** int(self.name[2:])

    def extra_repr(self) -> str:
        """The name, for torch's printing of modules."""
        return self.name


KINKED = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.RReLU)
"""Piecewise linear activations with their only kink at zero: the sign of what they read names the linear piece."""

SMOOTH = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardswish,
    nn.LogSigmoid,
    nn.Mish,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Softsign,
    nn.Tanh,
    nn.Tanhshrink,
    Sine,
)
"""Other activations: the sign of what they read is a sign and nothing more."""

"""Activations as modules, and which of them cut the space of inputs into regions."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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

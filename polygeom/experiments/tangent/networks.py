"""Networks by name, for the studies of tangent kernels."""

from __future__ import annotations

import itertools
import math
import re

from torch import nn

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.experiments.own import is_own, own_module
from polygeom.learning.networks.activations import Elementwise
from polygeom.learning.networks.initialisation import initialise
from polygeom.learning.networks.residual import ResidualNetwork
from polygeom.network import ccp, mlp, ncp

_PI_NETS = {"ccp": ccp, "ncp": ncp}
OWN = "own"
"""The family of networks of the user's own."""
_RESIDUAL = re.compile(r"(pre)?resnet(\d+)")


@dataclass(frozen=True)
class Model:
    """A network by name, and its learning rate where it has its own.

    - ``relu:100-100``: a perceptron with these hidden widths, of any activation of
      `polygeom.learning.networks.activations.Elementwise`;
    - ``lenet:gelu``: two convolutions and three dense layers;
    - ``resnet18:relu:8``: a `polygeom.learning.networks.residual.ResidualNetwork` of this depth, with this activation
      (relu if left out) and width (64 if left out); ``preresnet18:x+x^2:8`` with pre-activation;
    - ``ccp3:32``, ``ncp3:32``: a Π-net of this degree and rank;
    - ``mlp2:60``: the homogeneous polynomial perceptron, without biases;
    - ``package.module:factory`` and texts of networks: see `polygeom.experiments.own`;
    - with ``@0.01`` appended, that learning rate.
    """

    name: str
    family: str
    detail: str
    rate: float | None

    @classmethod
    def parse(cls, text: str) -> Model:
        """Read a name.

        Raises
        ------
        PolygeomError
            When it is none of the above.
        """
        name, _, rate = text.partition("@")
        family, _, detail = name.partition(":")
        if is_own(name) and family not in ("lenet",) and not _RESIDUAL.fullmatch(family):
            family, detail = OWN, ""
        try:
            return cls(name, family, detail, float(rate) if rate else None)
        except ValueError:
            raise PolygeomError(f"models must look like relu:100-100 or x^2:100@0.01, got {text!r}") from None

    def build(self, shape: tuple[int, ...], seed: int) -> nn.Module:
        """The network for points of a shape, one output, float64, in evaluation mode.

        Normal weights of variance 1/fan-in (cut off at two deviations, but for polynomial networks), biases zero.
        """
        if self.family == OWN:
            return own_module(self.name, shape, 1, seed).double().eval()
        if residual := _RESIDUAL.fullmatch(self.family):
            return self._residual(int(residual[2]), bool(residual[1]), shape, seed).double().eval()
        size = math.prod(shape)
        if self.family == "lenet" and len(shape) < 2:
            raise PolygeomError(f"models: lenet reads images, the data has shape {shape}; write relu:100-100")
        if self.family == "lenet":
            return initialise(_lenet(shape, self.detail or "gelu").double(), "truncated", seed).eval()
        if not all(part.isdecimal() for part in self.detail.split("-")):
            raise PolygeomError(
                f"models must look like relu:100-100, lenet:gelu, resnet18:relu:8 or ccp3:32, got {self.name!r}"
            )
        widths = [size, *map(int, self.detail.split("-")), 1]
        if self.family[:3] in ("ccp", "ncp", "mlp") and self.family[3:].isdecimal():
            kind, degree = self.family[:3], int(self.family[3:])
            network = mlp(widths, degree) if kind == "mlp" else _PI_NETS[kind](size, widths[1], degree, bias=True)
            return nn.Sequential(nn.Flatten(), network.to_torch(rng=seed)).eval()
        layers: list[nn.Module] = [nn.Flatten()]
        for n, m in itertools.pairwise(widths):
            layers += [nn.Linear(n, m), Elementwise(self.family)]
        return initialise(nn.Sequential(*layers[:-1]).double(), "truncated", seed).eval()

    def _residual(self, depth: int, preactivation: bool, shape: tuple[int, ...], seed: int) -> nn.Module:
        activation, _, width = self.detail.partition(":")
        if width and not width.isdecimal():
            raise PolygeomError(f"width must be a number, got {self.name!r}; write resnet18:relu:8")
        return ResidualNetwork(
            depth, activation=activation or "relu", width=int(width or 64), input_shape=shape,
            preactivation=preactivation, rng=seed,
        )  # fmt: skip


def _lenet(shape: tuple[int, ...], activation: str) -> nn.Module:
    """Two convolutions with average pooling and three dense layers, as in arXiv 2106.06770."""
    channels, height, width = (1, *shape)[-3:]
    flat = 16 * (height // 4) * (width // 4)
    return nn.Sequential(
        nn.Unflatten(1, (1, height)) if len(shape) == 2 else nn.Identity(),
        nn.Conv2d(channels, 6, 5, padding=2), Elementwise(activation), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5, padding=2), Elementwise(activation), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(flat, 120), Elementwise(activation), nn.Linear(120, 84), Elementwise(activation), nn.Linear(84, 1),
    )  # fmt: skip

"""Networks over floats: any `Network` as an ordinary ``torch.nn.Module``.

The primitives are plain differentiable torch functions, so the module works with autograd, ``torch.func``,
``torch.compile`` and every optimiser; its ``state_dict`` has the weight names of the network (``W1``, ``b1``, …).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from polygeom.checks import seed
from polygeom.engines.initialisation import calibrated, check_initialisation, draw_network
from polygeom.engines.torch_engine import TorchEngine
from polygeom.errors import PolygeomError
from polygeom.network import Network

if TYPE_CHECKING:
    import numpy as np

_CALIBRATION_POINTS = 512


_ENGINE = TorchEngine()


class NetworkModule(nn.Module):
    """A polynomial network as a torch module with one parameter for each weight of the network.

    Parameters
    ----------
    network:
        What to compute.
    dtype, device:
        Of the parameters; float64, the default, matters wherever a rank is taken.
    initialisation:
        A key of `polygeom.engines.initialisation.INITIALISATIONS`. ``"unit"``: normal weights, then every linear map
        scaled so that its outputs have root mean square 1 on standard normal inputs, layer by layer
        (`polygeom.engines.initialisation.calibrated`); without it the values of networks of high degree explode or
        vanish. Biases start at zero.
    rng:
        Seed of the initial weights.

    Examples
    --------
    >>> import torch
    >>> from polygeom.network import parse
    >>> module = parse("[3,4,2] r=2").to_torch(rng=1)
    >>> module(torch.ones(5, 3, dtype=torch.float64)).shape, sorted(module.state_dict())
    (torch.Size([5, 2]), ['W1', 'W2'])
    """

    def __init__(
        self,
        network: Network,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
        initialisation: str = "unit",
        rng: Any = 0,
    ) -> None:
        super().__init__()
        check_initialisation(initialisation)
        self.network = network
        self._point_shape = network.input_shape
        for name, shape in network.parameters.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape, dtype=dtype or torch.float64, device=device)))
        if initialisation != "zero":
            self._initialise(initialisation, seed(rng))

    @torch.no_grad()
    def _initialise(self, initialisation: str, rng: int) -> None:
        generator = torch.Generator().manual_seed(rng)
        weights = draw_network(self.network, initialisation, generator)
        if initialisation == "unit":
            size = (_CALIBRATION_POINTS, *self.network.input_shape)
            points = torch.randn(size, generator=generator, dtype=torch.float64)
            weights = calibrated(self.network, weights, points)
        for name, parameter in self.named_parameters():
            parameter.copy_(weights[name])

    @property
    def fan_in(self) -> Mapping[str, int]:
        """Number of terms in the sums that each weight enters, 0 for biases; `initialise` asks for it."""
        return self.network.fan_in

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(N, *output_shape)`` at points ``(N, *input_shape)``."""
        if x.shape[1:] != self._point_shape:
            raise PolygeomError(
                f"x must have shape (N, {', '.join(map(str, self.network.input_shape))}), got {tuple(x.shape)}"
            )
        weights: Mapping[str, Tensor | None] = self._parameters
        weight = next(iter(weights.values()), None)
        if weight is not None and x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise PolygeomError(
                f"x must have the type of the weights, {weight.dtype}, got {x.dtype}; write x.to({weight.dtype}), or "
                f"to_torch(dtype={x.dtype if x.dtype.is_floating_point else torch.float32})"
            )
        plan = self.network.plan  # not kept here: modules are copied and pickled, plans are not
        if len(weights) != len(plan.parameters):  # some are computed from others, by torch's parametrizations
            weights = {name: getattr(self, name) for name in plan.parameters}
        value: Tensor = plan.run(_ENGINE, weights, x)
        return value

    def set_weights(self, weights: Mapping[str, np.ndarray | Tensor]) -> None:
        """Copy weights given by name, all of them, into the parameters."""
        missing = set(self.network.parameters) ^ set(weights)
        if missing:
            raise PolygeomError(
                f"weights must name exactly {', '.join(self.network.parameters)}; differing: {sorted(missing)}"
            )
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                value = torch.as_tensor(weights[name])
                if value.shape != parameter.shape:
                    raise PolygeomError(
                        f"weights {name} must have shape {tuple(parameter.shape)}, got {tuple(value.shape)}"
                    )
                parameter.copy_(value)

    def extra_repr(self) -> str:
        """The network's text, for torch's printing of modules."""
        return self.network.text

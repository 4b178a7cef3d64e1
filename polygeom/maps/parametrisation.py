"""What every question is asked of: weights, coordinates, values over any engine, symmetries, an ambient space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from polygeom.network.ambient.spans import Ambient
    from polygeom.network.primitives import Engine


@runtime_checkable
class Parametrisation(Protocol):
    """A map from weights to points of a space: to functions of some inputs, or, without inputs, to coordinates.

    Dimension, ideal, degrees, fibres, membership, sweeps and certificates need nothing else. `polygeom.Network` is the
    one class that offers it; a polynomial or rational map is a network whose only layer is a formula.
    """

    @property
    def text(self) -> str:
        """Canonical text: what certificates, sweeps and processes pass on. `polygeom.parse` reads it back."""

    @property
    def parameters(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the weights by name."""

    @property
    def parameter_count(self) -> int:
        """``P``, the number of weights."""

    @property
    def gauge(self) -> int:
        """A proved lower bound for the dimension of generic fibres, from symmetries; see `polygeom.symmetry`."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of a point at which functions are evaluated; ``(1,)`` and without meaning for a map."""

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the values."""

    @property
    def ambient(self) -> Ambient:
        """The space in which the closure lies, see `polygeom.network.ambient.spans`."""

    @property
    def ambient_dimension(self) -> int:
        """``M``, the number of coordinates that weights can change."""

    @property
    def expected_dimension(self) -> int:
        """``min(M, P - gauge)``."""

    def evaluate(self, engine: Engine[Any], weights: Mapping[str, Any], points: Any) -> Any:
        """Values at points, over any engine: residues, exact numbers, polynomials, floats, with derivatives or not."""

"""What a learning coefficient is answered with."""

from __future__ import annotations

from fractions import Fraction

from polygeom._dataclass import dataclass, field
from polygeom._version import __version__
from polygeom.answers import PROVED, Answer


@dataclass(frozen=True, slots=True)
class LearningCoefficient(Answer):
    """The learning coefficient of a network at given weights.

    Attributes
    ----------
    network:
        Canonical text.
    at:
        Where: ``"generic weights"``, the stratum, or ``"given weights"``.
    value, multiplicity:
        ``λ`` and the order ``m`` of its pole; None where they are not known.
    lower, upper:
        Proved bounds of ``λ``.
    status:
        ``"proved"``; ``"probable"`` where only the dimension is; ``"unknown"`` where the bounds differ.
    rank:
        The rank of the derivative of the coefficients at these weights (exact modulo a prime: a proved lower bound).
    parameters:
        Number of weights; half of it is what a regular model would have.
    live:
        Widths of the subnetwork that is left without degenerate neurons; empty for what is no perceptron.
    reason:
        The theorem, or what the bounds rest on.
    seed, version:
        What reproduces it, the generic weights of a stratum among it.
    """

    network: str
    at: str
    value: Fraction | None
    multiplicity: int | None
    lower: Fraction
    upper: Fraction
    status: str
    rank: int
    parameters: int
    live: tuple[int, ...]
    reason: str
    seed: int
    version: str = field(default=__version__)

    @property
    def proved(self) -> bool:
        """Whether the value is a theorem."""
        return self.status == PROVED

    def __str__(self) -> str:
        head = f"{self.network} at {self.at}: learning coefficient "
        if self.value is None:
            head += f"between {self.lower} and {self.upper} (proved)"
        else:
            head += f"{self.value}, multiplicity {self.multiplicity} ({self.status})"
        return f"{head}\n  {self.reason}; rank {self.rank}, half the weights {Fraction(self.parameters, 2)}"

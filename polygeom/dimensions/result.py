"""What a dimension computation answers: the number, what is proved about it, and what is needed to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from polygeom._dataclass import dataclass
from polygeom.answers import PROBABLE, PROVED, Answer

__all__ = ["PROBABLE", "PROVED", "DimensionResult"]


@dataclass(frozen=True, slots=True)
class DimensionResult(Answer):
    """The dimension of a neurovariety with its guarantees. All dimensions are affine.

    Attributes
    ----------
    network:
        Canonical text of the network.
    dimension:
        The dimension if `proved`; otherwise the largest rank found, which is probable.
    lower, upper:
        Proved bounds: the rank of an integer Jacobian mod `primes`, or a theorem, and the bound that `bound` names.
    proved:
        Whether ``lower == upper``, hence the dimension is a theorem (given the correctness of this program).
    status:
        ``"proved"`` or ``"probable"``.
    error_bound:
        0 if proved; otherwise a proved bound for the probability that the dimension exceeds `dimension`, over the
        random choices of weights, points and primes (1.0 where no statement is possible).
    trials:
        Independent random trials made; their maximum is reported.
    bound:
        The rule that gives `upper` and what it rests on, in one line.
    parameters, ambient_dimension, expected_dimension:
        Number of weights; number of coefficients of the outputs, None if it has thousands of digits; ``min(ambient,
        parameters - gauge)``.
    defect:
        ``expected_dimension - dimension``.
    filling:
        Whether the dimension is the ambient one, so that the closure is everything ("thick"); not surjectivity over ℝ.
    gauge:
        Dimension of the known symmetry orbits in weight space.
    identifiable:
        Whether generic functions of the network have finitely many weights up to those symmetries, that is, whether
        the dimension is ``parameters - gauge``; None if not proved.
    primes, seed, points, witness:
        All primes used; the seed; the number of input points and the trial number of the largest rank.
    method:
        The weights at which it was found: ``"structured point"``, ``"sparse point"``, ``"generic tangent"``; or
        ``"theorem: …"`` with the theorems that give it without a rank (`polygeom.dimensions.theorems`).
    version, elapsed:
        polygeom's version; seconds of wall time.
    ambient:
        In words, which coefficients `ambient_dimension` counts; empty if they are not counted.
    """

    network: str
    dimension: int
    lower: int
    upper: int
    proved: bool
    status: str
    error_bound: float
    trials: int
    bound: str
    parameters: int
    ambient_dimension: int | None
    expected_dimension: int
    defect: int
    filling: bool
    gauge: int
    identifiable: bool | None
    primes: tuple[int, ...]
    seed: int
    points: int
    witness: int
    method: str
    version: str
    elapsed: float
    ambient: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON and tables."""
        data = asdict(self)
        data["primes"] = list(self.primes)
        return data

    @property
    def _told(self) -> str:
        """What the ambient dimension counts, where this is not plain from the network."""
        return f" ({self.ambient})" if ";" in self.ambient or "multidegree" in self.ambient else ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DimensionResult:
        """The result that `as_dict` described."""
        return cls(**{**data, "primes": tuple(data["primes"])})

    def __str__(self) -> str:
        """Two lines for a reader."""
        sure = (
            "proved"
            if self.proved
            else f"probable, error ≤ {self.error_bound:.0e}, between {self.lower} and {self.upper}"
        )
        flags = [
            "filling" if self.filling else f"ambient {self.ambient_dimension or 'huge'}{self._told}",
            f"defect {self.defect}" if self.defect else "of expected dimension",
            {True: "finitely identifiable", False: "not identifiable", None: "identifiability unknown"}[
                self.identifiable
            ],
        ]
        return f"{self.network}: dimension {self.dimension} ({sure})\n  {', '.join(flags)}; upper bound: {self.bound}"

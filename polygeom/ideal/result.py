"""What a search for equations answers: generators, how far they are complete, and what is proved about each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from polygeom._dataclass import dataclass, field
from polygeom._version import __version__
from polygeom.answers import PROVED, UNKNOWN, Answer
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.supervision import Status

if TYPE_CHECKING:
    from sympy.polys.rings import PolyElement

_SHOWN = 12
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Generator:
    """One equation of a neurovariety.

    Attributes
    ----------
    polynomial:
        In the plain coordinates of the network (`Coordinates.ring`), integer coefficients without common divisor; over
        a prime field if the result says so.
    degree:
        Its degree, which is the largest one of its terms.
    weight:
        Its degrees for the torus that acts, see `polygeom.ideal.grading.grading`; empty if the method computes none.
    proved_member:
        Whether it is proved to vanish on the neurovariety, over Q.
    proof:
        How, in a few words; empty if it is not.
    """

    polynomial: PolyElement
    degree: int
    weight: tuple[int, ...] = ()
    proved_member: bool = False
    proof: str = ""


@dataclass(frozen=True, slots=True)
class IdealResult(Answer):
    """Equations of a neurovariety, with what is known about their completeness.

    Attributes
    ----------
    coordinates:
        The coordinates the equations are written in; ``coordinates.network`` is the network.
    generators:
        Minimal generators found, by degree, then weight.
    complete_to:
        Degree up to which the generators are proved to generate every equation (0 if none).
    completeness:
        ``"complete because …"`` when the generators generate the whole ideal; else ``"unknown beyond degree d"``, or
        why there is no such statement.
    method:
        ``"interpolation"`` or ``"elimination"``, with its variant.
    ended:
        What became of the computation, a `polygeom.supervision.Status`: ``"ok"``, ``"timeout"``, ``"memory"`` or
        ``"cancelled"``; what is listed was found before.
    hilbert_function:
        Dimension of degree 0, 1, … of the coordinate ring, as far as computed; empty if not.
    counts:
        Degree → number of minimal generators, which may include some that were not written out over Q.
    characteristic:
        0 for equations over Q, else the prime.
    seeds, primes:
        What reproduces the computation.
    elapsed:
        Seconds of wall time.
    message:
        For a computation that did not end with ok: what stopped it and what to do.
    version:
        polygeom's version.
    """

    coordinates: Coordinates
    generators: tuple[Generator, ...]
    complete_to: int
    completeness: str
    method: str
    ended: str = Status.OK
    hilbert_function: tuple[int, ...] = ()
    counts: tuple[tuple[int, int], ...] = ()
    characteristic: int = 0
    seeds: tuple[int, ...] = ()
    primes: tuple[int, ...] = ()
    elapsed: float = 0.0
    message: str = ""
    version: str = __version__
    details: dict[str, Any] = field(default_factory=dict, compare=False, hash=False)

    @property
    def complete(self) -> bool:
        """Whether the generators are known to generate the whole ideal."""
        return self.completeness.startswith("complete")

    @property
    def network(self) -> str:
        """Canonical text of the network."""
        return str(self.coordinates.network.text)

    @property
    def seed(self) -> int | None:
        """The first seed; None for a method without random choices."""
        return next(iter(self.seeds), None)

    @property
    def status(self) -> str:
        """``"proved"`` when the generators are proved to be the whole ideal, else ``"unknown"``."""
        return PROVED if self.complete and all(g.proved_member for g in self.generators) else UNKNOWN

    @property
    def degrees(self) -> dict[int, int]:
        """Degree → number of minimal generators of that degree."""
        return dict(self.counts) or dict(sorted(Counter(g.degree for g in self.generators).items()))

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; polynomials as text."""
        return {
            "network": self.network,
            "seed": self.seed,
            "version": self.version,
            "status": self.status,
            "coordinates": list(self.coordinates.names),
            "generators": [
                {
                    "polynomial": str(g.polynomial),
                    "degree": g.degree,
                    "weight": list(g.weight),
                    "proved_member": g.proved_member,
                    "proof": g.proof,
                }
                for g in self.generators
            ],
            "complete_to": self.complete_to,
            "completeness": self.completeness,
            "method": self.method,
            "ended": str(self.ended),
            "hilbert_function": list(self.hilbert_function),
            "counts": {str(degree): number for degree, number in self.degrees.items()},
            "characteristic": self.characteristic,
            "seeds": list(self.seeds),
            "primes": list(self.primes),
            "elapsed": self.elapsed,
            "message": self.message,
        }

    def __str__(self) -> str:
        """The network, the numbers of equations, and the first few of them."""
        kinds = ", ".join(f"{number} of degree {degree}" for degree, number in self.degrees.items()) or "no equation"
        over = f" modulo {self.characteristic}" if self.characteristic else ""
        lines = [f"{self.network}: {kinds}{over}; {self.completeness}"]
        if self.ended != Status.OK:
            lines.append(f"  {self.ended}: {self.message}")
        for generator in self.generators[:_SHOWN]:
            text = str(generator.polynomial)
            lines.append(
                "  " + (text if len(text) <= _WIDTH else f"{text[:_WIDTH]}… ({len(generator.polynomial)} terms)")
            )
        if len(self.generators) > _SHOWN:
            lines.append(f"  … and {len(self.generators) - _SHOWN} more")
        return "\n".join(lines)

    def _repr_latex_(self) -> str:
        """The equations as aligned formulas, for notebooks."""
        from sympy import latex

        shown = [latex(generator.polynomial.as_expr()) for generator in self.generators[:_SHOWN]]
        lines = [r"& " + formula + " = 0" for formula in shown if len(formula) <= 20 * _WIDTH]
        if len(lines) < len(self.generators):
            lines.append(rf"& \text{{and {len(self.generators) - len(lines)} more}}")
        body = r" \\ ".join(lines) or r"& \text{no equations}"
        return rf"$$\begin{{aligned}} {body} \end{{aligned}}$$"

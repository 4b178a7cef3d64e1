"""`Neurovariety`: equations, dimension, degree and membership of a neurovariety, computed when asked for."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom.checks import choice, integer
from polygeom.errors import PolygeomError
from polygeom.ideal.grading.points import Points
from polygeom.ideal.inclusion import Inclusion, contains, integer_point
from polygeom.ideal.result import IdealResult
from polygeom.ideal.workspace import Workspace
from polygeom.network.text.maps import map_formula
from polygeom.supervision import Status

if TYPE_CHECKING:
    from sympy.polys.rings import PolyElement

    from polygeom.ideal.counting.evidence import Count
    from polygeom.ideal.search.search import Search
    from polygeom.ideal.singular import Stratum

METHODS = ("auto", "interpolation", "elimination")


class Neurovariety(Workspace):
    """The Zariski closure of the functions of a network, in the space of their coefficients.

    Nothing is computed before it is asked for, and what was computed is kept: a search for equations goes on where an
    earlier one ended.

    Parameters
    ----------
    network:
        A `Network` or its text.
    rng:
        Seed of all random choices.
    workers:
        Processes that share a search for equations, and that follow paths.
    executor:
        What runs these processes instead of this machine, such as the executor of a dask cluster.

    Examples
    --------
    >>> variety = Neurovariety("[2,2,1] r=4")
    >>> print(variety.equations()[0])
    2*c1x22**3 - 9*c1x31*c1x22*c1x13 + 27*c1x40*c1x13**2 + 27*c1x31**2*c1x04 - 72*c1x40*c1x22*c1x04
    >>> variety.degree.value, variety.dimension, variety.hilbert_function(10)
    (3, 4, 671)
    >>> print(variety.contains("x1^4 + x2^4"))
    yes (proved): all 1 equations vanish, and they are complete
    """

    def _repr_html_(self) -> str:
        """The network and the space of its coefficients, for notebooks; nothing is computed for it."""
        from html import escape

        coordinates = f"<p>in the {self.network.ambient_dimension} coefficients of its outputs</p>"
        return f"<p>The neurovariety of <b>{escape(self.network.text)}</b></p>{coordinates}"

    def _repr_latex_(self) -> str:
        """The closure of the image of a map, for notebooks."""
        inside = self.network._repr_latex_().strip("$")
        weights, functions = self.network.parameter_count, self.network.ambient_dimension
        return (
            rf"$$\overline{{\left\{{ {inside} \right\}}}} \subset \mathbb{{A}}^{{{functions}}}, \quad W \in "
            rf"\mathbb{{A}}^{{{weights}}}$$"
        )

    def ideal(self, method: str = "auto", *, max_degree: int | None = None, **options: Any) -> IdealResult:
        """The ideal of all equations, as far as the budget goes.

        Parameters
        ----------
        method:
            ``"interpolation"``, ``"elimination"``, or ``"auto"``: interpolation, which is faster wherever both finish.
        max_degree:
            Last degree of the interpolation; without it the search ends when the equations are proved complete.
        options:
            Further arguments of `polygeom.ideal.search.search.interpolate` or
            `polygeom.ideal.search.elimination.eliminate`, such as ``timeout`` and ``memory``.
        """
        choice("method", method, METHODS, "auto")
        if method == "elimination":
            if max_degree is not None:
                raise PolygeomError("max_degree belongs to interpolation; leave it out or write method='interpolation'")
            from polygeom.ideal.search.elimination import eliminate

            return eliminate(self.network, **options)
        return self.search(max_degree, **options).result

    def equations(self, max_degree: int | None = None, **options: Any) -> tuple[PolyElement, ...]:
        """Minimal generators over Q of degree at most ``max_degree``, in the plain coordinates.

        Without ``max_degree`` all of them, if they can be proved complete within the time.
        """
        generators = self.search(max_degree, **options).result.generators
        return tuple(g.polynomial for g in generators if max_degree is None or g.degree <= max_degree)

    def hilbert_function(self, degree: int, **options: Any) -> int:
        """Dimension of the homogeneous part of the coordinate ring in a degree.

        If the neurovariety is not a cone, of polynomials of at most this degree, as functions on the neurovariety.

        Raises
        ------
        BudgetError
            If the time or memory did not suffice.
        """
        degree = integer("degree", degree, least=0)
        search = self.search(max(degree, 1), **options)
        value = search.hilbert_function(degree)
        if value is None:
            raise self._unfinished(search)
        return value

    @cached_property
    def degree(self) -> Count:
        """The degree (of the projective closure), by a theorem, by complete equations, or by counting solutions.

        Its ``status`` says whether that is a proof; `polygeom.ideal.counting.invariants.degree` has more options.
        """
        from polygeom.ideal.counting.invariants import degree

        return degree(self)

    def ed_degree(self, form: Any = "generic", **options: Any) -> Count:
        """The number of critical points of the distance to a generic function, see
        `polygeom.ideal.counting.invariants.ed_degree`.
        """
        from polygeom.ideal.counting.invariants import ed_degree

        return ed_degree(self, form, **options)

    def learning_degree(self, inputs: Any, **options: Any) -> Count:
        """The number of critical points of the squared loss at given inputs, for generic labels, see
        `polygeom.ideal.counting.invariants.learning_degree`.
        """
        from polygeom.ideal.counting.invariants import learning_degree

        return learning_degree(self, inputs, **options)

    def singular_subnetworks(self, *, timeout: float | None = None) -> tuple[Stratum, ...]:
        """Which subnetworks compute singular points, see `polygeom.ideal.singular.singular_subnetworks`."""
        from polygeom.ideal.singular import singular_subnetworks

        return singular_subnetworks(self, timeout=timeout)

    @property
    def h_vector(self) -> tuple[int, ...] | None:
        """The numerator of the Hilbert series over ``(1 - t)^dimension``, None if it is not proved."""
        completeness = self.search().completeness
        return None if completeness is None else completeness.h_vector

    def contains(self, function: Any, **options: Any) -> Inclusion:
        """Whether a function belongs to the neurovariety.

        Parameters
        ----------
        function:
            Coefficients, or polynomials in ``x1, x2, …``; see `polygeom.ideal.reading.read_function`.
        options:
            Arguments of `search` for the equations that are used.
        """
        return contains(function, self.search(**options).result, self.rng)

    def random_point(self, field: str | int = "Q", *, rng: int | None = None, largest: int = 10) -> list[Any]:
        """The coefficients of the network with random weights, in plain coordinates.

        Parameters
        ----------
        field:
            ``"Q"``: integer weights from ``-largest`` to ``largest``, exactly. ``"R"``, ``"C"``: standard normal
            weights, floats. A prime: residues from 0.
        rng:
            Seed; that of the neurovariety if None.

        Examples
        --------
        >>> Neurovariety("[2,1,1] r=2").random_point(7)
        [4, 2, 2]
        """
        seed = self.rng if rng is None else rng
        if field == "Q":
            return integer_point(self.coordinates, np.random.default_rng(seed), largest)
        if field in ("R", "C"):
            return self._floating_point(complex if field == "C" else float, np.random.default_rng(seed))
        if not isinstance(field, int) or isinstance(field, bool):
            raise PolygeomError(f"field must be 'Q', 'R', 'C' or a prime, got {field!r:.40}; write field='Q'")
        points = Points(self.coordinates, field, seed)
        divided = points.field.decode(points.first(1)[0, :-1]).tolist()
        return [int(c) * factor % field for c, factor in zip(divided, self.coordinates.factors, strict=True)]

    def _floating_point(self, kind: type, rng: np.random.Generator) -> list[Any]:
        from polygeom.engines.symbolic import coefficient_map
        from polygeom.ideal.inclusion import floating_map_point

        if map_formula(self.network) is not None:
            return floating_map_point(self.network, kind, rng)
        count = self.network.parameter_count
        w = rng.standard_normal(count) + (1j * rng.standard_normal(count) if kind is complex else 0)
        known = coefficient_map(self.network)

        def value(polynomial: Any) -> Any:
            return sum(float(Fraction(int(c.numerator), int(c.denominator))) * np.prod(w**e) for e, c in polynomial)

        return [kind(value(known.get(entry, {}).items())) for entry in self.coordinates.entries]

    @property
    def certificate(self) -> dict[str, Any]:
        """A certificate of what is proved so far, see `polygeom.ideal.proofs.certificate`."""
        from polygeom.ideal.proofs.certificate import certify  # here: equations are found without it

        return certify(self._search or self.search())

    def _unfinished(self, search: Search) -> Exception:
        from polygeom.errors import BudgetError

        ended = search.result.ended
        limit = "timeout=" if ended == Status.TIMEOUT else "memory="
        return BudgetError(
            f"the search reached degree {search.interpolation.degree} ({ended}); raise {limit} to go further"
        )

"""Upper bounds of many perceptrons, kept in a table that the compiled search fills."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from polygeom.dimensions.bounds import identified_points
from polygeom.dimensions.bounds.architecture import parameters_bound
from polygeom.dimensions.bounds.bound import RULES, Bound, Case
from polygeom.dimensions.bounds.search import upper_bound
from polygeom.modular import load_compiled

Array = np.ndarray

_FIRST_SIZE = 1 << 14
_MOST_ENTRIES, _MOST_TREES = 2_000_000, 50_000
_MOST_INPUTS, _MOST_DEGREE, _MOST_POWER = 12, 60, 12


def available() -> bool:
    """Whether the compiled search can be used: numba is there, and every registered rule is one that it knows."""
    if not load_compiled():
        return False
    from polygeom.dimensions.survey import _bounds_numba as kernels

    own = {*kernels.RULES, "idle layer"}  # no activation of degree 1 comes here
    return {name for name, rule in RULES.items() if rule.perceptrons is not None} == own


class BoundTable:
    """Upper bounds by architecture: `find` computes what is not there yet.

    Parameters
    ----------
    thorough:
        As for `polygeom.dimensions.bounds.search.upper_bound`, whose values, rules and layers these are.

    Examples
    --------
    >>> BoundTable(thorough=False).find(np.array([[5, 5, 5, 1]]), 2).tolist()
    [[35, 8, 0]]
    """

    def __init__(self, *, thorough: bool) -> None:
        from polygeom.dimensions.survey import _bounds_numba as kernels

        self.thorough = thorough
        self._kernels = kernels
        self._used = np.zeros(1, np.int64)
        self._stack = np.empty((kernels.STACK, kernels.CASE), np.int64)
        self._why = np.zeros(2, np.int64)
        self._conditions = _possible_conditions() if thorough else np.zeros((0, 6), np.int64)
        self._trees: dict[Case, Bound] = {}
        self._texts: dict[Case, str] = {}
        self._make(_FIRST_SIZE)

    def _make(self, size: int) -> None:
        self._keys = np.zeros((size, 4), np.uint64)
        self._values, self._rules = np.empty(size, np.int32), np.empty((size, 2), np.int8)

    def __len__(self) -> int:
        return int(self._used[0])

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the rules by the numbers that `find` gives."""
        return self._kernels.RULES

    def trim(self) -> None:
        """Forget what is known where it takes more than about 200 MB; it is found again when it is asked for."""
        if len(self._trees) > _MOST_TREES:
            self._trees.clear()
            self._texts.clear()
        if len(self) > _MOST_ENTRIES:
            self._used[0] = 0
            self._make(_FIRST_SIZE)

    def find(self, widths: Array, degree: int | Array, *, rough: bool = False) -> Array:
        """Bounds of architectures of one depth.

        Parameters
        ----------
        widths:
            Integers ``(N, L + 1)``, at most `_bounds_numba.MOST_WIDTHS` of them in a row.
        degree:
            The activation degree, at least 2, or one for each row.
        rough:
            Whether bounds are welcome that need not be the smallest, since an inequality was left out for which the
            table has no room.

        Returns
        -------
        Integers ``(N, 3)``: value, number of the rule in `_bounds_numba.RULES`, layer. A value of -1 stands for an
        architecture that is too large for the table.
        """
        kernels = self._kernels
        cases = np.zeros((len(widths), kernels.CASE), np.int64)
        cases[:, 0], cases[:, 1] = widths.shape[1], degree
        cases[:, 2 : 2 + widths.shape[1]] = widths
        out = np.full((len(cases), 3), -1, np.int64)
        done = 0
        while done < len(cases):
            done += kernels.bound_cases(
                cases[done:], self.thorough, self._conditions, self._keys, self._values, self._rules, self._used,
                self._stack, self._why, out[done:],
            )  # fmt: skip
            match int(self._why[0]):
                case kernels.FULL:
                    self._grow()
                case kernels.UNKNOWN:
                    row = self._conditions[self._why[1]]
                    row[5] = identified_points.conditions(*map(int, row[:4]))
                case kernels.TOO_LARGE:
                    out[done] = -1
                    done += 1
        left_out = out[:, 2] >= kernels.ROUGH
        if rough:
            out[left_out, 2] -= kernels.ROUGH
        else:
            out[left_out] = -1
        return out

    def _grow(self) -> None:
        old = self._keys, self._values, self._rules
        self._make(2 * len(self._keys))
        self._kernels.move(*old, self._keys, self._values, self._rules)

    def tree(self, widths: Sequence[int], degree: int) -> Bound:
        """The bound of one architecture with the tree of rules that proves it, built from the table."""
        case = tuple(map(int, widths)), (degree,) * (len(widths) - 2)
        known = self._trees.get(case)
        if known is None:
            known = self._trees[case] = self._built(case, degree)
        return known

    def text(self, widths: tuple[int, ...], degree: int) -> str:
        """The bound of one architecture in words: ``str(tree(…))``."""
        case = widths, (degree,) * (len(widths) - 2)
        known = self._texts.get(case)
        if known is None:
            known = self._texts[case] = str(self.tree(widths, degree))
        return known

    def _built(self, case: Case, degree: int) -> Bound:
        widths, degrees = case
        if len(widths) == 2:
            return upper_bound(widths, degrees)
        value, number, layer = map(int, self.find(np.array([widths]), degree, rough=True)[0])
        if value < 0:
            return upper_bound(widths, degrees, thorough=self.thorough)
        rule = RULES[self._kernels.RULES[number]]
        assert rule.perceptrons is not None
        for instance in rule.perceptrons(widths, degrees, parameters_bound(widths, degrees)):
            if instance.layer == layer:
                cases = [part for part in instance.parts if isinstance(part, tuple)]
                parts = tuple(self.tree(w, degree) for w, _ in cases)
                if instance.constant + sum(part.value for part in parts) == value:
                    return Bound(value, rule.name, widths, degrees, layer, parts)
        raise AssertionError(f"{widths} r={degree}: the rule {rule.name} does not give {value}; please report")


def _possible_conditions() -> Array:
    """Rows (n, m, r, t, most conditions, -1) for everything to which the rule *identifications* may apply."""
    rows = [
        (n, m, r, r**e, most, -1)
        for n, r, e in product(range(3, _MOST_INPUTS + 1), range(2, _MOST_DEGREE), range(1, _MOST_POWER))
        for m in range(n + 2, 2 * n)
        if (most := identified_points.possible_conditions(n, m, r, r**e))
    ]
    return np.array(rows, np.int64)

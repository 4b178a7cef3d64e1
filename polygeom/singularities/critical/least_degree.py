"""From which activation degree on only subnetworks are critical: theorems for large ones, elimination for small ones.

Let ``g_1, …, g_s`` be the features of a hidden layer before its activation, outside every subnetwork. A relation
between the columns of the Jacobian is one between products ``g_i^(r-1) q_i`` with ``deg q_i ≤ deg g_i``.

* One hidden layer. On a general plane the ``g_i`` are pairwise independent linear forms and the products lie in ``s``
  double points of the projective line, which impose independent conditions on forms of degree ``r ≥ 2s - 1``: every
  ``q_i`` is a multiple of ``g_i``, which the scalings of neurons account for. With two inputs and one output the rank
  is ``min(2s, r + 1)`` for all pairwise independent forms.
* Hidden layers of two neurons. The features of each are two members of a pencil without common factor, so
  ``g_1^(r-1) q_1 + g_2^(r-1) q_2 = 0`` forces ``(r-1) deg g ≤ deg g``, unless ``q_1 = q_2 = 0``: for ``r ≥ 3``
  relations come from the layers before.
* Layers of one neuron at the end: ``F = v Q^R``, and the tangent space is ``Q^(R-1) (v T_Q + C^m Q)``, so the rank
  drops where that of ``Q`` does and where ``Q`` or ``v`` vanish; ``Q`` does not, as at most ``r + 1`` powers are
  independent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.answers import PROVED, UNKNOWN, Answer
from polygeom.errors import PolygeomError
from polygeom.network import mlp
from polygeom.singularities.critical.locus import critical_locus


@dataclass(frozen=True, slots=True)
class SubnetworkThreshold(Answer):
    """The least activation degree from which on only subnetworks are critical.

    Attributes
    ----------
    widths:
        The architecture.
    value:
        The degree, at least 2; None if it is not known.
    beyond:
        The degrees below it, from 2 on, for which other weights are critical, too.
    where:
        Those weights, for the largest such degree.
    reason:
        The theorem for large degrees.
    eliminated:
        The degrees for which elimination decided, whether or not a theorem does.
    status:
        ``"proved"`` or ``"unknown"``.
    """

    widths: tuple[int, ...]
    value: int | None
    beyond: tuple[int, ...]
    where: tuple[str, ...]
    reason: str
    eliminated: tuple[int, ...]
    status: str
    seed: int = 0
    version: str = __version__
    told = ("network",)

    @property
    def network(self) -> str:
        """The architecture as text, its degree left open: ``[3,3,1]``."""
        return f"[{','.join(map(str, self.widths))}]"

    def __str__(self) -> str:
        """One line or two for a reader."""
        if self.value is None:
            head = f"{self.network}: the least r from which only subnetworks are critical is unknown"
        else:
            head = f"{self.network}: only subnetworks are critical for every r ≥ {self.value} ({self.status})"
        if self.beyond:
            head += f"; others for r = {', '.join(map(str, self.beyond))}: {'; '.join(self.where)}"
        return f"{head}\n  {self.reason}" if self.reason else head


def subnetwork_threshold(
    widths: Sequence[int], *, extra: int = 0, timeout: float | None = None, rng: int = 0
) -> SubnetworkThreshold:
    """The least ``r ≥ 2`` such that for every activation degree from ``r`` on only subnetworks are critical.

    Weights are critical where the Jacobian of weights ↦ functions has less than its generic rank. A subnetwork has a
    hidden neuron without incoming or without outgoing weights, or two with parallel incoming weights.

    Parameters
    ----------
    widths:
        ``(d_0, …, d_L)`` with a hidden layer; the same activation degree in all of them.
    extra:
        How many degrees beyond those that the theorem leaves open are decided by elimination as well: a check of it.
    timeout:
        Seconds for eliminations.
    rng:
        Seed, see `polygeom.singularities.critical_locus`.

    Returns
    -------
    `SubnetworkThreshold`, proved wherever the theorems of this file apply and the eliminations end in time: for one
    hidden layer, for hidden layers of two neurons, for hidden layers of one neuron after these, and where a hidden
    layer follows a single feature, so that all weights are subnetworks.

    For others the value is None.

    Raises
    ------
    PolygeomError
        For widths that are none.

    Examples
    --------
    >>> found = subnetwork_threshold((3, 3, 1))
    >>> found.value, found.beyond, found.where
    (5, (2, 3, 4), ('weights into layer 1 of rank 2',))
    >>> subnetwork_threshold((2, 4, 1)).value, subnetwork_threshold((2, 2, 2, 2)).value
    (2, 3)
    """
    widths = tuple(widths)
    if len(widths) < 3 or not all(type(w) is int and w > 0 for w in widths):
        raise PolygeomError(f"widths must be at least 3 positive integers, got {list(widths)}; write [3,3,1]")
    bound, reason = _large(widths)
    if bound is None:
        return SubnetworkThreshold(widths, None, (), (), reason, (), UNKNOWN, rng)
    last = bound - 1
    end = None if timeout is None else time.monotonic() + timeout
    beyond: list[int] = []
    eliminated: list[int] = []
    where: tuple[str, ...] = ()
    sure = True
    trivial = any(a == 1 and b > 1 for a, b in pairwise(widths[:-1]))
    core, tail = _core(widths)
    for r in () if trivial else range(2, last + extra + 1):
        left = None if end is None else max(end - time.monotonic(), 0.001)
        found = critical_locus(mlp(core, r), timeout=left, rng=rng)
        vanishing = tail and len(core) == 3 and core[1] > r + 1
        if found.only_subnetworks is None or (found.status != PROVED and r <= last):
            sure = sure and r > last
            continue
        eliminated.append(r)
        if not found.only_subnetworks or vanishing:
            beyond.append(r)
            where = tuple(c.text for c in found.components if c.kind != "subnetwork")
            where += ("the last wide layer computes zero",) if vanishing else ()
    if any(r > last for r in beyond):
        raise AssertionError(f"{reason} is contradicted by elimination for {widths}, r = {beyond}")  # a wrong theorem
    value = max(beyond, default=1) + 1 if sure else None
    status = PROVED if sure else UNKNOWN
    return SubnetworkThreshold(widths, value, tuple(beyond), where, reason, tuple(eliminated), status, rng)


def _core(widths: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
    """The network without hidden layers of one neuron at its end, and whether there were any."""
    hidden = len(widths) - 2
    while hidden > 1 and widths[hidden] == 1:
        hidden -= 1
    return (widths, False) if hidden == len(widths) - 2 else ((*widths[: hidden + 1], 1), True)


def _large(widths: tuple[int, ...]) -> tuple[int | None, str]:
    """From which degree on a theorem of this file says that only subnetworks are critical, and its name."""
    if any(a == 1 and b > 1 for a, b in pairwise(widths[:-1])):
        return 2, "all weights are subnetworks: a hidden layer after a single feature"
    core, tail = _core(widths)
    ending = ", then powers" if tail else ""
    if max(core[1:-1]) == 1:
        return 2, f"one neuron{ending}"
    if len(core) == 3:
        neurons = core[1]
        if core[0] == 2 and core[2] == 1:
            return max(2, neurons - 1 if tail else 2), f"double points of the line, all degrees{ending}"
        return 2 * neurons - 1, f"double points of the line, r >= 2s - 1{ending}"
    if set(core[1:-1]) == {2}:
        return 3, f"pencils without common factor, r >= 3{ending}"
    return None, "no theorem here for large degrees; critical_locus decides each degree of a small network"

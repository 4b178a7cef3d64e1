"""The elimination of ``_elimination_numpy`` on torch tensors, where they are: on a graphics processor or on the CPU.

Everything large, products and reductions, is done by torch in float64 under the same overflow bound; only the square
block at the top of each panel is inverted here, by numpy. Where it has no pivot for a column that rows below may have,
the whole panel is fetched. Products have to be those of float64: emulations of it, which libraries offer on some
devices, are not exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from polygeom.errors import PolygeomError
from polygeom.modular._elimination_numpy import Elimination, check_bound, invert_top
from polygeom.modular.arithmetic import EXACT, PrimeField

WIDTH = 64
"""Columns of a panel."""
CHUNK = 1 << 26
"""Entries reduced at a time, since quotients need as much memory."""


class _OnDevice(Elimination):
    """One elimination of a matrix that is a tensor."""

    a: Any

    def reduce(self, x: Any) -> None:
        step = max(1, CHUNK // max(x.shape[1], 1))
        for start in range(0, x.shape[0], step):
            part = x[start : start + step]
            part.add_(torch.round(part * (1.0 / self.p)), alpha=-self.p)

    def minus(self, target: Any, left: Any, right: Any) -> None:
        target.addmm_(left, right, beta=1.0, alpha=-1.0)

    def factor_panel(self, rank: int, col: int, end: int, q: int) -> int:
        a, width = self.a, end - col
        panel = a[rank:, col:end]
        if self.pending[q]:
            self.reduce(panel)
        top = min(width, panel.shape[0])
        result = invert_top(panel[:top].cpu().numpy().copy(), self.p, self.kmax, whole=top == panel.shape[0])
        if result is None:
            numbers = np.arange(panel.shape[0], dtype=float)[:, None]
            here = np.concatenate([panel.cpu().numpy(), numbers], axis=1)
            columns, found = Elimination(here, width, len(here), int(self.p), self.kmax, width).factor_columns(
                0, 0, width
            )
            self._rearrange(rank, here[:, width].astype(np.int64))
            multipliers = torch.from_numpy(found).to(a.device)
        else:
            columns, swaps, inverse = result
            order = np.arange(panel.shape[0])
            for i, k in swaps:
                order[[i, k]] = order[[k, i]]
            self._rearrange(rank, order)
            chosen = panel[len(columns) :]
            chosen = chosen if len(columns) == width else chosen[:, columns]
            multipliers = chosen @ torch.from_numpy(inverse).to(a.device)
            self.reduce(multipliers)
        a[rank + len(columns) :, rank : rank + len(columns)] = multipliers
        self.pivots.extend(col + j for j in columns)
        return rank + len(columns)

    def _rearrange(self, rank: int, order: np.ndarray) -> None:
        """Row ``order[i]`` below the pivots becomes row ``i``."""
        moved = np.flatnonzero(order != np.arange(len(order)))
        if len(moved):
            there, here = (torch.from_numpy(rank + rows).to(self.a.device) for rows in (moved, order[moved]))
            self.a[there] = self.a[here]


def rank(a: Any, field: PrimeField, limit: int, overwrite: bool, width: int = WIDTH) -> int:
    """Rank of a tensor of integers, computed on its device; see `polygeom.modular.rank`."""
    work = _encoded(a, field, overwrite)
    rows, columns = work.shape
    kmax = field.max_products
    check_bound(field.p, kmax)
    with torch.no_grad():
        return min(_OnDevice(work, columns, rows, field.p, kmax, width).run(limit, False), limit)


def _encoded(a: Any, field: PrimeField, overwrite: bool) -> Any:
    """The tensor as balanced residues in float64, itself if ``overwrite`` and it holds integers in that form."""
    if a.dtype == torch.bool or not (a.is_floating_point() or a.is_complex()):
        work = torch.remainder(a.to(torch.int64), field.p).to(torch.float64)
    elif a.dtype == torch.float64:
        bound = EXACT - field.half
        if not bool(((a.abs() <= bound) & (a == torch.round(a))).all()):
            raise PolygeomError(
                f"floating-point entries must be integers of magnitude at most {bound}, got others; pass integers"
            )
        work = (
            a.detach() if overwrite and a.is_contiguous() else a.detach().clone(memory_format=torch.contiguous_format)
        )
    else:
        raise PolygeomError(f"a must be a tensor of integers or of float64, got {a.dtype}; write a.double()")
    work.add_(torch.round(work * (1.0 / field.p)), alpha=-field.p)
    return work

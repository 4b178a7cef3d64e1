"""Derivatives by one weight without forming them, and the ways to their inner products.

A weight ``(G, m, k)`` that acts as a matrix at ``T`` positions has at point ``n``, for output ``c``, the derivative
``Σ_t b_nc[:, t] ⊗ a_n[:, t]`` (group by group). Which way is taken is counted in
`polygeom.learning.tangent.layers.costs`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.learning.tangent.layers.costs import Sizes, cheapest

OUTPUTS = ("full", "trace", "diagonal", "sum")
_FEW, _LONG = 1024, 128
"""Rows of so few numbers are multiplied side by side, and half of a symmetric product is worth a copy from so many."""
_PARTS = 8
"""Of a symmetric product: all but a sixteenth of its other half is left out."""
WAYS = ("contraction", "grams", "products", "vectors")


@dataclass(frozen=True, eq=False)
class Piece:
    """Derivatives ``Σ_t b ⊗ a``.

    Attributes
    ----------
    read:
        ``a``, ``(N, G, k, T)``; the rows ``(N, 1, T)`` of an embedding, -1 for none; None if a weight is added.
    back:
        ``b``, ``(N, C, G, m, T)``.
    columns:
        ``k``.
    flipped:
        Whether the weight has the shape ``(k, m)``.
    """

    read: Tensor | None
    back: Tensor
    columns: int
    flipped: bool = False

    @property
    def sizes(self) -> Sizes:
        """Of the action."""
        return Sizes(self.back.shape[2], self.back.shape[3], self.columns, self.back.shape[4])

    def jacobian(self, out: Tensor | None = None) -> Tensor:
        """The derivatives themselves, ``(N, C, G · m · k)``, written to ``out`` if it is given."""
        points, outputs, groups, rows, positions = self.back.shape
        if self.read is None:
            return _into(self.back.sum(dim=4).flatten(start_dim=2), out)
        if not self.read.is_floating_point():
            kept = self.read[:, 0] >= 0
            b = (self.back[:, :, 0] * kept[:, None, None]).transpose(2, 3)
            found = b.new_zeros(points, outputs, self.columns, rows)
            index = self.read[:, 0].clamp(min=0)[:, None, :, None].expand(-1, outputs, -1, rows)
            return _into(found.scatter_add_(2, index, b).flatten(start_dim=2), out)
        a = self.read.transpose(2, 3)
        if groups > 1 or self.flipped:
            b = self.back.transpose(1, 2).reshape(points, groups, outputs * rows, positions)
            found = torch.matmul(b, a).reshape(points, groups, outputs, rows, -1)
            found = found.transpose(3, 4) if self.flipped else found
            return _into(found.transpose(1, 2).reshape(points, outputs, -1), out)
        b = self.back.reshape(points, outputs * rows, positions)
        own = b.new_empty(points, outputs * rows, a.shape[3]) if out is None else out.view(points, outputs * rows, -1)
        with torch.no_grad():
            torch.bmm(b, a[:, 0], out=own)
        return own.view(points, outputs, -1)


def _into(found: Tensor, out: Tensor | None) -> Tensor:
    return found if out is None else out.copy_(found)


def pair_gram(u: Piece, v: Piece, outputs: str, way: str | None = None) -> Tensor:
    """Inner products of two pieces of one weight at two blocks of points, in the cheapest or a given way.

    Returns
    -------
    ``(N, N', C, C)`` for ``"full"``, ``(N, N', C)`` for ``"diagonal"``, ``(N, N')`` for ``"trace"``.
    """
    if way is None:
        way, _ = cheapest(u.sizes, v.sizes, len(u.back), len(v.back), u.back.shape[1], outputs == "full")
    if way == "vectors" and not present(u.read).is_floating_point():
        way = "products"  # rows of an embedding are chosen, not multiplied
    if way == "grams":
        return _grams(u, v, outputs)
    back = u.back.transpose(3, 4).flatten(start_dim=2)  # (N, C, G T m)
    same = u is v and outputs != "diagonal"
    total: Tensor | None = None
    for point in range(len(v.back)):
        some = slice(0, point + 1 if same else None)
        part = _joined(back[some], _applied(u, v, point, way, some), outputs)
        if total is None:
            total = part.new_empty(len(u.back), len(v.back), *part.shape[1:])
        total[some, point] = part
        if same:
            total[point, some] = part.transpose(1, -1) if outputs == "full" else part
    return present(total)


def activations(u: Piece, v: Piece, points: slice | None = None) -> Tensor:
    """``⟨a_n[:, t], a_n'[:, t']⟩`` as ``(G, N · T, N' · T')``, of some of the points ``n'``."""
    left, right = present(u.read), present(v.read)
    right = right if points is None else right[points]
    if not left.is_floating_point():
        one, other = (x.transpose(0, 1).flatten(start_dim=1) for x in (left, right))
        same = (one[:, :, None] == other[:, None, :]) & (one >= 0)[:, :, None]
        return same.to(u.back)
    one = left.permute(1, 0, 3, 2).flatten(start_dim=1, end_dim=2)
    other = right.permute(1, 2, 0, 3).flatten(start_dim=2)
    return torch.matmul(one, other)


def _applied(u: Piece, v: Piece, point: int, way: str, some: slice) -> Tensor:
    """``Σ_t' ⟨a_n[:, t], a_p[:, t']⟩ b_pd[:, t']`` at one point ``p`` and some ``n``, shape ``(N, G T m, C')``."""
    b = v.back[point]  # (C', G, m, T')
    outputs, groups, rows, positions = b.shape
    if way == "vectors":
        a, theirs = present(v.read)[point].transpose(1, 2), present(u.read)[some]
        weight = torch.matmul(b.permute(1, 2, 0, 3).reshape(groups, rows * outputs, positions), a)  # (G, m C', k)
        found = torch.matmul(theirs.transpose(2, 3), weight.transpose(1, 2))  # (N, G, T, m C')
        return found.reshape(len(found), -1, outputs)
    a = activations(replace(u, read=present(u.read)[some]), v, slice(point, point + 1))
    found = torch.matmul(a, b.permute(1, 3, 2, 0).reshape(groups, positions, rows * outputs))
    if groups > 1:
        count = u.back[some].shape[0]
        found = found.reshape(groups, count, -1).transpose(0, 1)
    return found.reshape(-1, groups * u.back.shape[4] * rows, outputs)


def _joined(left: Tensor, right: Tensor, outputs: str) -> Tensor:
    """Inner products of ``(N, C, …)`` with ``(N, …, C')``, all of them, of equal outputs, or their sum."""
    if outputs == "full":
        return torch.matmul(left, right)
    found = torch.einsum("ncx,nxc->nc", left, right)
    return found if outputs == "diagonal" else found.sum(dim=1)


def _grams(u: Piece, v: Piece, outputs: str) -> Tensor:
    """Gram matrices of activations and of derivatives, and their product entry by entry."""
    (points, size, groups, rows, own), others, theirs = u.back.shape, len(v.back), v.back.shape[4]
    a = activations(u, v).reshape(groups, points, own, others, theirs)
    if outputs == "full":
        one = u.back.permute(2, 0, 1, 4, 3).reshape(groups, -1, rows)
        other = v.back.permute(2, 3, 0, 1, 4).reshape(groups, rows, -1)
        b = torch.matmul(one, other).reshape(groups, points, size, own, others, size, theirs)
        return torch.einsum("gntpu,gnctpdu->npcd", a, b)
    b = torch.einsum("ncgmt,pcgmu->gcntpu", u.back, v.back)
    found = torch.einsum("gntpu,gcntpu->npc", a, b)
    return found if outputs == "diagonal" else found.sum(dim=2)


@dataclass(frozen=True, eq=False)
class Factor:
    """The derivative by one weight: a sum of `Piece`s, or ``explicit`` of shape ``(N, C, size)``."""

    name: str
    pieces: tuple[Piece, ...] = ()
    explicit: Tensor | None = None

    def jacobian(self) -> Tensor:
        """Shape ``(N, C, size)``."""
        if self.explicit is not None:
            return self.explicit
        total = self.pieces[0].jacobian()
        for piece in self.pieces[1:]:
            total = total + piece.jacobian()
        return total

    @property
    def once(self) -> bool:
        """Whether the weight acts at one position of a point each time."""
        return self.explicit is None and all(
            p.back.shape[2] == p.back.shape[4] == 1 and (p.read is None or p.read.is_floating_point())
            for p in self.pieces
        )

    @property
    def shift(self) -> bool:
        """Whether the weight is added at one position of a point each time."""
        return self.once and all(piece.read is None for piece in self.pieces)


Features = Callable[[Tensor], list[Factor]]
"""Derivatives at a block of points, one `Factor` for each weight that matters."""


def present(tensor: Tensor | None) -> Tensor:
    """A tensor that must be there."""
    if tensor is None:
        raise PolygeomError("tensor must be there, got None")
    return tensor


def gram(left: Sequence[Factor], right: Sequence[Factor], outputs: str) -> Tensor:
    """Inner products of derivatives at two blocks of points.

    Returns
    -------
    ``(N, N', C, C')`` for ``"full"``, ``(N, N', C)`` for ``"diagonal"``, ``(N, N')`` for ``"trace"``; ``"sum"`` expects
    derivatives of one combination and returns ``(N, N')``.
    """
    partners = {factor.name: factor for factor in right}
    pairs = [(factor, partners[factor.name]) for factor in left if factor.name in partners]
    once = [(u, v) for one, other in pairs if one.once for u in one.pieces for v in other.pieces]
    parts = [*_once(once, outputs)]
    formed = [(present(u.explicit), present(v.explicit)) for u, v in pairs if u.explicit is not None]
    if formed:
        parts.append(_contracted(formed, outputs, left is right))
    for one, other in pairs:
        if one.explicit is None and not one.once:
            parts += [pair_gram(u, v, outputs) for u in one.pieces for v in other.pieces]
    if not parts:
        raise PolygeomError("module must use at least one of its weights; its outputs do not depend on any")
    total = parts[0]
    for part in parts[1:]:
        total = total.add_(part)
    return total


def _contracted(pairs: Sequence[tuple[Tensor, Tensor]], outputs: str, same: bool) -> Tensor:
    """Inner products of derivatives ``(N, C, P)`` and ``(N', C, P)``, weight by weight; half if both are one."""
    if outputs == "diagonal":
        parts = [_back_gram(u, v, outputs) for u, v in pairs]
        return sum(parts[1:], start=parts[0])
    axis = 0 if outputs == "full" else 1
    shapes = [one.shape[: 2 - axis] for one in pairs[0]]
    flat = [
        (u.flatten(end_dim=1), v.flatten(end_dim=1)) if not axis else (u.flatten(1), v.flatten(1)) for u, v in pairs
    ]
    flat = _joined_small(flat)
    count = len(flat[0][0])
    if same and count >= 8 * _PARTS and sum(u.shape[1] for u, _ in flat) >= _LONG:
        total = flat[0][0].new_empty(count, count)
        step = -(-count // _PARTS)
        for start in range(0, count, step):
            rows, columns = slice(start, start + step), slice(start, None)
            block = _products([(u[rows], v[columns]) for u, v in flat])
            total[rows, columns] = block
            total[columns, rows] = block.T
    else:
        total = _products(flat)
    return total if axis else total.reshape(*shapes[0], *shapes[1]).transpose(1, 2)


def _products(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """The sum of ``u vᵀ``."""
    total = torch.mm(pairs[0][0], pairs[0][1].T)
    for u, v in pairs[1:]:
        total.addmm_(u, v.T)
    return total


def _joined_small(pairs: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """Rows of few numbers side by side: one product of matrices for all of them."""
    small = [pair for pair in pairs if pair[0].shape[1] <= _FEW]
    if len(small) < 2:
        return pairs
    left = torch.cat([u for u, _ in small], dim=1)
    right = left if all(u is v for u, v in small) else torch.cat([v for _, v in small], dim=1)
    return [(left, right), *(pair for pair in pairs if pair[0].shape[1] > _FEW)]


def _once(pairs: Sequence[tuple[Piece, Piece]], outputs: str) -> list[Tensor]:
    """Of weights that act at one position: one Gram matrix of derivatives for all that share them."""
    parts = []
    for _, group in groupby(pairs, key=lambda pair: (pair[0].back.data_ptr(), pair[1].back.data_ptr())):
        shared = list(group)
        part = _back_gram(shared[0][0].back[:, :, 0, :, 0], shared[0][1].back[:, :, 0, :, 0], outputs)
        activations = _forward_gram(shared)
        if activations is not None:
            part *= activations.reshape(activations.shape + (1,) * (part.ndim - 2))
        parts.append(part)
    return parts


def _forward_gram(pairs: Sequence[tuple[Piece, Piece]]) -> Tensor | None:
    """The sum of the activations' Gram matrices, an added weight counting as activation 1; None if that is all."""
    read = [(u.read, v.read) for u, v in pairs if u.read is not None and v.read is not None]
    grams = [one[:, 0, :, 0] @ other[:, 0, :, 0].T for one, other in read]
    if not grams:
        return None
    total = sum(grams[1:], start=grams[0])
    return total.add_(len(pairs) - len(grams))


def _back_gram(left: Tensor, right: Tensor, outputs: str) -> Tensor:
    """Inner products of ``(N, C, m)`` and ``(N', C, m)`` in the shape of the wanted outputs."""
    if outputs == "full":
        product = left.flatten(end_dim=1) @ right.flatten(end_dim=1).T
        return product.reshape(*left.shape[:2], *right.shape[:2]).transpose(1, 2)
    if outputs == "diagonal":
        return torch.einsum("ncm,kcm->nkc", left, right)
    return left.flatten(start_dim=1) @ right.flatten(start_dim=1).T


def gram_diagonal(factors: Sequence[Factor]) -> Tensor:
    """Squared lengths of the derivatives, ``(N, C)``: the diagonal of the tangent kernel."""
    total = None
    for factor in factors:
        if not factor.once:
            part = factor.jacobian().square().sum(dim=2)
            total = part if total is None else total + part
            continue
        for u in factor.pieces:
            for v in factor.pieces:
                part = (u.back * v.back).flatten(start_dim=2).sum(dim=2)
                if u.read is not None and v.read is not None:
                    part = part * (u.read * v.read).flatten(start_dim=1).sum(dim=1, keepdim=True)
                total = part if total is None else total + part
    if total is None:
        raise PolygeomError("module must use at least one of its weights; its outputs do not depend on any")
    return total


__all__ = [
    "OUTPUTS",
    "WAYS",
    "Factor",
    "Features",
    "Piece",
    "activations",
    "gram",
    "gram_diagonal",
    "pair_gram",
    "present",
]

"""Residual stacks and transformer blocks of any size: their dimension is the sum over the blocks, a theorem.

Let ``F = F_L ∘ … ∘ F_1`` with ``F_i = id + G_i`` on an N-dimensional space, where ``G_i`` ranges over a cone ``V_i`` of
forms of degree ``r_i ≥ 2``, independently of the others. If for every ``i ≥ 2`` the Jacobian determinant of some
``G_i`` in ``V_i`` is not identically zero, then dim = Σ dim V_i.

*Proof.* At most, because F depends on the ``G_i`` alone. For the converse let W be the variety of the first L - 1
blocks and Ψ a generic point of it; the claim for W is known. ``x ↦ F_i(s x) / s`` replaces ``G_i`` by ``s^{r_i - 1}
G_i`` in the cone ``V_i``, so that it maps W to itself and Ψ to some ``Ψ_s`` that tends to the identity with s. The
tangent spaces of W at ``Ψ_s`` have a limit Λ of the same dimension (for a sequence of s), a space of maps whose
components have degrees ≥ 2. The derivative of ``(Ψ, G_L) ↦ F_L ∘ Ψ`` at ``(Ψ_s, G_L)`` tends to ``(λ, ε) ↦ (1 + DG_L)
λ + ε`` on ``Λ × T V_L``. Let that vanish and λ ≠ 0 have the top component ``λ_m``, ``m ≥ 2``: in degree ``m + r_L - 1
> r_L`` it says ``DG_L λ_m = 0``, so ``λ_m = 0`` where ``det DG_L ≠ 0``, a contradiction. So λ = 0 and ε = 0: the limit
is injective, and so is the derivative at a generic point.

Blocks ``C σ(A x)`` with ``σ = t^r`` of width h have ``det DG ≠ 0`` if and only if ``h ≥ N``: ``DG = C diag(r (A
x)^{r-1}) A``. Acting on every token alone they have it if they have it on one. Attention ``V X Xᵀ A X`` with rank A
up to d has it: ``V = A = 1`` gives ``X Xᵀ X``, which maps the singular values to their cubes, so that it has a smooth
inverse near every matrix of full rank.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from polygeom.dimensions.theorems import Known, exact_dimension
from polygeom.network import Attention, Dense, Network, Power, Sum
from polygeom.network.limits import capped_monomials
from polygeom.symmetry.mixings import readers

THEOREM = __doc__.split("\n\n", 1)[1]
"""Statement and proof."""


def residual_dimension(network: Network) -> Known | None:
    """The dimension of a stack of residual blocks, where the theorem above and those of perceptrons give it; else None.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> block = "x=input(64); a=dense(x,64); b=power(a,2); c=dense(b,64); "
    >>> residual_dimension(parse(block + "s=sum(x,c); d=dense(s,64); e=power(d,2); f=dense(e,64); sum(s,f)"))[0]
    16256
    """
    blocks = list(_blocks(network))
    if not blocks or None in blocks:
        return None
    total, reasons = 0, dict[str, None]()
    for number, block in enumerate(blocks):
        assert block is not None
        value, reason, invertible = block
        if number and not invertible:
            return None
        total += value
        reasons[reason] = None
    return total, f"{len(blocks)} residual blocks, {'; '.join(reasons)}"


Block = tuple[int, str, bool]
"""Dimension of a block without the identity, why, and whether its derivative is invertible somewhere."""


def _blocks(network: Network) -> Iterator[Block | None]:
    """The blocks from the input to the output; None at a place that is no block that is known."""
    read_by, at, last = readers(network), 0, len(network.nodes) - 1
    while at < last:
        end = max(read_by[at])
        if not isinstance(network.nodes[end].layer, Sum) or len(network.nodes[end].inputs) != 2:
            yield None
            return
        inner = network.nodes[end].inputs
        branch = list(range(at + 1, end))
        path = network.nodes[at + 1 : end]
        chained = all(node.inputs == ((at, *branch)[k],) and node.shares is None for k, node in enumerate(path))
        alone = all(read_by[n] == [n + 1] for n in branch) and read_by[at] == [at + 1, end] and branch
        if sorted(inner) != [at, end - 1] or not chained or not alone:
            yield None
            return
        layers = [node.layer for node in path]
        yield _branch(layers, network.shapes[at])
        at = end


def _branch(layers: Sequence[object], shape: tuple[int, ...]) -> Block | None:
    n = shape[-1]
    match layers:
        case [Attention(rank=a, width=d)] if len(shape) == 2 and shape[0] >= 2 and d == n:
            c = min(a, n)
            return c * (2 * n - c) + n * n - 1, "attention, arXiv 2408.17221 Theorem 3.2", a >= n
        case [Dense(width=h, pattern=None), Power(degree=r), Dense(width=d, pattern=None)] if d == n and r >= 2:
            if h >= (every := capped_monomials(n, r, h + 1)):
                return n * every, "powers that span all forms", True
            known = exact_dimension((n, h, n), (r,))
            return None if known is None else (known[0], known[1], h >= n)
    return None

"""Tangent kernels layer by layer: activation Gram matrices times back-propagated ones.

Where a weight matrix acts once, ``v = W a``, the derivative of output ``c`` at point ``n`` is the rank-one matrix
``b_nc ⊗ a_n`` with ``b_nc = ∂f_c/∂v``. Its inner products factor, so the tangent kernel of a dense network is

    K[n, c; n', c'] = Σ_l ⟨a_n, a_n'⟩_l ⟨b_nc, b_n'c'⟩_l

at the cost of the activations instead of the weights: ``N² d`` instead of ``N² d²`` operations for each layer of width
``d``. A weight used several times (tied layers) contributes every pair of uses; one that acts at many positions
(convolutions), entry by entry (scales of batch normalisation) or through another tensor (diagonal scalings) is
differentiated point by point, still without a backward pass for each point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from polygeom.errors import BudgetError, PolygeomError
from polygeom.learning import checks
from polygeom.learning.tangent.functional import WeightFunction
from polygeom.learning.tangent.recording import NotRecordable, Record, Use, record

OUTPUTS = ("full", "trace", "diagonal", "sum")
_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Outer:
    """Derivatives ``b_nc ⊗ a_n``: ``inputs`` ``(N, k)``, or None for an added weight, and ``back`` ``(N, C, m)``."""

    inputs: Tensor | None
    back: Tensor

    def jacobian(self) -> Tensor:
        """The derivatives themselves, ``(N, C, m · k)``."""
        if self.inputs is None:
            return self.back
        return torch.einsum("ncm,nk->ncmk", self.back, self.inputs).flatten(start_dim=2)


@dataclass(frozen=True, eq=False)
class Factor:
    """The derivative by one weight: a sum of `Outer` terms, or ``explicit`` of shape ``(N, C, size)``."""

    name: str
    outers: tuple[Outer, ...] = ()
    explicit: Tensor | None = None

    def jacobian(self) -> Tensor:
        """Shape ``(N, C, size)``."""
        if self.explicit is not None:
            return self.explicit
        total = self.outers[0].jacobian()
        for outer in self.outers[1:]:
            total = total + outer.jacobian()
        return total

    @property
    def terms(self) -> tuple[Outer, ...]:
        """The derivative as `Outer` terms, an explicit one as a term without inputs."""
        return self.outers if self.explicit is None else (Outer(None, self.explicit),)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        held = [t for outer in self.terms for t in (outer.inputs, outer.back) if t is not None]
        return sum(_nbytes(t) for t in held)


Features = Callable[[Tensor], list[Factor]]
"""Derivatives at a block of points, one `Factor` for each weight that matters."""


def layerwise(f: WeightFunction, combinations: Tensor | None = None) -> Features:
    """Derivatives of the outputs, or of ``combinations`` ``(C', C)`` of them, from recorded uses of the weights.

    The returned function raises `NotRecordable` where the module has no layer-wise rule.
    """

    return lambda x: _factors(record(f, x), combinations)


def _factors(seen: Record, combinations: Tensor | None) -> list[Factor]:
    back = _derivatives(seen.outputs, seen.uses, combinations)
    pairs = list(zip(seen.uses, back, strict=True))
    factors = []
    for name, weight in seen.weights.items():
        own = [(use, b) for use, b in pairs if use.weight is weight]
        derived = [(use, b) for use, b in pairs if use.weight is not weight]
        factors += _factor(name, weight, own, derived)
    return factors


@dataclass(frozen=True, eq=False)
class Trial:
    """What differentiating one combination of the outputs at ``points`` points layer by layer has shown.

    Attributes
    ----------
    points, outputs:
        How many points, and the number of outputs ``C``.
    factors:
        The derivatives of the combination.
    seen:
        The evaluation.
    """

    points: int
    outputs: int
    factors: list[Factor]
    seen: Record

    def held(self, outputs: int) -> int:
        """Bytes of the derivatives of so many outputs at one point."""
        terms = [outer for factor in self.factors for outer in factor.terms]
        back = sum(_nbytes(outer.back) for outer in terms)
        inputs = sum(_nbytes(outer.inputs) for outer in terms if outer.inputs is not None)
        return (back * outputs + inputs) // self.points

    def working_memory(self, outputs: int) -> int:
        """Bytes taken for one point on the way there: all values, and derivatives of so many outputs by them."""
        uses = self.seen.uses
        windows = max((_nbytes(use.read()) for use in uses if use.read is not None), default=0)
        distinct = sum(_nbytes(value) for value in {id(use.outputs): use.outputs for use in uses}.values())
        return -(-(self.seen.nbytes + windows + (2 * outputs + 1) * distinct) // self.points)


def _nbytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def pointwise(f: WeightFunction, combinations: Tensor | None = None) -> Features:
    """The same derivatives by a backward pass for each point and output, many at once (``vmap`` of ``jacrev``)."""

    def combined(weights: dict[str, Tensor], point: Tensor) -> Tensor:
        y = f.point(weights, point)
        return y if combinations is None else combinations.to(y) @ y

    def features(x: Tensor) -> list[Factor]:
        with checks.plain_attention():
            derivatives = torch.func.vmap(torch.func.jacrev(combined), in_dims=(None, 0))(f.weights, x)
        return [Factor(name, explicit=_flat(value.detach(), 2)) for name, value in derivatives.items()]

    return features


def single(f: WeightFunction, combinations: Tensor | None = None) -> Features:
    """The same derivatives for every module, one point after the other: what has no rule for ``vmap`` works as well."""

    def features(x: Tensor) -> list[Factor]:
        with checks.plain_attention(), torch.enable_grad():
            points = [_by_backward(f, point, combinations) for point in torch.split(x, 1)]
        return [Factor(name, explicit=torch.stack([own[name] for own in points])) for name in f.weights]

    return features


def _by_backward(f: WeightFunction, point: Tensor, combinations: Tensor | None) -> dict[str, Tensor]:
    """Derivatives ``(C, size)`` by every weight at one point."""
    weights = {name: weight.detach().requires_grad_() for name, weight in f.weights.items()}
    y = f(weights, point)[0]
    y = y if combinations is None else combinations.to(y) @ y
    rows = [
        torch.autograd.grad(value, list(weights.values()), retain_graph=True, allow_unused=True)
        if value.requires_grad else [None] * len(weights)
        for value in y
    ]  # fmt: skip
    return {
        name: torch.stack([(torch.zeros_like(weight) if g is None else g).reshape(-1) for g in own])
        for (name, weight), own in zip(weights.items(), zip(*rows, strict=True), strict=True)
    }


def generic(f: WeightFunction, x: Tensor) -> Callable[[WeightFunction, Tensor | None], Features]:
    """`pointwise` where torch has all rules for it, tried on two points; else `single`, with a `FallbackWarning`."""
    x = x[:2]
    try:
        batched = {factor.name: factor.jacobian() for factor in pointwise(f)(x)}
        reason = "the rules that torch has for a batch of points give other numbers"
    except BudgetError:  # a limit of time or memory, no rule that is missing
        raise
    except Exception as error:  # noqa: BLE001  whatever torch's batching rules stumble over
        batched, reason = {}, f"{type(error).__name__}: {error}"
    for name, expected in ((factor.name, factor.jacobian()) for factor in single(f)(x) if batched):
        if (batched[name] - expected).norm() > _TOLERANCE * expected.norm():
            batched = {}
            break
    if batched:
        return pointwise
    checks.warn(f"module has no derivatives for many points at once, they are taken point by point: {reason}")
    return single


def _flat(values: Tensor, axes: int) -> Tensor:
    """All axes after the first ``axes`` as one, also where there are none."""
    return values.reshape(*values.shape[:axes], -1)


def layerwise_trial(f: WeightFunction, x: Tensor) -> Trial | None:
    """A trial on two points where recorded uses explain the derivatives of ``f``, None where they do not.

    It is compared with automatic differentiation, which also finds weights that act unseen (inside autograd functions)
    and points that influence each other.
    """
    x = x[:2]
    try:
        seen = record(f, x)
    except NotRecordable:
        return None
    size = seen.outputs.shape[1]
    mixture = torch.linspace(1.0, 2.0, size, dtype=torch.float64).to(next(iter(f.weights.values()))).unsqueeze(0)
    found = _factors(seen, mixture)
    factors = {factor.name: factor for factor in found}
    for number in range(len(x)):
        weights = {name: weight.detach().requires_grad_() for name, weight in f.weights.items()}
        with torch.enable_grad():  # also where the caller needs no derivatives
            value = (f(weights, x[number : number + 1]) @ mixture[0]).sum()
        wanted = torch.autograd.grad(value, list(weights.values()), allow_unused=True)
        for (name, weight), gradient in zip(weights.items(), wanted, strict=True):
            expected = torch.zeros_like(weight) if gradient is None else gradient
            own = factors[name].jacobian()[number] if name in factors else torch.zeros_like(weight)
            if (own.reshape(-1) - expected.reshape(-1)).norm() > _TOLERANCE * expected.norm():
                return None
    return Trial(len(x), size, found, seen)


def _derivatives(y: Tensor, uses: Sequence[Use], combinations: Tensor | None) -> list[Tensor]:
    """``(N, C, T, m)`` for every use; points are independent, so a sum over points differentiates all at once."""
    rows = torch.eye(y.shape[1], dtype=y.dtype, device=y.device) if combinations is None else combinations.to(y)
    distinct = {id(use.outputs): use for use in uses}
    values = [use.outputs for use in distinct.values()]
    found: list[list[Tensor]] = []
    for number, row in enumerate(rows):
        more = number < len(rows) - 1
        with torch.enable_grad():
            value = (y @ row).sum()
        gradients = torch.autograd.grad(value, values, retain_graph=more, allow_unused=True)
        found.append([torch.zeros_like(v) if g is None else g for g, v in zip(gradients, values, strict=True)])
    arranged = {
        key: use.arrange(torch.stack(own)).transpose(0, 1).contiguous()
        for (key, use), own in zip(distinct.items(), zip(*found, strict=True), strict=True)
    }
    return [arranged[id(use.outputs)] for use in uses]


def _factor(name: str, weight: Tensor, own: list[tuple[Use, Tensor]], others: list[tuple[Use, Tensor]]) -> list[Factor]:
    """The factor of one weight, explicit where it acts at several positions or through another tensor."""
    explicit = [_explicit(use, b) for use, b in own if b.shape[2] > 1 or use.scales]
    outers = tuple(Outer(_only(use), b[:, :, 0]) for use, b in own if b.shape[2] == 1 and not use.scales)
    for use, b in others:
        if use.weight.grad_fn is None:
            continue
        derivative = _explicit(use, b)
        rows = derivative.reshape(-1, *use.weight.shape)
        (pulled,) = torch.autograd.grad(
            use.weight, weight, rows, retain_graph=True, is_grads_batched=True, allow_unused=True
        )
        if pulled is not None:
            explicit.append(pulled.reshape(*b.shape[:2], -1))
    if not explicit:
        return [Factor(name, outers)] if outers else []
    total = sum((outer.jacobian() for outer in outers), start=sum(explicit[1:], start=explicit[0]))
    return [Factor(name, explicit=total)]


def _only(use: Use) -> Tensor | None:
    return None if use.read is None else use.read()[:, 0]


def _explicit(use: Use, back: Tensor) -> Tensor:
    if use.read is None:
        return back.sum(dim=2)
    if use.scales:
        return torch.einsum("nctm,ntm->ncm", back, use.read())
    return torch.einsum("nctm,ntk->ncmk", back, use.read()).flatten(start_dim=2)


def gram(left: Sequence[Factor], right: Sequence[Factor], outputs: str) -> Tensor:
    """Inner products of derivatives at two blocks of points.

    Returns
    -------
    ``(N, N', C, C')`` for ``"full"``, ``(N, N', C)`` for ``"diagonal"``, ``(N, N')`` for ``"trace"``; ``"sum"`` expects
    derivatives of one combination and returns ``(N, N')``.
    """
    partners = {factor.name: factor for factor in right}
    pairs = [
        (u, v) for factor in left if factor.name in partners for u in factor.terms for v in partners[factor.name].terms
    ]
    total: Tensor | None = None
    for _, group in groupby(pairs, key=lambda pair: (pair[0].back.data_ptr(), pair[1].back.data_ptr())):
        shared = list(group)
        part = _back_gram(shared[0][0].back, shared[0][1].back, outputs)
        activations = _forward_gram(shared)
        if activations is not None:
            part *= activations.reshape(activations.shape + (1,) * (part.ndim - 2))
        total = part if total is None else total.add_(part)
    if total is None:
        raise PolygeomError("module must use at least one of its weights; its outputs do not depend on any")
    return total


def _forward_gram(pairs: Sequence[tuple[Outer, Outer]]) -> Tensor | None:
    """The sum of the activations' Gram matrices, an added weight counting as activation 1; None if that is all."""
    grams = [u.inputs @ v.inputs.T for u, v in pairs if u.inputs is not None and v.inputs is not None]
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
        for u in factor.terms:
            for v in factor.terms:
                part = (u.back * v.back).sum(dim=2)
                if u.inputs is not None and v.inputs is not None:
                    part = part * (u.inputs * v.inputs).sum(dim=1, keepdim=True)
                total = part if total is None else total + part
    if total is None:
        raise PolygeomError("module must use at least one of its weights; its outputs do not depend on any")
    return total

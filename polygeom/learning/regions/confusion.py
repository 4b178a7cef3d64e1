"""Gradient confusion: whether two inputs pull the weights in the same direction.

The confusion of a pair is the cosine of the gradients of the two single-sample losses with respect to all weights and
biases. A dense layer with inputs ``a_i`` and output gradients ``d_i`` contributes ``d_i a_iᵀ`` to the gradient of
sample ``i``, hence ``(d_i · d_j) (a_i · a_j + 1)`` to the inner product of two gradients (the 1 from the bias). One
backward pass for all inputs together thus gives the inner products of any number of pairs, and no gradient is ever
formed. Polynomial networks are made of dense layers and products, and follow the same rule.

A two-dimensional convolution is a dense layer on patches. Parameters that are used in any other way (normalisations,
scales) are recognised, and their per-sample
gradients are formed by `torch.func`, a block of pairs at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.errors import BudgetError, PolygeomError
from polygeom.learning import checks
from polygeom.learning import targets as fitting
from polygeom.learning.calls import call_with
from polygeom.learning.recording import evaluation_mode
from polygeom.learning.regions.affine import AffineMap, record
from polygeom.learning.regions.regions import checked_pairs

Loss = Callable[[Any, Tensor], Tensor]
_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class GradientProducts:
    """Inner products of the gradients of pairs of samples.

    Attributes
    ----------
    inner:
        ``g_i · g_j`` for every pair, ``(P,)``.
    norms:
        ``|g_i|, |g_j|`` for every pair, ``(P, 2)``.
    """

    inner: np.ndarray
    norms: np.ndarray

    @property
    def cosines(self) -> np.ndarray:
        """``g_i · g_j / (|g_i| |g_j|)``, zero where a gradient vanishes."""
        sizes = self.norms.prod(axis=1)
        quotients = np.divide(self.inner, sizes, out=np.zeros_like(self.inner), where=sizes > 0)
        cosines: np.ndarray = np.clip(quotients, -1.0, 1.0)
        return cosines

    @property
    def bound(self) -> float:
        """``η = max(0, -min g_i · g_j)`` over the pairs, the confusion bound of Sankararaman et al.,
        arXiv 1904.06963."""
        return max(0.0, -float(self.inner.min(initial=0.0)))


def gradient_confusion(
    module: nn.Module, inputs: Any, targets: Any, pairs: Any, *, loss: str | Loss = "mse"
) -> np.ndarray:
    """Cosines of the loss gradients of pairs of samples, ``(P,)``; parameters as for `gradient_products`.

    Examples
    --------
    >>> import torch
    >>> from polygeom.network import ccp
    >>> module = ccp(2, rank=8, degree=3, bias=True).to_torch()
    >>> x = torch.rand(100, 2, dtype=torch.float64)
    >>> gradient_confusion(module, x, x[:, :1] ** 2, [[7, 7]]).round(6)
    array([1.])
    """
    return gradient_products(module, inputs, targets, pairs, loss=loss).cosines


def gradient_products(
    module: nn.Module,
    inputs: Any,
    targets: Any,
    pairs: Any,
    *,
    loss: str | Loss = "mse",
    memory: int = 1 << 26,
) -> GradientProducts:
    """Inner products of the loss gradients of pairs of samples, from one forward and one backward pass.

    Parameters
    ----------
    module:
        Any network that treats the rows of a batch independently of each other. It is run in evaluation mode.
    inputs, targets:
        ``(N, …)``, the samples. Only those that occur in a pair are run. Targets have the shape of the outputs, axes of
        length 1 aside; see `polygeom.learning.checks` for what is accepted and how it is read.
    pairs:
        Positions ``(P, 2)``.
    loss:
        ``"mse"``: mean over the outputs of the squared error; ``"cross_entropy"``: of logits ``(N, C)`` with classes
        ``(N,)`` or shares ``(N, C)``, the mean over positions of logits ``(N, C, …)``; or a function of what the module
        returns and of targets that gives the losses ``(N,)`` of the samples.
    memory:
        About how many bytes the intermediate arrays may take.

    Returns
    -------
    GradientProducts
        In float64, computed in the type of the module.

    Raises
    ------
    PolygeomError
        When pairs lie outside the samples, targets do not fit the outputs, a loss is unknown or not one number for each
        sample, and for modules that mix samples or draw at random.

    Warns
    -----
    FallbackWarning
        Where torch has no rule for the gradients of many samples at once (recurrent layers, PReLU).
    """
    with torch.enable_grad(), evaluation_mode(checks.a_module(module)), checks.plain_attention():
        x, y = _samples(module, inputs, targets, loss)
        chosen = checked_pairs(pairs, len(x))
        if not len(chosen):
            return GradientProducts(np.zeros(0), np.zeros((0, 2)))
        used, positions = np.unique(chosen, return_inverse=True)
        rows = torch.as_tensor(used, device=x.device)
        local = torch.as_tensor(positions.reshape(-1, 2), device=x.device)
        diagonal = torch.arange(len(used), device=x.device)[:, None].expand(-1, 2)
        total = _gradients(module, x[rows], y[rows], _per_sample(loss), memory)
        with torch.no_grad():
            both = total.products(torch.cat([local, diagonal]))
    inner, squares = both[: len(local)], both[len(local) :]
    norms = squares.clamp(min=0).sqrt()[local]
    return GradientProducts(inner.cpu().numpy(), norms.cpu().numpy())


def _samples(module: nn.Module, inputs: Any, targets: Any, loss: str | Loss) -> tuple[Tensor, Tensor]:
    """Inputs and targets as module and loss read them; losses must be one number for each sample, on its own."""
    rule = _per_sample(loss)
    checks.refuse_batch_statistics(module)
    if not any(p.requires_grad for p in module.parameters()):
        raise PolygeomError("module must have a parameter that requires gradients; call module.requires_grad_(True)")
    if not callable(loss):
        x, shape = checks.accept(module, module, inputs, name="inputs")
        checks.refuse_recomputed(module, x)
        to = checks.like(module)
        targets = fitting.as_many(targets, len(x))
        return x, (fitting.values if loss == "mse" else fitting.classes)(targets, (len(x), *shape), to)
    x = checks.points(inputs, checks.like(module), name="inputs", integers=checks.reads_integers(module))
    checks.refuse_recomputed(module, x)
    y = fitting.as_many(targets, len(x)).to(x.device)
    y = y.to(checks.like(module).dtype) if y.is_floating_point() else y

    def losses(rows: Tensor) -> Tensor:
        found = fitting.own_loss(rule, checks.evaluate(module, x[rows]), y[rows])
        if not isinstance(found, Tensor) or found.shape != (len(rows),):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise PolygeomError(
                f"loss must give one number for each of the {len(rows)} samples, got shape {shape}; "
                "write a loss without its mean over the batch"
            )
        return found

    with torch.no_grad():
        checks.independent(losses, x)
    return x, y


def _per_sample(loss: str | Loss) -> Loss:
    losses: dict[str, Loss] = {"mse": _squares, "cross_entropy": _cross_entropy}
    if callable(loss):
        return loss
    if not isinstance(loss, str) or loss not in losses:
        raise PolygeomError(f"loss must be one of {', '.join(losses)} or a function, got {loss!r}; write loss='mse'")
    return losses[loss]


def _squares(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().reshape(len(outputs), -1).mean(dim=1)


def _cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(outputs, targets, reduction="none").reshape(len(outputs), -1).mean(dim=1)


@dataclass(frozen=True, eq=False)
class _Use:
    """One way in which a parameter enters: its gradient for sample ``i`` is ``Σ_t d_it a_itᵀ``, or ``Σ_t d_it``."""

    gradients: Tensor
    inputs: Tensor | None


def _gradients(module: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, memory: int) -> _Gradients:
    """The gradients by their factors; formed, one by one, where factors do not explain those of two samples.

    The trial finds weights that act unseen, inside autograd functions for instance.
    """
    found = _Gradients(module, inputs, targets, loss, memory)
    some = torch.tensor([0, len(inputs) - 1] if len(inputs) else [], dtype=torch.int64, device=inputs.device)
    if not len(some):
        return found
    trained = [p for p in module.parameters() if p.requires_grad]
    flat = []
    for row in some.tolist():
        own = loss(module(inputs[row : row + 1]), targets[row : row + 1]).sum()
        slopes = torch.autograd.grad(own, trained, allow_unused=True) if own.requires_grad else [None] * len(trained)
        pairs = zip(slopes, trained, strict=True)
        flat.append(torch.cat([(torch.zeros_like(p) if g is None else g).reshape(-1) for g, p in pairs]).double())
    expected = torch.stack([flat[0] @ flat[0], flat[0] @ flat[1], flat[1] @ flat[1]])
    with torch.no_grad():
        products = found.products(torch.stack([some[[0, 0]], some, some[[1, 1]]]))
    if (products - expected).abs().max() <= _TOLERANCE * expected.abs().max():
        return found
    return _Gradients(module, inputs, targets, loss, memory, formed=True)


class _Gradients:
    """The gradients of all samples, kept as the factors of which they are made."""

    def __init__(
        self, module: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, memory: int, *, formed: bool = False
    ) -> None:
        self._module, self._inputs, self._targets, self._loss, self._memory = module, inputs, targets, loss, memory
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        recording = record(module, inputs)
        losses = loss(recording.output, targets)
        if not losses.requires_grad:
            raise PolygeomError("loss must depend on weights that require gradients, but its value has no derivative")
        maps = [m for m in recording.maps if len(m.values) == len(inputs) and m.values.requires_grad]
        lost = {name for m in recording.maps if m not in maps for name in (m.weight_name, m.bias_name)}
        self._shared: dict[str, list[_Use]] = defaultdict(list)
        self._fused: list[tuple[_Use, bool]] = []
        self._batched = True
        if formed:
            self._collect([], losses, set(trained), trained)
        else:
            self._collect(maps, losses, trained.keys() & (recording.other | lost), trained)

    def _collect(
        self, maps: list[AffineMap], losses: Tensor, other: set[str], trained: dict[str, nn.Parameter]
    ) -> None:
        points = [point for m in maps for point in (m.products, m.values)]
        slopes = torch.autograd.grad(losses.sum(), points, allow_unused=True) if points else ()
        names = [name for m in maps for name in (m.weight_name, m.bias_name) if name is not None]
        for number, m in enumerate(maps):
            at_products, at_values = (
                m.tokens(torch.zeros_like(p) if g is None else g)
                for p, g in zip(points[2 * number : 2 * number + 2], slopes[2 * number : 2 * number + 2], strict=True)
            )
            weight = m.weight_name in trained and m.weight_name not in other
            bias = m.bias_name in trained and m.bias_name not in other
            once = names.count(str(m.weight_name)) == 1 and (not bias or names.count(str(m.bias_name)) == 1)
            use = _Use(at_products, _tokens(m.inputs.detach()))
            if weight and once and m.products is m.values:
                self._fused.append((use, bias))
                continue
            if weight:
                self._shared[str(m.weight_name)].append(use)
            if bias:
                self._shared[str(m.bias_name)].append(_Use(at_values, None))
        self._other = {name: trained[name].detach() for name in sorted(other)}

    def products(self, pairs: Tensor) -> Tensor:
        """``g_i · g_j``, ``(P,)`` in float64."""
        total = torch.zeros(len(pairs), dtype=torch.float64, device=pairs.device)
        groups = [[use] for use, _ in self._fused] + list(self._shared.values())
        for number, uses in enumerate(groups):
            extra = 1.0 if number < len(self._fused) and self._fused[number][1] else 0.0
            size = sum(u.gradients[0].numel() + (u.inputs[0].numel() if u.inputs is not None else 0) for u in uses)
            for start, part in self._blocks(pairs, 2 * size * uses[0].gradients.element_size()):
                for first in uses:
                    for second in uses:
                        total[start : start + len(part)] += _product(first, second, part, extra)
        if self._other:
            size = 2 * sum(p.numel() * p.element_size() for p in self._other.values())
            for start, part in self._blocks(pairs, size):
                total[start : start + len(part)] += self._formed(part)
        return total

    def _blocks(self, pairs: Tensor, size: int) -> list[tuple[int, Tensor]]:
        step = max(1, self._memory // size)
        return [(start, pairs[start : start + step]) for start in range(0, len(pairs), step)]

    def _formed(self, pairs: Tensor) -> Tensor:
        """The share of the parameters whose gradients have to be formed."""
        rows, positions = torch.unique(pairs, return_inverse=True)
        gradients = self._by_samples(self._inputs[rows], self._targets[rows])
        total = torch.zeros(len(pairs), dtype=torch.float64, device=pairs.device)
        for gradient in gradients.values():
            flat = gradient.reshape(len(rows), -1)
            total += (flat[positions[:, 0]] * flat[positions[:, 1]]).sum(dim=1).double()
        return total

    def _by_samples(self, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Gradients of some samples, all at once, or one after the other where torch has no rule for a batch."""
        from torch.func import grad, vmap

        def loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            return self._loss(call_with(self._module, parameters, x[None]), y[None])[0]

        if self._batched:
            try:
                return dict(vmap(grad(loss), in_dims=(None, 0, 0))(self._other, inputs, targets))
            except BudgetError:  # a limit of time or memory, no rule that is missing
                raise
            except Exception as error:  # noqa: BLE001  whatever torch's batching rules stumble over
                self._batched = False
                checks.warn(f"module has no gradients for many samples at once, they are taken one by one: {error}")
        weights = {name: value.detach().requires_grad_() for name, value in self._other.items()}
        rows = []
        with torch.enable_grad():
            for x, y in zip(inputs, targets, strict=True):
                value = loss(weights, x, y)
                held = list(weights.values())
                slopes = (
                    torch.autograd.grad(value, held, allow_unused=True) if value.requires_grad else [None] * len(held)
                )
                rows.append([torch.zeros_like(w) if g is None else g for g, w in zip(slopes, held, strict=True)])
        return {name: torch.stack(own) for name, own in zip(weights, zip(*rows, strict=True), strict=True)}


def _tokens(values: Tensor) -> Tensor:
    """``(N, …, k)`` as ``(N, T, k)``."""
    return values.reshape(len(values), -1, values.shape[-1])


def _product(first: _Use, second: _Use, pairs: Tensor, extra: float) -> Tensor:
    i, j = pairs.T
    value = torch.einsum("ptm,psm->pts", first.gradients[i], second.gradients[j])
    if first.inputs is not None and second.inputs is not None:
        value = value * (torch.einsum("ptk,psk->pts", first.inputs[i], second.inputs[j]) + extra)
    return value.sum(dim=(1, 2)).double()

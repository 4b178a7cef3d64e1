"""A torch module as a function of its weights: what tangent kernels, linearised models and mixed derivatives share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.calls import alone, call_with

Parameters = str | Iterable[str] | Callable[[str], bool] | None
"""Which parameters of a module are its weights; see `weight_function`."""
DEFAULT_BUDGET = 2**30
"""Bytes that a computation of this room may hold at once unless told otherwise: one gibibyte."""


@dataclass(frozen=True, eq=False)
class WeightFunction:
    """``f(w, x)``: the outputs of a module at points ``x`` for any weights ``w``, flattened to ``(N, C)``.

    Attributes
    ----------
    module:
        The module; it is not changed.
    weights:
        Copies of the parameters that are asked for, by name: the point at which derivatives are taken.
    constants:
        Buffers and all other parameters.
    head:
        The name of the output that is looked at, of a module with a dictionary of them.
    """

    module: nn.Module
    weights: dict[str, Tensor]
    constants: dict[str, Tensor]
    head: str | None = None

    def outputs(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Outputs ``(N, *output_shape)`` at points ``(N, *input_shape)``, in the shape that the module gives them."""
        return self.read(self.value(weights, x), len(x))

    def value(self, weights: Mapping[str, Tensor], x: Tensor) -> Any:
        """What the module gives, whatever it is."""
        return call_with(self.module, {**self.constants, **weights}, x)

    def read(self, value: Any, count: int) -> Tensor:
        """The outputs ``(N, *output_shape)`` in what the module gave at so many points."""
        return checks.outputs(_headed(value, self.head), count)

    def __call__(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Outputs ``(N, C)`` at points ``(N, *input_shape)``."""
        return self.outputs(weights, x).reshape(len(x), -1)

    def point(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Outputs ``(C,)`` at one point, for ``torch.func.vmap``."""
        return self(weights, x.unsqueeze(0)).squeeze(0)

    def along(self, tangent: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs at ``x`` and their derivative along a displacement of the weights, both ``(N, *output_shape)``.

        One forward-mode pass; where torch has no forward mode for something in the module, two backward passes, and
        where it has no second derivatives either, the Jacobian itself, both with a `FallbackWarning`. The derivative
        can be differentiated by the displacement.
        """
        with checks.plain_attention():
            try:
                found: tuple[Tensor, Tensor] = torch.func.jvp(  # type: ignore[assignment]
                    lambda w: self.outputs(w, x), (self.weights,), (dict(tangent),)
                )
            except RuntimeError as error:
                checks.warn(f"module has no forward-mode derivative, two backward passes take its place: {error}")
                try:
                    return self._by_two_passes(tangent, x)
                except RuntimeError as second:
                    checks.warn(f"module has no second derivatives, its Jacobian takes their place: {second}")
                try:
                    return self._by_rows(tangent, x)
                except torch.cuda.OutOfMemoryError:
                    raise
                except RuntimeError as third:
                    raise PolygeomError(
                        f"module must have derivatives by its weights wherever they are, got {type(third).__name__}: "
                        f"{str(third).strip().splitlines()[0]}; write it without checkpoints and other recomputing"
                    ) from third
        return found

    def _by_rows(self, tangent: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        """``J v`` from the gradients of single outputs."""
        with torch.enable_grad():
            weights = {name: weight.detach().requires_grad_() for name, weight in self.weights.items()}
            value = self.outputs(weights, x)
            rows = [
                torch.autograd.grad(one, list(weights.values()), retain_graph=True, allow_unused=True)
                for one in value.reshape(-1)
            ]
        moved = [tangent[name] for name in weights]
        changes = [
            sum(((g * t).sum() for g, t in zip(row, moved, strict=True) if g is not None), start=value.new_zeros(()))
            for row in rows
        ]
        return value.detach(), torch.stack(changes).reshape(value.shape)

    def _by_two_passes(self, tangent: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        """``J v`` as the derivative of ``⟨Jᵀ u, v⟩`` by ``u``."""
        keep = torch.is_grad_enabled()
        with torch.enable_grad():
            weights = {name: weight.detach().requires_grad_() for name, weight in self.weights.items()}
            value = self.outputs(weights, x)
            u = torch.zeros_like(value, requires_grad=True)
            pulled = torch.autograd.grad(value, list(weights.values()), u, create_graph=True, allow_unused=True)
            pairs = [(one, tangent[name]) for name, one in zip(weights, pulled, strict=True) if one is not None]
            if not any(one.requires_grad for one, _ in pairs):
                return value if x.requires_grad else value.detach(), torch.zeros_like(value)
            inner = torch.stack([(one * other).sum() for one, other in pairs]).sum()
            (change,) = torch.autograd.grad(inner, u, create_graph=keep)
        return value if x.requires_grad else value.detach(), change

    def accept(self, x: Any, *, name: str = "inputs") -> tuple[Tensor, torch.Size]:
        """Points as the module reads them and the shape of its outputs at one point; see `polygeom.learning.checks`."""
        to = next(iter(self.weights.values()))
        read, shape = checks.accept(self.module, lambda points: self.outputs(self.weights, points), x, name=name, to=to)
        checks.refuse_recomputed(lambda points: self.outputs(self.weights, points), read)
        return read, shape

    def prepare(self, x: Any, *, name: str = "inputs") -> Tensor:
        """Points as the module reads them."""
        return self.accept(x, name=name)[0]

    @property
    def parameter_count(self) -> int:
        """``P``, the number of weights."""
        return sum(weight.numel() for weight in self.weights.values())

    def flat(self, weights: Mapping[str, Tensor]) -> Tensor:
        """One vector ``(P,)`` of weights or displacements given by name, in the order of `weights`."""
        return torch.cat([weights[name].reshape(-1) for name in self.weights])

    def unflat(self, vector: Tensor) -> dict[str, Tensor]:
        """The inverse of `flat`."""
        vector = checks.tensor(vector, "vector")
        if vector.shape != (self.parameter_count,):
            raise PolygeomError(f"vector must have shape ({self.parameter_count},), got {tuple(vector.shape)}")
        vector = vector.to(next(iter(self.weights.values())))
        pieces = torch.split(vector, [weight.numel() for weight in self.weights.values()])
        return {name: piece.reshape(w.shape) for piece, (name, w) in zip(pieces, self.weights.items(), strict=True)}


def weight_function(
    module: nn.Module,
    *,
    dtype: torch.dtype | None = torch.float64,
    keep: bool = False,
    parameters: Parameters = None,
    head: str | None = None,
) -> WeightFunction:
    """`WeightFunction` of a module at its present weights.

    Parameters
    ----------
    module:
        Every point must be treated on its own: batch normalisation in evaluation mode (fixed statistics), no dropout.
    dtype:
        Precision of weights and buffers in the function; None keeps the module's.
    keep:
        Whether the function outlives the call: then it has a copy of the module, which later changes do not reach.
    parameters:
        Which parameters are the weights: names, perhaps with ``*`` (``"head.*"``, ``["*.lora_A", "*.lora_B"]``), or a
        function from names to booleans; None for those that require gradients.
    head:
        For modules that return a dictionary: the name of the output that is looked at.

    Raises
    ------
    PolygeomError
        When points would influence each other, outputs would be random, nothing can be trained, derivatives would be
        sparse, or torch is told to take none (`torch.inference_mode`).

    Examples
    --------
    >>> f = weight_function(nn.Linear(3, 2))
    >>> f.parameter_count, f(f.weights, torch.ones(4, 3, dtype=torch.float64)).shape
    (8, torch.Size([4, 2]))
    """
    checks.refuse_batch_statistics(module)
    if torch.is_inference_mode_enabled():
        raise PolygeomError(
            "module has no derivatives within torch.inference_mode, got a call from there; write torch.no_grad()"
        )

    def own(tensor: Tensor) -> Tensor:
        wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        tensor = tensor.detach()
        return tensor.clone() if tensor.dtype == wanted else tensor.to(wanted)

    named: dict[str, Tensor] = {}
    buffers: dict[str, Tensor] = {}
    met: set[int] = set()
    with alone(module) as found:
        for prefix, part in found:
            if isinstance(part, nn.Embedding | nn.EmbeddingBag) and part.sparse:
                raise PolygeomError(
                    f"module must have dense derivatives, but {prefix or type(part).__name__!r} has sparse=True; "
                    "write sparse=False, which changes no value"
                )
            for held, kept in ((part._parameters, named), (part._buffers, buffers)):
                for name, one in held.items():
                    if one is not None and id(one) not in met:  # a tensor counts under its first name
                        met.add(id(one))
                        checks.real(one)
                        kept[f"{prefix}.{name}" if prefix else name] = one
    chosen = {name for name, p in named.items() if p.requires_grad}
    if parameters is not None:
        chosen = chosen_parameters(module, parameters)
    weights = {name: own(p) for name, p in named.items() if name in chosen}
    if not weights:
        raise PolygeomError("module must have a parameter that requires gradients; call module.requires_grad_(True)")
    constants = {name: own(p) for name, p in named.items() if name not in chosen}
    constants.update({name: own(buffer) for name, buffer in buffers.items()})
    return WeightFunction(standalone(module) if keep else module, weights, constants, head)


def chosen_parameters(module: nn.Module, parameters: Parameters) -> set[str]:
    """Names of the parameters that are asked for; see `weight_function`.

    Raises
    ------
    PolygeomError
        When a name or pattern is that of no parameter, or is no text.

    Examples
    --------
    >>> sorted(chosen_parameters(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)), "1.*"))
    ['1.bias', '1.weight']
    """
    names = [name for name, _ in module.named_parameters()]
    if parameters is None:
        return {name for name, p in module.named_parameters() if p.requires_grad}
    if callable(parameters):
        found = {name for name in names if parameters(name)}
        if not found:
            raise PolygeomError(f"parameters must choose at least one of {', '.join(names[:10])}")
        return found
    found = set()
    for pattern in [parameters] if isinstance(parameters, str | Tensor) else parameters:
        if not isinstance(pattern, str):
            of = next((name for name, own in module.named_parameters() if own is pattern), names[0] if names else "")
            raise PolygeomError(
                f"parameters must be names or patterns of names, got a {type(pattern).__name__}; write [{of!r}]"
            )
        own = {name for name in names if fnmatchcase(name, pattern)}
        if not own:
            raise PolygeomError(f"parameters: {pattern!r} is no parameter, there are {', '.join(names[:10])}")
        found |= own
    return found


def _headed(value: Any, head: str | None) -> Any:
    """The output that is looked at."""
    if head is None:
        return value
    if not isinstance(value, Mapping):
        raise PolygeomError(f"head={head!r} has no effect: the module returns no dictionary of outputs; leave it out")
    if head not in value:
        raise PolygeomError(f"head must be one of {', '.join(map(str, value))}, got {head!r}")
    return value[head]


def standalone(module: nn.Module) -> nn.Module:
    """A copy that shares no weight, buffer, part or mode with the module.

    Raises
    ------
    PolygeomError
        When the module cannot be copied.

    Examples
    --------
    >>> module = nn.Sequential(nn.Linear(2, 1))
    >>> mine = standalone(module)
    >>> module[0] = nn.Linear(2, 7)
    >>> mine
    Sequential(
      (0): Linear(in_features=2, out_features=1, bias=True)
    )
    """
    try:
        with alone(checks.a_module(module)) as found:
            computed = [value for _, part in found for value in vars(part).values() if isinstance(value, Tensor)]
            # what hooks have computed from weights, such as those of weight_norm; torch refuses to copy it
            memo: dict[int, Any] = {id(value): value.detach().clone() for value in computed if not value.is_leaf}
            return copy.deepcopy(module, memo)
    except PolygeomError:
        raise
    except Exception as error:  # anything that a part may hold
        raise PolygeomError(
            f"module must be a module that copy.deepcopy can copy, got {type(error).__name__}: {error}; keep what "
            "cannot be copied (open files, locks) out of the module"
        ) from error


def reset_statistics(module: nn.Module) -> nn.Module:
    """Bring the running statistics of batch normalisation back to initialisation, in place: mean 0, variance 1.

    Weights, and the scales and shifts of the normalisation, stay. So linearisations at trained weights are compared
    with those at the start in arXiv 2106.06770: what training learned about the inputs' moments is no advantage.

    Examples
    --------
    >>> norm = nn.BatchNorm1d(2, momentum=0.5)
    >>> _ = norm(torch.tensor([[0.0, 2.0], [2.0, 4.0]]))
    >>> norm.running_mean
    tensor([0.5000, 1.5000])
    >>> reset_statistics(norm).running_mean
    tensor([0., 0.])
    """
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.reset_running_stats()
    return module


__all__ = [
    "DEFAULT_BUDGET",
    "Parameters",
    "WeightFunction",
    "chosen_parameters",
    "reset_statistics",
    "standalone",
    "weight_function",
]

"""What every activation of a module reads, as an affine function of the space that its layer reads.

Between a dense layer and its activation stand, in practice, batch normalisations, scalings, sums with a skip connection
or further dense layers. All of these are affine, and a unit's hyperplane is that of the whole composition: it is found
here by following tensors through one evaluation. A *base* is the module's input, or what a function that is not affine
has given; from there on everything affine is followed until an activation reads it. What is not affine and no
activation either (a layer normalisation before the activation, attention), is noted as a problem of all that follows.

Rows of an affine map are known in closed form right after a dense layer or a convolution, and found by automatic
differentiation otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from polygeom._dataclass import dataclass

KINKED = frozenset({"relu", "relu_", "leaky_relu", "leaky_relu_", "prelu", "rrelu", "rrelu_", "abs", "abs_", "__abs__"})
"""Piecewise linear functions with their only kink at zero."""
SMOOTH = frozenset(
    {"gelu", "tanh", "tanh_", "sigmoid", "sigmoid_", "silu", "softplus", "elu", "elu_", "selu", "selu_", "celu",
     "celu_", "mish", "hardswish", "logsigmoid", "log_sigmoid", "softsign", "tanhshrink", "sin", "sin_", "cos", "cos_",
     "exp", "erf", "square", "pow", "__pow__", "atan", "arctan"}
)  # fmt: skip
"""Other functions that act entry by entry."""
_SAME_SPACE = frozenset(
    {"reshape", "view", "flatten", "unflatten", "permute", "transpose", "swapaxes", "movedim", "squeeze", "unsqueeze",
     "contiguous", "clone", "to", "float", "double", "view_as", "reshape_as", "T", "mT",
     "dropout", "alpha_dropout", "feature_dropout", "dropout1d", "dropout2d", "dropout3d"}
)  # fmt: skip
"""The same numbers, arranged in another way (dropout in evaluation mode among them)."""
_LINEAR = frozenset(
    {"add", "add_", "__add__", "__radd__", "__iadd__", "sub", "sub_", "__sub__", "__rsub__", "__isub__", "rsub", "neg",
     "neg_", "__neg__", "positive", "cat", "concat", "stack", "hstack", "vstack", "__getitem__", "select", "narrow",
     "chunk", "split", "unbind", "index_select", "gather", "sum", "mean", "roll", "flip", "pad", "expand", "expand_as",
     "repeat", "tile", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
     "adaptive_avg_pool3d", "unfold", "fold", "diagonal", "cumsum"}
)  # fmt: skip
"""Functions that are linear in all their tensors together."""
_PRODUCTS = frozenset(
    {"mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply", "div", "div_", "__truediv__", "__itruediv__",
     "divide", "true_divide", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "mv", "addmm", "einsum", "tensordot",
     "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "batch_norm"}
)  # fmt: skip
"""Functions that are affine in one of their tensors when the others are constants."""
_WEIGHTED = frozenset(
    {"matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "mv", "addmm", "einsum", "tensordot", "linear", "conv1d",
     "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"}
)  # fmt: skip
_DIVISIONS = frozenset({"div", "div_", "__truediv__", "__itruediv__", "divide", "true_divide"})


@dataclass(frozen=True, eq=False)
class Base:
    """A space that layers read.

    Attributes
    ----------
    tensor:
        Its points ``(N, …)``.
    bent:
        Why the module is not piecewise linear in its input up to here with all kinks among the units; None if it is.
    problem:
        What stands between a layer and its activation without being affine, on the way here; None if nothing does.
    """

    tensor: Tensor
    bent: str | None = None
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class _Followed:
    """How a tensor depends on bases: affinely; through weights or not; with rows of known length, ``(…)``, or not."""

    tensor: Tensor
    bases: tuple[Base, ...]
    weighted: bool = False
    same: bool = False
    lengths: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Unit:
    """What one activation reads.

    Attributes
    ----------
    values:
        ``(N, …)``.
    bases:
        The spaces it is affine in: one, or several where a skip connection goes around an activation.
    lengths:
        Lengths of the rows ``w_u``, the shape of ``values[0]``, where they are known in closed form.
    name:
        Of the activation function.
    """

    values: Tensor
    bases: tuple[Base, ...]
    lengths: Tensor | None
    name: str

    @property
    def problem(self) -> str | None:
        """What makes its boundary something else than hyperplanes of the space its layer reads; None if nothing."""
        if problem := next((base.problem for base in self.bases if base.problem), None):
            return problem
        if len(self.bases) > 1:
            return "a skip connection around an activation, so that the layer does not read one space"
        return None

    @property
    def bent(self) -> str | None:
        """Why it is not piecewise affine in the module's input; None if it is."""
        return next((base.problem or base.bent for base in self.bases if base.problem or base.bent), None)


@dataclass
class _Follower(TorchFunctionMode):
    units: list[Unit] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.known: dict[int, _Followed] = {}
        self.made: list[Any] = []

    def start(self, x: Tensor) -> None:
        self.known[id(x)] = _Followed(x, (Base(x),), same=True)

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        read = [self.known[id(leaf)] for leaf in tree_leaves((args, kwargs)) if id(leaf) in self.known]
        before = [one.tensor.clone() if _in_place(func, kwargs) else one.tensor for one in read]
        result = func(*args, **kwargs)
        found = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        name = _name(func)
        if read and name == "__setitem__" and isinstance(args[0], Tensor):
            self._bend([args[0]], read, "an assignment to entries of a tensor")
        if not read or not found:
            return result
        if any(one.tensor is base.tensor for one in read for base in one.bases) and _in_place(func, kwargs):
            self._bend(found, read, f"{name}, which changes what a layer reads in place")
        elif name in KINKED or (name in ("clamp", "clamp_min", "clamp_", "clamp_min_") and _is_relu(args, kwargs)):
            self._activate(found, read, before, name, None)
        elif name in SMOOTH and len(read) == 1:
            self._activate(found, read, before, name, f"{name} is not piecewise linear")
        elif (form := self._affine(func, name, args, kwargs, read, found)) is not None:
            for one in found:
                self.known[id(one)] = replace(form, tensor=one)
        else:
            weighted = any(one.weighted for one in read)
            self._bend(found, read, name if weighted else None, f"{name} is not piecewise linear with its kink at zero")
        return result

    def _affine(
        self, func: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], read: list[_Followed],
        found: list[Tensor],
    ) -> _Followed | None:  # fmt: skip
        """The form of the results, if they are affine in what is read."""
        bases = tuple({id(base): base for one in read for base in one.bases}.values())
        weighted = any(one.weighted for one in read)
        first = read[0]
        if name in _SAME_SPACE and len(read) == 1:
            return replace(first, lengths=first.lengths if found[0].shape == first.tensor.shape else None)
        if name in _LINEAR:
            shift = len(read) == 1 and name in _SHIFTS and found[0].shape == first.tensor.shape
            return _Followed(found[0], bases, weighted, lengths=first.lengths if shift else None)
        if name not in _PRODUCTS or len(read) != 1 or (name in _DIVISIONS and args[0] is not first.tensor):
            return None
        if name == "batch_norm" and (kwargs.get("training") or (len(args) > 5 and args[5]) or args[1] is None):
            return None
        lengths = _lengths(func, name, args, kwargs, first)
        return _Followed(found[0], bases, weighted or name in _WEIGHTED, lengths=lengths)

    def _activate(
        self, found: list[Tensor], read: list[_Followed], before: list[Tensor], name: str, bent: str | None
    ) -> None:
        one = read[0]
        if one.weighted or bent is None:
            self.units.append(Unit(before[0], one.bases, one.lengths, name))
            self.made.append(found[0])
        self._bend(found, read, None, bent)

    def _bend(self, found: list[Tensor], read: list[_Followed], problem: str | None, bent: str | None = None) -> None:
        """Results are a new base, with the problems of all that went into it."""
        bases = [base for one in read for base in one.bases]
        problem = next((base.problem for base in bases if base.problem), problem)
        bent = next((base.bent for base in bases if base.bent), bent)
        for one in found:
            self.known[id(one)] = _Followed(one, (Base(one, bent, problem),), same=True)


_SHIFTS = frozenset(
    {"add", "add_", "__add__", "__radd__", "__iadd__", "sub", "sub_", "__sub__", "__rsub__", "rsub", "neg", "__neg__"}
)


def _name(func: Any) -> str:
    name = str(getattr(func, "__name__", func))
    return str(getattr(getattr(func, "__self__", None), "__name__", name)) if name == "__get__" else name


def _in_place(func: Any, kwargs: Mapping[str, Any]) -> bool:
    name = _name(func)
    return bool(kwargs.get("inplace")) or name.startswith("__i") or (name.endswith("_") and not name.endswith("__"))


def _is_relu(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    least = kwargs.get("min", args[1] if len(args) > 1 else None)
    most = kwargs.get("max", args[2] if len(args) > 2 else None)
    return isinstance(least, int | float) and least == 0 and most is None


def _lengths(func: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], one: _Followed) -> Tensor | None:
    """Lengths of rows in closed form: right after a dense layer or convolution, or scaled from known ones."""
    if name == "linear" and one.same and args[0] is one.tensor:
        dense: Tensor = torch.linalg.vector_norm(args[1].detach(), dim=1)
        return dense
    if name.startswith("conv") and one.same and args[0] is one.tensor:
        weight, rest = args[1].detach(), [None, *args[3:]]
        words = {key: value for key, value in kwargs.items() if key not in ("bias", "weight", "input")}
        with torch.no_grad():
            squares: Tensor = func(torch.ones_like(one.tensor[:1]), weight.square(), *rest, **words)[0]
        return squares.sqrt()
    if one.lengths is None:
        return None
    if name == "batch_norm":
        _, _, variance, weight, *_ = (*args, None, None)
        weight, eps = kwargs.get("weight", weight), kwargs.get("eps", args[7] if len(args) > 7 else 1e-5)
        scale = torch.rsqrt(variance + eps) * (1 if weight is None else weight.detach().abs())
        normed: Tensor = one.lengths * scale.reshape(-1, *(1,) * (one.tensor.ndim - 2))
        return normed
    factor = next((arg for arg in args if isinstance(arg, int | float)), None)
    if factor is None or name not in ("mul", "__mul__", "__rmul__", "multiply", *_DIVISIONS):
        return None
    scaled: Tensor = one.lengths / abs(factor) if name in _DIVISIONS else one.lengths * abs(factor)
    return scaled


def follow(module: nn.Module, x: Tensor) -> tuple[tuple[Unit, ...], Tensor]:
    """The units of a module at points ``x``, in the order in which activations are called, and the points they read.

    An activation that gives the output of the module itself is left out.

    Parameters
    ----------
    module:
        In evaluation mode.
    x:
        Points ``(N, …)``, as the module reads them. Derivatives by them can be taken where gradients are recorded.

    Examples
    --------
    >>> module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1)).eval()
    >>> [(tuple(unit.values.shape), unit.problem) for unit in follow(module, torch.ones(5, 2))[0]]
    [((5, 3), None)]
    """
    follower = _Follower()
    own = x.detach().clone()
    if torch.is_grad_enabled() and own.is_floating_point():
        own = own.requires_grad_().clone()  # not a leaf, so that functions in place are allowed
    follower.start(own)
    with follower:
        output = module(own)
    pairs = zip(follower.units, follower.made, strict=True)
    return tuple(unit for unit, made in pairs if made is not output), own


def rows(values: Tensor, by: Tensor) -> Iterator[Tensor]:
    """Derivatives of every entry of ``values[0]`` by ``by[0]``, each ``(k,)``: the rows ``w_u`` of an affine map."""
    for value in values[0].reshape(-1):
        (found,) = (
            torch.autograd.grad(value, by, retain_graph=True, allow_unused=True) if value.requires_grad else [None]
        )
        yield torch.zeros_like(by[0]).reshape(-1) if found is None else found[0].reshape(-1)


def row_lengths(module: nn.Module, x: Tensor) -> list[Tensor]:
    """Lengths of the rows ``w_u`` of all units, each in the shape of what the activation reads at one point."""
    with torch.enable_grad():
        return [_row_lengths(unit) for unit in follow(module, x[:1])[0]]


def _row_lengths(unit: Unit) -> Tensor:
    shape = unit.values.shape[1:]
    if unit.lengths is not None:
        return unit.lengths.detach().expand(shape)
    found = [torch.linalg.vector_norm(row) for row in rows(unit.values, unit.bases[0].tensor)]
    return torch.stack(found).detach().reshape(shape)


__all__ = ["KINKED", "SMOOTH", "Base", "Unit", "follow", "row_lengths", "rows"]

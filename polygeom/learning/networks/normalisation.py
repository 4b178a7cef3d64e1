"""Normalisation of short sequences by their own context, and the alternatives it is compared with.

A *sequence* is ``T`` vectors of ``F`` features that are looked at together, such as the four terms of an analogy.
`Normalisation` subtracts a mean and divides by a standard deviation, both over a set of numbers; the kinds differ in
this set. Then come a learned scale and shift for each feature, shared by all positions.

Context normalisation takes, feature by feature, the ``T`` vectors of the sequence itself. Adding a constant to a
feature throughout the sequence, or multiplying it by a positive one, then changes nothing: what remains are relations.
This is an identity, up to the small constant in the denominator.

Source: Webb, Dulberg, Frankland, Petrov, O'Reilly, Cohen, "Learning representations that support extrapolation", ICML
2020, arXiv 2007.05059.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polygeom.checks import choice
from polygeom.errors import PolygeomError

KINDS = {
    "none": "no normalisation",
    "context": "over the vectors of the sequence itself",
    "batch": "over the mini-batch, for each position and each candidate",
    "batch-dropout": "as batch, then half of the features dropped while training",
    "running": "as batch while training; afterwards with running means of the training statistics",
    "sub-batch": "as batch, over groups of four problems",
    "layer": "over the features of each vector",
    "sliding": "over the four vectors before, the mini-batch laid out as one long sequence that closes in a circle",
    "misaligned": "over consecutive groups of five vectors of that long sequence, which cut across the problems",
    "batch-context": "over the mini-batch and the positions together, for each candidate",
}
"""The kinds of `Normalisation` and what their means and standard deviations are taken over."""

_EPSILON = 1e-8
_DROPPED = 0.5
_MOMENTUM = 0.1
_GROUP = 4
_WINDOW = 4
_MISALIGNED = 5


class Normalisation(nn.Module):
    """Normalise sequences over the set that ``kind`` names, then scale and shift each feature.

    Parameters
    ----------
    kind:
        A key of `KINDS`.
    features:
        ``F``.
    epsilon:
        Added to variances, which are population variances.
    shape:
        For ``kind="running"`` alone: the number of candidates and of positions ``(S, T)`` that statistics are kept for.

    Raises
    ------
    PolygeomError
        For another kind, a wrong number of features, or a group that the mini-batch cannot be divided into.

    Examples
    --------
    >>> sequences = torch.randn(5, 7, 4, 3)
    >>> context = Normalisation("context", 3)
    >>> torch.allclose(context(sequences), context(10 * sequences + 3), atol=1e-3)
    True
    """

    def __init__(
        self, kind: str, features: int, *, epsilon: float = _EPSILON, shape: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        choice("kind", kind, KINDS, "context")
        if (shape is not None) != (kind == "running"):
            raise PolygeomError(f"shape belongs to kind 'running', got kind {kind!r} and shape {shape}")
        self.kind, self.features, self.epsilon = kind, features, epsilon
        self.scale = nn.Parameter(torch.ones(features)) if kind != "none" else None
        self.shift = nn.Parameter(torch.zeros(features)) if kind != "none" else None
        if shape is not None:
            self.register_buffer("mean", torch.zeros(1, *shape, features))
            self.register_buffer("variance", torch.ones(1, *shape, features))

    def forward(self, sequences: Tensor) -> Tensor:
        """Sequences ``(N, S, T, F)`` of ``N`` problems with ``S`` candidates each, normalised; the same shape."""
        if sequences.ndim != 4 or sequences.shape[-1] != self.features:
            raise PolygeomError(f"sequences must have shape (N, S, T, {self.features}), got {tuple(sequences.shape)}")
        if self.scale is None or self.shift is None:
            return sequences
        mean, variance = self._statistics(sequences)
        value = (sequences - mean) / torch.sqrt(variance + self.epsilon) * self.scale + self.shift
        return nn.functional.dropout(value, _DROPPED, self.training) if self.kind == "batch-dropout" else value

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance for every entry of ``x``, broadcast to its shape."""
        axes = {"context": (2,), "layer": (3,), "batch": (0,), "batch-dropout": (0,), "batch-context": (0, 2)}
        if self.kind in axes:
            return _moments(x, axes[self.kind])
        if self.kind == "running":
            return self._running(x)
        if self.kind == "sub-batch":
            if len(x) % _GROUP:
                raise PolygeomError(f"a mini-batch must have a multiple of {_GROUP} problems, got {len(x)}; write 32")
            groups = x.reshape(-1, _GROUP, *x.shape[1:])
            mean, variance = (part.expand_as(groups).reshape(x.shape) for part in _moments(groups, (1,)))
            return mean, variance
        line = x.transpose(0, 1).flatten(1, 2)  # (S, N T, F): one problem after the other
        parts = _sliding(line) if self.kind == "sliding" else _misaligned(line)
        back = [part.reshape(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1) for part in parts]
        return back[0], back[1]

    def _running(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if not self.training:
            return self.get_buffer("mean"), self.get_buffer("variance")
        mean, variance = _moments(x, (0,))
        with torch.no_grad():
            self.get_buffer("mean").lerp_(mean, _MOMENTUM)
            self.get_buffer("variance").lerp_(variance, _MOMENTUM)
        return mean, variance


def _moments(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    mean = x.mean(dim=axes, keepdim=True)
    return mean, (x - mean).square().mean(dim=axes, keepdim=True)


def _sliding(line: Tensor) -> tuple[Tensor, Tensor]:
    windows = torch.stack([line.roll(back, dims=1) for back in range(1, _WINDOW + 1)])
    mean, variance = _moments(windows, (0,))
    return mean[0], variance[0]


def _misaligned(line: Tensor) -> tuple[Tensor, Tensor]:
    groups = [line[:, start : start + _MISALIGNED] for start in range(0, line.shape[1], _MISALIGNED)]
    moments = [[part.expand_as(group) for part in _moments(group, (1,))] for group in groups]
    mean, variance = (torch.cat(parts, dim=1) for parts in zip(*moments, strict=True))
    return mean, variance

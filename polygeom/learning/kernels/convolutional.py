r"""Kernels of infinitely wide convolutional networks: NNGP and tangent kernel (CNTK) on images.

The network has ``depth`` convolutions with square filters of ``filter`` × ``filter`` and ever more channels, each
followed by the activation, and a linear layer on the mean over all pixels (or on all pixels, side by side). Weights are
standard normal, with the factor ``√(scale / channels)`` after an activation and ``1 / filter`` at every convolution.
In the limit (Arora et al., arXiv 1904.11955) the covariance of two images at two pixels obeys

    Σ₁ = A(x_p · x'_q),   Σ_{l+1} = A(scale · E[σ(u) σ(v)]),   (u, v) of covariance Σ_l,
    Θ₁ = Σ₁,              Θ_{l+1} = Σ_{l+1} + A(Θ_l · scale · E[σ'(u) σ'(v)]),

where ``A`` takes the mean over the ``filter²`` simultaneous shifts of both pixels; the last layer does without ``A``
and takes the mean over all pairs of pixels, or over pairs of equal pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.checks import choice, is_integer
from polygeom.errors import BudgetError, PolygeomError
from polygeom.learning import checks
from polygeom.learning.kernels.algebra import Composable
from polygeom.learning.kernels.closed_forms import as_activation
from polygeom.learning.kernels.duals import Activation, LeakyReLU, normaliser
from polygeom.learning.kernels.infinite_width import KINDS
from polygeom.learning.kernels.machines import MEMORY_BUDGET

PADDINGS = ("circular", "zero")
READOUTS = ("mean", "pixels")
_RELU = LeakyReLU()
_COPIES = 12
"""Arrays of the size of all pairs of pixels that the recursion holds at a time."""


@dataclass(frozen=True)
class ConvolutionalKernel(Composable):
    """The NNGP or tangent kernel of an infinitely wide convolutional network; see the module for the network.

    Parameters
    ----------
    image:
        ``(channels, height, width)`` of the images; rows have their product as length.
    activation:
        As for `InfiniteWidth`.
    depth:
        Number of convolutions, at least 1.
    filter:
        Side of the filters, odd.
    readout:
        ``"mean"``: global average pooling. ``"pixels"``: a weight for every channel and pixel.
    padding:
        ``"circular"`` or ``"zero"``; images keep their size.
    kind:
        ``"ntk"`` or ``"nngp"``.
    scale:
        The factor after every activation; None for the one that keeps unit variance (2 for the rectifier).
    memory:
        Bytes; pairs of images are computed in blocks that fit. Costs grow with the fourth power of the side.

    Raises
    ------
    PolygeomError
        For sizes and words out of range.
    BudgetError
        When a single pair of images does not fit.

    Examples
    --------
    >>> x = torch.eye(2, 4, dtype=torch.float64)
    >>> ConvolutionalKernel((1, 2, 2))(x, x).round(decimals=4)
    tensor([[0.1802, 0.1802],
            [0.1802, 0.1802]], dtype=torch.float64)
    """

    image: tuple[int, int, int]
    activation: Activation | str = _RELU
    depth: int = 1
    filter: int = 3
    readout: str = "mean"
    padding: str = "circular"
    kind: str = "ntk"
    scale: float | None = None
    memory: int = MEMORY_BUDGET

    def __post_init__(self) -> None:
        choice("kind", self.kind, KINDS, "ntk")
        choice("readout", self.readout, READOUTS, "mean")
        choice("padding", self.padding, PADDINGS, "circular")
        as_activation(self.activation)
        if len(self.image) != 3 or not all(is_integer(size) and size >= 1 for size in self.image):
            raise PolygeomError(f"image must be (channels, height, width), got {self.image!r}; write (3, 32, 32)")
        if not is_integer(self.depth) or self.depth < 1:
            raise PolygeomError(f"depth must be at least 1, the number of convolutions, got {self.depth!r}")
        if not is_integer(self.filter) or self.filter < 1 or self.filter % 2 == 0:
            raise PolygeomError(f"filter must be odd and at least 1, got {self.filter!r}; write filter=3")
        if self.padding == "circular" and self.filter // 2 > min(self.image[1:]):
            raise PolygeomError(
                f"filter must reach at most once around the {self.image[1]} × {self.image[2]} pixels of an image, got "
                f"{self.filter}; write filter=3, or padding='zero'"
            )

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Values ``(N, N')`` for images as rows ``(N, CHW)`` and ``(N', CHW)``."""
        x, y = (self._images(rows, name) for rows, name in zip(checks.rows(x, y), "xy", strict=True))
        if not len(x) or not len(y):
            return x.new_zeros(len(x), len(y))
        pixels = self.image[1] * self.image[2]
        pairs = self.memory // (_COPIES * pixels**2 * x.element_size())
        if pairs < 1:
            raise BudgetError(
                f"one pair of images takes {_COPIES * pixels**2 * x.element_size()} bytes, memory is "
                f"{self.memory}; raise it, or take smaller images"
            )
        columns = max(1, min(len(y), math.isqrt(pairs)))
        lines = max(1, pairs // columns)
        left, right = self._variances(x), self._variances(y)
        rows = [
            torch.cat(
                [
                    self._block(x[i : i + lines], y[j : j + columns], _part(left, i, lines), _part(right, j, columns))
                    for j in range(0, len(y), columns)
                ],
                dim=1,
            )
            for i in range(0, len(x), lines)
        ]
        return torch.cat(rows)

    def _images(self, rows: Tensor, name: str) -> Tensor:
        if rows.shape[1] != math.prod(self.image):
            raise PolygeomError(
                f"{name} must be rows of length {math.prod(self.image)}, images of shape {self.image}, got "
                f"{tuple(rows.shape)}; write images.reshape(len(images), -1)"
            )
        return rows.reshape(-1, *self.image)

    def _block(self, x: Tensor, y: Tensor, left: list[Tensor], right: list[Tensor]) -> Tensor:
        """Values of pairs of images; ``left`` and ``right`` are their variances at pixels before every activation."""
        activation = as_activation(self.activation)
        scale = normaliser(activation) if self.scale is None else self.scale
        covariance = self._mean(torch.einsum("icpq,jcrs->ijpqrs", x, y))
        tangent = covariance
        for layer in range(self.depth):
            a, b = left[layer][:, None, :, :, None, None], right[layer][None, :, None, None, :, :]
            slope = scale * activation.derivative_dual(a, b, covariance)
            covariance = scale * activation.dual(a, b, covariance)
            tangent = tangent * slope
            if layer < self.depth - 1:
                covariance = self._mean(covariance)
                tangent = covariance + self._mean(tangent)
            else:
                tangent = covariance + tangent
        result = covariance if self.kind == "nngp" else tangent
        if self.readout == "mean":
            return result.mean(dim=(2, 3, 4, 5))
        return torch.einsum("ijpqpq->ij", result) / (self.image[1] * self.image[2])

    def _variances(self, x: Tensor) -> list[Tensor]:
        """``Σ_l`` at equal images and pixels, shape ``(N, H, W)``, before the activations ``l = 1, …, depth``."""
        activation = as_activation(self.activation)
        scale = normaliser(activation) if self.scale is None else self.scale
        found = [self._shifted_mean(x.square().sum(dim=1))]
        for _ in range(self.depth - 1):
            last = found[-1]
            found.append(self._shifted_mean(scale * activation.dual(last, last, last)))
        return found

    def _shifted_mean(self, values: Tensor) -> Tensor:
        """The mean over the filter around every pixel of ``(N, H, W)``."""
        half = self.filter // 2
        padded = _pad(values[:, None], half, self.padding)
        return torch.nn.functional.avg_pool2d(padded, self.filter, stride=1)[:, 0]

    def _mean(self, values: Tensor) -> Tensor:
        """``A``: the mean over shifts of both pixels of ``(N, N', H, W, H, W)`` together."""
        half = self.filter // 2
        height, width = values.shape[2:4]
        pairs = values.shape[:2]
        padded = _pad(values.reshape(-1, height * width, height, width), half, self.padding)
        tall, wide = padded.shape[2:]
        padded = padded.reshape(-1, height, width, tall * wide).permute(0, 3, 1, 2)
        padded = _pad(padded, half, self.padding).reshape(-1, tall, wide, tall, wide)
        total = torch.zeros_like(padded[:, :height, :width, :height, :width])
        for i in range(self.filter):
            for j in range(self.filter):
                total += padded[:, i : i + height, j : j + width, i : i + height, j : j + width]
        mean: Tensor = total.permute(0, 3, 4, 1, 2).reshape(*pairs, height, width, height, width) / self.filter**2
        return mean


def _part(values: list[Tensor], start: int, count: int) -> list[Tensor]:
    return [one[start : start + count] for one in values]


def _pad(values: Tensor, half: int, padding: str) -> Tensor:
    """``(N, K, H, W)`` with ``half`` more pixels on every side."""
    if not half:
        return values
    mode = "constant" if padding == "zero" else "circular"
    return torch.nn.functional.pad(values, (half,) * 4, mode=mode)


__all__ = ["PADDINGS", "READOUTS", "ConvolutionalKernel"]

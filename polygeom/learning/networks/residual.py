"""Residual networks with batch normalisation for small images, of any width and with any activation.

The blocks and depths are those of He, Zhang, Ren, Sun (arXiv 1512.03385, Table 1), with the first layer for images of
32 × 32 points that studies of CIFAR-10 use: one 3 × 3 convolution of stride 1 and no pooling. Four stages follow, of
``width``, ``2 width``, ``4 width``, ``8 width`` channels (four times as many where blocks are bottlenecks), the last
three of which halve both sides of the image; then the mean over all positions and one dense map. With
``preactivation=True`` blocks are those of arXiv 1603.05027.

Polynomial activations. In the blocks of 2015 an activation follows every sum, so that inputs pass ``1 + blocks``
activations even where every branch is zero: with ``x^2`` and 18 layers that is the power 512, and before statistics are
learned no normalisation keeps it in range. With pre-activation no activation lies on the way of the sums, and at the
start the network is a polynomial of degree two, from which it departs as its branches grow. Prefer it for them.

Not taken from torchvision: its networks begin for 224 × 224 points, have no other activations, and would tie the
version of torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from polygeom.checks import choice
from polygeom.errors import PolygeomError
from polygeom.learning.networks.activations import Elementwise
from polygeom.learning.networks.initialisation import initialise

DEPTHS: Mapping[int, tuple[bool, tuple[int, int, int, int]]] = {
    18: (False, (2, 2, 2, 2)),
    34: (False, (3, 4, 6, 3)),
    50: (True, (3, 4, 6, 3)),
    101: (True, (3, 4, 23, 3)),
    152: (True, (3, 8, 36, 3)),
    200: (True, (3, 24, 36, 3)),
}
"""By depth: whether blocks are bottlenecks, and the number of blocks of each stage."""
_EXPANSION = 4


class ResidualBlock(nn.Module):
    """``x ↦ σ(s(x) + b(x))``, or ``x ↦ s(x) + b(x)`` with pre-activation.

    The branch ``b`` is two 3 × 3 convolutions, or 1 × 1, 3 × 3, 1 × 1 ones through a bottleneck of a quarter of the
    channels, with normalisation and activation between them; a normalisation ends it, or with pre-activation
    normalisation and activation begin it. The shortcut ``s`` is the identity where shapes agree and a 1 × 1
    convolution elsewhere, normalised without pre-activation. In a bottleneck the 3 × 3 convolution has the stride, as
    in later implementations. With pre-activation these often activate what the 1 × 1 convolution of the shortcut
    reads; here it reads ``x``, and no activation lies on the way of the shortcuts.

    Parameters
    ----------
    inputs, width:
        Channels that come in, and of the 3 × 3 convolutions; ``4 width`` go out of a bottleneck and ``width`` of other
        blocks.
    stride:
        1, or 2 to halve the sides.
    bottleneck, activation, preactivation:
        As above; the activation is a name of `polygeom.learning.networks.activations.Elementwise`.
    """

    def __init__(
        self, inputs: int, width: int, stride: int, bottleneck: bool, activation: str, preactivation: bool
    ) -> None:
        super().__init__()
        sizes = (1, 3, 1) if bottleneck else (3, 3)
        outputs = width * (_EXPANSION if bottleneck else 1)
        widths = [inputs, *[width] * (len(sizes) - 1), outputs]
        strides = (1, stride, 1) if bottleneck else (stride, 1)
        branch: list[nn.Module] = []
        for number, size in enumerate(sizes):
            if number or preactivation:
                branch += [_normalisation(widths[number]), Elementwise(activation)]
            branch.append(_convolution(widths[number], widths[number + 1], size, strides[number]))
        same = stride == 1 and inputs == outputs
        shortcut: list[nn.Module] = [] if same else [_convolution(inputs, outputs, 1, stride)]
        if not preactivation:
            branch.append(_normalisation(outputs))
            shortcut += [] if same else [_normalisation(outputs)]
        self.branch, self.shortcut = nn.Sequential(*branch), nn.Sequential(*shortcut)
        self.exit = nn.Identity() if preactivation else Elementwise(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(N, inputs, height, width)`` to ``(N, outputs, height / stride, width / stride)``, rounded up."""
        value: Tensor = self.exit(self.shortcut(x) + self.branch(x))
        return value


class ResidualNetwork(nn.Module):
    """A ResNet of 18, 34, 50, 101, 152 or 200 layers for small images.

    Batch normalisation (epsilon 1e-5) uses the statistics of the batch in training mode and moves its running ones by a
    tenth of the way to them. In evaluation mode it is an affine map with the running ones, which are mean 0 and
    variance 1 at the start. Tangent kernels and linearisations need evaluation mode, ``module.eval()``.

    Initial weights are truncated normal of variance 1/fan-in, biases zero; the last parameters of every branch (the
    scale of its last normalisation; with pre-activation its last convolution) are zero, so that every block begins as
    its shortcut (arXiv 1706.02677, section 5.1). Weights inside a branch therefore have derivative zero at the start:
    the tangent kernel there is that of the first layer, the shortcuts, the last map, and the last parameters of
    branches.

    Parameters
    ----------
    depth:
        A key of `DEPTHS`.
    activation:
        A name of `polygeom.learning.networks.activations.Elementwise`: relu, gelu, ``x^2``, ``x+x^2``, …
    width:
        Channels of the first layer; 64 is the published network.
    outputs:
        ``C``.
    input_shape:
        ``(channels, height, width)``, or ``(height, width)`` for one channel.
    preactivation:
        Whether normalisation and activation come before the convolutions (arXiv 1603.05027).
    rng:
        Seed of the initial weights.

    Notes
    -----
    With ten outputs and width 64 there are 11,173,962 (18 layers), 21,282,122 (34), 23,520,842 (50), 42,512,970 (101)
    and 58,156,618 (152) parameters; for one output of 18 layers 11,169,345. They fall with the square of the width.
    Unlike in flax, convolutions of stride 2 pad both sides of an image by one point, as those of the paper do, and
    running variances are those of unbiased estimates.

    Raises
    ------
    PolygeomError
        For other depths, widths below 1, shapes that are not those of images; in training, for batches in which a
        normalisation would see one number alone.

    Examples
    --------
    >>> import torch
    >>> module = ResidualNetwork(18, width=2, activation="x+x^2", input_shape=(8, 8), preactivation=True)
    >>> module(torch.zeros(5, 8, 8)).shape
    torch.Size([5, 1])
    >>> sum(p.numel() for p in ResidualNetwork(18, width=8, outputs=10).parameters())
    176402
    """

    def __init__(
        self,
        depth: int,
        *,
        activation: str = "relu",
        width: int = 64,
        outputs: int = 1,
        input_shape: tuple[int, ...] = (3, 32, 32),
        preactivation: bool = False,
        rng: int = 0,
    ) -> None:
        super().__init__()
        choice("depth", depth, DEPTHS, 18)
        if width < 1 or outputs < 1 or len(input_shape) not in (2, 3):
            raise PolygeomError(
                "width and outputs must be at least 1 and input_shape (channels, height, width) or (height, width), "
                f"got {width}, {outputs} and {input_shape}; write width=8, input_shape=(3, 32, 32)"
            )
        bottleneck, stages = DEPTHS[depth]
        self.channels = input_shape[0] if len(input_shape) == 3 else 1
        blocks: list[nn.Module] = []
        channels = width
        for stage, count in enumerate(stages):
            for number in range(count):
                own, stride = width * 2**stage, 2 if stage and not number else 1
                blocks.append(ResidualBlock(channels, own, stride, bottleneck, activation, preactivation))
                channels = own * (_EXPANSION if bottleneck else 1)
        between = [_normalisation(channels if preactivation else width), Elementwise(activation)]
        self.stem = nn.Sequential(_convolution(self.channels, width, 3, 1), *([] if preactivation else between))
        self.blocks = nn.Sequential(*blocks, *(between if preactivation else []))
        self.head = _undrawn(nn.Linear, channels, outputs)
        initialise(self, "truncated", rng)
        for block in self.blocks.children():
            if isinstance(block, ResidualBlock):
                nn.init.zeros_(block.branch[-1].get_parameter("weight"))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(N, C)`` at images ``(N, *input_shape)``; heights and widths may differ from those announced."""
        height, width = x.shape[-2:]
        if self.training and len(x) * math.ceil(height / 8) * math.ceil(width / 8) < 2:
            raise PolygeomError(
                f"a batch of one image of {height} × {width} points leaves one number to normalise; "
                "choose batch_size so that no batch of one remains"
            )
        images = x.reshape(len(x), self.channels, height, width)
        value: Tensor = self.head(self.blocks(self.stem(images)).mean(dim=(2, 3)))
        return value


def _convolution(inputs: int, outputs: int, size: int, stride: int) -> nn.Module:
    return _undrawn(nn.Conv2d, inputs, outputs, size, stride=stride, padding=size // 2, bias=False)


def _undrawn(kind: Callable[..., nn.Module], *args: int, **kwargs: Any) -> nn.Module:
    """A module whose weights are not drawn yet: torch would take them from its global generator."""
    made: nn.Module = nn.utils.skip_init(kind, *args, **kwargs)  # type: ignore[no-untyped-call]
    return made


def _normalisation(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)


__all__ = ["DEPTHS", "ResidualBlock", "ResidualNetwork"]

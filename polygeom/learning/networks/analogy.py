"""Networks that solve analogies between images: an encoder, a normalisation, and a recurrent network that scores.

Every image is encoded on its own. For each candidate the four codes ``(A, B, C, candidate)`` are normalised
(`polygeom.learning.networks.normalisation`), marked with their position, and read by an LSTM, whose last state gives
one score. The softmax of the scores is trained to choose the right candidate.

The *polynomial* encoder multiplies: after the convolutions 2, 3, 4 the maps ``o`` become ``o + o * pool(S)``, with
``S`` one further convolution of the image, pooled to their size. Without the rectifiers it would be a Π-network, a
polynomial in the image; both encoders keep them, so neither is a polynomial.

Sources: arXiv 2007.05059 (the task, the plain encoder and the scorer), arXiv 2209.07736 (the polynomial encoder).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from polygeom.checks import choice
from polygeom.errors import PolygeomError
from polygeom.learning.networks.normalisation import Normalisation

ENCODERS = ("plain", "polynomial")
_LAYERS = 4
_TERMS = 4


class ConvolutionalEncoder(nn.Module):
    """Four convolutions of stride 2, two dense layers with rectifiers, one linear layer.

    Parameters
    ----------
    kind:
        ``"plain"`` or ``"polynomial"``.
    resolution:
        Side of the images, a multiple of 16.
    maps:
        Channels of every convolution; kernels are 4 × 4.
    features:
        Size of the code, and of the two dense layers.

    Examples
    --------
    >>> encoder = ConvolutionalEncoder("polynomial", 32, maps=8, features=10)
    >>> encoder(torch.zeros(5, 3, 32, 32)).shape
    torch.Size([5, 10])
    """

    def __init__(self, kind: str, resolution: int, *, maps: int = 32, features: int = 256) -> None:
        super().__init__()
        choice("kind", kind, ENCODERS, "plain")
        if resolution < 1 or resolution % 2**_LAYERS:
            raise PolygeomError(f"resolution must be a multiple of {2**_LAYERS}, got {resolution}; write 32 or 128")
        channels = [3] + [maps] * _LAYERS
        self.convolutions = nn.ModuleList(_convolution(channels[k], channels[k + 1]) for k in range(_LAYERS))
        self.shortcut = _convolution(3, maps) if kind == "polynomial" else None
        size = maps * (resolution // 2**_LAYERS) ** 2
        widths = pairwise((size, features, features, features))
        dense = [part for inputs, outputs in widths for part in (nn.Linear(inputs, outputs), nn.ReLU())]
        self.dense = nn.Sequential(*dense[:-1])

    def forward(self, images: Tensor) -> Tensor:
        """Codes ``(N, features)`` of images ``(N, 3, R, R)`` with values from 0 to 1."""
        value = images
        direct = None if self.shortcut is None else self.shortcut(images).relu()
        for level, convolution in enumerate(self.convolutions):
            value = convolution(value).relu()
            if direct is not None and level:
                value = value + value * nn.functional.avg_pool2d(direct, 2**level)
        codes: Tensor = self.dense(value.flatten(start_dim=1))
        return codes


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=4, stride=2, padding=1)


class SequenceScorer(nn.Module):
    """An LSTM over a few vectors, each marked with its position, and a linear score of its last state.

    Parameters
    ----------
    features:
        Size of the vectors.
    hidden:
        Size of the state.
    layer_norm:
        Normalise every gate and the cell over the state, as in arXiv 1607.06450.

    Examples
    --------
    >>> SequenceScorer(10, 16)(torch.zeros(5, 7, 4, 10)).shape
    torch.Size([5, 7])
    """

    def __init__(self, features: int, hidden: int, *, layer_norm: bool = False) -> None:
        super().__init__()
        self.hidden = hidden
        self.kernel = nn.Linear(features + _TERMS + hidden, 4 * hidden, bias=not layer_norm)
        self.gates = nn.ModuleList(nn.LayerNorm(hidden) if layer_norm else nn.Identity() for _ in range(4))
        self.cell = nn.LayerNorm(hidden) if layer_norm else nn.Identity()
        self.score = nn.Linear(hidden, 1)

    def forward(self, sequences: Tensor) -> Tensor:
        """Scores ``(N, S)`` of sequences ``(N, S, 4, features)``."""
        if sequences.shape[2] != _TERMS:
            raise PolygeomError(f"sequences must have shape (N, S, {_TERMS}, features), got {tuple(sequences.shape)}")
        flat = sequences.flatten(0, 1)
        tags = torch.eye(_TERMS, dtype=flat.dtype, device=flat.device)
        output = cell = flat.new_zeros(len(flat), self.hidden)
        for position in range(_TERMS):
            tagged = torch.cat([tags[position].expand(len(flat), -1), flat[:, position], output], dim=1)
            parts = self.kernel(tagged).chunk(4, dim=1)
            take, new, keep, show = (gate(part) for gate, part in zip(self.gates, parts, strict=True))
            cell = self.cell(cell * torch.sigmoid(keep + 1) + torch.sigmoid(take) * torch.tanh(new))
            output = torch.tanh(cell) * torch.sigmoid(show)
        return self.score(output).reshape(sequences.shape[:2])  # type: ignore[no-any-return]


class AnalogyNetwork(nn.Module):
    """Encoder, normalisation and scorer together.

    Parameters
    ----------
    encoder:
        From images to vectors.
    normalisation, scorer:
        Of sequences of four such vectors.

    Examples
    --------
    >>> encoder = ConvolutionalEncoder("plain", 16, maps=4, features=6)
    >>> network = AnalogyNetwork(encoder, Normalisation("context", 6), SequenceScorer(6, 8))
    >>> network(torch.rand(2, 10, 3, 16, 16)).shape
    torch.Size([2, 7])
    """

    def __init__(self, encoder: nn.Module, normalisation: Normalisation, scorer: SequenceScorer) -> None:
        super().__init__()
        self.encoder, self.normalisation, self.scorer = encoder, normalisation, scorer

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``(N, S)`` for images ``(N, 3 + S, …)``: ``A``, ``B``, ``C``, then the candidates."""
        return self.score(self.encoder(images.flatten(0, 1)).reshape(*images.shape[:2], -1))

    def score(self, codes: Tensor) -> Tensor:
        """Scores ``(N, S)`` for codes ``(N, 3 + S, features)`` in the same order."""
        start, candidates = codes[:, : _TERMS - 1], codes[:, _TERMS - 1 :]
        start = start[:, None].expand(-1, candidates.shape[1], -1, -1)
        sequences = torch.cat([start, candidates[:, :, None]], dim=2)
        scores: Tensor = self.scorer(self.normalisation(sequences))
        return scores

    @torch.no_grad()
    def initialise(self, rng: int) -> AnalogyNetwork:
        """Xavier-uniform kernels and zero biases from a seed, in place; returns the network itself."""
        generator = torch.Generator().manual_seed(rng)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
        return self


def choices_correct(scores: Tensor) -> Tensor:
    """Which of ``(N, S)`` scores choose candidate 0: it has the largest score, and the scores are not all equal.

    Examples
    --------
    >>> choices_correct(torch.tensor([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0]])).tolist()
    [True, False, False]
    """
    first = scores[:, :1]
    return (scores <= first).all(dim=1) & (scores != first).any(dim=1)

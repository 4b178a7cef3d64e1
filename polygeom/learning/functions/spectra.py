"""How much of a signal has been learned, frequency by frequency."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from polygeom.errors import PolygeomError

OCTAVES = (0.5, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Edges of bands of frequencies, in cycles per side of the image; the last band has no upper edge."""


def psnr(values: np.ndarray, target: np.ndarray) -> float:
    """Peak signal-to-noise ratio ``-10 log10(mean squared error)`` in dB, for values between 0 and 1.

    Examples
    --------
    >>> psnr(np.array([0.1, 0.1]), np.array([0.0, 0.0]))
    20.0
    """
    error = float(np.mean(np.square(np.asarray(values, dtype=np.float64) - np.asarray(target, dtype=np.float64))))
    return round(-10 * math.log10(error), 12) if error > 0 else math.inf


def learned_by_band(values: np.ndarray, target: np.ndarray, edges: Sequence[float] = OCTAVES) -> np.ndarray:
    """The share of the target's power that has been learned, in bands of frequencies: ``(B,)``.

    In a band it is ``1 - Σ |F(values - target)|² / Σ |F(target)|²``, with ``F`` the discrete Fourier transform over the
    axes of the image and sums over the channels and all frequencies whose length lies in the band: 1 when the band is
    exact, 0 for values without any of it, negative when the error is greater than the signal.

    Parameters
    ----------
    values, target:
        Images ``(height, width, channels)`` or signals ``(length, channels)``.
    edges:
        ``B`` increasing lower edges of bands; each ends where the next begins and the last nowhere.

    Examples
    --------
    >>> t = np.arange(64)[:, None] / 64
    >>> target = np.sin(2 * np.pi * t) + np.sin(2 * np.pi * 10 * t)
    >>> learned_by_band(np.sin(2 * np.pi * t), target, (0.5, 5)).round(6).tolist()
    [1.0, 0.0]
    """
    bands = _bands(target.shape[:-1], edges)
    axes = tuple(range(target.ndim - 1))
    error, signal = (
        np.square(np.abs(np.fft.fftn(array, axes=axes))).sum(axis=-1) for array in (values - target, target)
    )
    power = np.array([signal[bands == b].sum() for b in range(len(edges))])
    missed = np.array([error[bands == b].sum() for b in range(len(edges))])
    return np.where(power > 0, 1 - missed / np.where(power > 0, power, 1.0), np.nan)


def amplitude_ratios(values: np.ndarray, target: np.ndarray, frequencies: Sequence[int]) -> np.ndarray:
    """``|F(values)(k)| / |F(target)(k)|`` for a signal ``(length,)`` and whole frequencies ``k``: ``(K,)``.

    Examples
    --------
    >>> t = np.arange(64) / 64
    >>> amplitude_ratios(np.sin(2 * np.pi * 3 * t), 2 * np.cos(2 * np.pi * 3 * t), [3]).round(6)
    array([0.5])
    """
    waves = np.asarray(frequencies)
    of_values, of_target = np.abs(np.fft.rfft(values))[waves], np.abs(np.fft.rfft(target))[waves]
    ratios: np.ndarray = of_values / of_target
    return ratios


def _bands(shape: Sequence[int], edges: Sequence[float]) -> np.ndarray:
    """Number of the band of every frequency, -1 below the first edge."""
    if not len(edges) or any(a >= b for a, b in itertools.pairwise(edges)):
        raise PolygeomError(f"edges must increase, got {tuple(edges)}; write edges=(0.5, 2, 4, 8)")
    squares = np.zeros(tuple(shape))
    for axis, length in enumerate(shape):
        frequencies = np.fft.fftfreq(length, 1 / length)
        squares += np.square(frequencies).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    numbers: np.ndarray = np.searchsorted(np.asarray(edges), np.sqrt(squares), side="right") - 1
    return numbers

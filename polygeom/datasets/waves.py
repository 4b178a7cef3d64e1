"""One-dimensional signals made of waves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polygeom.errors import PolygeomError


def phased_waves(
    length: int = 2048,
    frequencies: Sequence[int] = tuple(range(5, 75, 5)),
    amplitudes: Sequence[float] | None = None,
    *,
    rng: int | np.random.Generator = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Sines with random phases, ``y(t) = Σ_k A_k sin(2π k t + 2π φ_k)`` with ``φ_k`` uniform on [0, 1).

    Parameters
    ----------
    length:
        Number of samples ``t = 0, 1/length, …``.
    frequencies:
        The whole numbers ``k``.
    amplitudes:
        ``A_k``; all one if None, so that the variance is half the number of frequencies.
    rng:
        Seed or generator of the phases.

    Returns
    -------
    ``t`` and ``y``, each of shape ``(length,)``.

    Raises
    ------
    PolygeomError
        When a frequency cannot be told from a lower one at this length, or amplitudes are not as many.

    References
    ----------
    Lazzari, Liu, arXiv 2301.05816; Rahaman et al., arXiv 1806.08734.

    Examples
    --------
    >>> t, y = phased_waves()
    >>> t.shape, round(float(y.var()), 6)
    ((2048,), 7.0)
    """
    waves = np.asarray(frequencies, dtype=np.int64)
    if waves.size and not (waves.min() >= 1 and 2 * waves.max() < length):
        raise PolygeomError(
            f"frequencies must lie between 1 and less than length / 2 = {length / 2:g}, got {waves.min()} to "
            f"{waves.max()}; write a greater length"
        )
    sizes = np.ones(len(waves)) if amplitudes is None else np.asarray(amplitudes, dtype=np.float64)
    if sizes.shape != waves.shape:
        raise PolygeomError(
            f"amplitudes must be as many as frequencies, {len(waves)}, got {sizes.size}; write one for each"
        )
    t = np.arange(length) / length
    phases = np.random.default_rng(rng).random(len(waves))
    return t, (sizes * np.sin(2 * np.pi * (t[:, None] * waves + phases))).sum(axis=1)

"""In which order the samples of a training come."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from polygeom.learning.training.settings import TrainingSettings


class Batches:
    """Endless mini-batches of indices, with a state that can be stored.

    Parameters
    ----------
    samples:
        How many samples there are; the last batch of an epoch is shorter when ``batch_size`` does not divide it.
    settings:
        For ``batch_size`` and ``order``.
    seed:
        Of the order.

    Examples
    --------
    >>> batches = Batches(5, TrainingSettings(steps=1, batch_size=2, order="sequential"), 0)
    >>> [batches.next().tolist() for _ in range(4)]
    [[0, 1], [2, 3], [4], [0, 1]]
    """

    def __init__(self, samples: int, settings: TrainingSettings, seed: int) -> None:
        self.samples, self.size, self._order = samples, settings.batch_size, settings.order
        self._generator = torch.Generator().manual_seed(seed)
        self._at = 0
        self._indices = torch.arange(samples)
        if settings.order == "fixed":
            self._shuffle()

    def next(self) -> Tensor | None:
        """Indices of the next mini-batch; None for all samples at once."""
        if self.size is None:
            return None
        if self._at == 0 and self._order == "reshuffle":
            self._shuffle()
        chosen = self._indices[self._at : self._at + self.size]
        self._at = self._at + self.size if self._at + self.size < self.samples else 0
        return chosen

    def _shuffle(self) -> None:
        self._indices = torch.randperm(self.samples, generator=self._generator)

    def state(self) -> dict[str, Any]:
        """Everything that decides what comes next."""
        return {"at": self._at, "indices": self._indices, "generator": self._generator.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._at, self._indices = state["at"], state["indices"]
        self._generator.set_state(state["generator"])

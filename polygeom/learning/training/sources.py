"""Where the batches of a training come from: arrays, a Dataset, or a DataLoader, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning import targets as fitting
from polygeom.learning.recording import evaluation_mode
from polygeom.learning.training.batches import Batches
from polygeom.learning.training.settings import TrainingSettings

Loss = Callable[[Any, Tensor], Tensor]
Pair = tuple[Tensor, Tensor]


class Source:
    """Batches as the module and the loss read them; this one takes them from tensors that fit into memory.

    Attributes
    ----------
    whole:
        Whether every batch is all there is.
    few:
        Some samples to try a module on.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, settings: TrainingSettings, rng: int) -> None:
        self._data = inputs, targets
        self._batches = Batches(len(inputs), settings, rng)
        self.whole = settings.batch_size is None
        self.few: Pair = inputs[: settings.batch_size], targets[: settings.batch_size]

    def next(self) -> Pair:
        """The next batch."""
        chosen = self._batches.next()
        if chosen is None:
            return self._data
        chosen = chosen.to(self._data[0].device)
        return self._data[0][chosen], self._data[1][chosen]

    def all(self) -> Iterator[Pair]:
        """All samples once, in order, a batch at a time."""
        size = self._batches.size or len(self._data[0])
        inputs, targets = (torch.split(part, size) for part in self._data)
        yield from zip(inputs, targets, strict=True)

    def parts(self) -> dict[str, Any]:
        """What tells this source from others, for checkpoints."""
        return {"inputs": self._data[0], "targets": self._data[1]}

    def state(self) -> dict[str, Any]:
        """Everything that decides which batch comes next, but torch's own random numbers."""
        return self._batches.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._batches.restore(state)


class _Reader:
    """What turns raw batches of a Dataset or a DataLoader into what module and loss read, as the first one shows."""

    def __init__(self, module: nn.Module, loss: str | Loss, first: Any) -> None:
        self.module, self.loss = module, loss
        x, _ = _pair(first)
        if callable(loss):
            self.shape: torch.Size | None = None
            self.integers = checks.reads_integers(module)
            ready = checks.points(x, checks.like(module), name="inputs", integers=self.integers)
            with torch.no_grad(), evaluation_mode(module):
                checks.evaluate(module, ready)
        else:
            with evaluation_mode(module):
                ready, self.shape = checks.accept(module, module, x, name="inputs", separate=False, first=None)
            self.integers = not ready.is_floating_point()
        self(first)

    def __call__(self, batch: Any) -> Pair:
        x, y = _pair(batch)
        to = checks.like(self.module)
        x = checks.points(x, to, name="inputs", integers=self.integers)
        return x, ready_targets(y, len(x), self.shape, self.loss, to)


def ready_targets(y: Any, count: int, shape: torch.Size | None, loss: str | Loss, to: Tensor) -> Tensor:
    """Targets as a loss reads them; ``shape`` is that of the outputs at one point."""
    found = fitting.as_many(y, count)
    if shape is None:
        return found.to(to.device, to.dtype) if found.is_floating_point() else found.to(to.device)
    fitted = fitting.values if loss == "mse" else fitting.classes
    return fitted(found, (count, *shape), to)


class Items(Source):
    """Batches of a Dataset with a length; its samples are read when they are needed, again in every epoch."""

    def __init__(
        self, data: Dataset[Any], module: nn.Module, loss: str | Loss, settings: TrainingSettings, rng: int
    ) -> None:
        self.data, self.count = data, _length(data)
        self._batches = Batches(self.count, settings, rng)
        self.whole = settings.batch_size is None
        first = self._raw(range(min(settings.batch_size or self.count, self.count)))
        self._read = _Reader(module, loss, first)
        self.few = self._read(first)

    def _raw(self, chosen: Any) -> Any:
        return default_collate([self.data[int(i)] for i in chosen])

    def next(self) -> Pair:
        chosen = self._batches.next()
        return self._read(self._raw(range(self.count) if chosen is None else chosen.tolist()))

    def all(self) -> Iterator[Pair]:
        size = self._batches.size or self.count
        for start in range(0, self.count, size):
            yield self._read(self._raw(range(start, min(start + size, self.count))))

    def parts(self) -> dict[str, Any]:
        return {"dataset": (type(self.data).__qualname__, self.count, *self.few)}


class Loader(Source):
    """Batches as a DataLoader gives them, epoch after epoch; it has the order and the size.

    A checkpoint goes on by reading the epoch again up to the batch, with the random numbers that it began with.
    """

    def __init__(self, data: DataLoader[Any], module: nn.Module, loss: str | Loss, settings: TrainingSettings) -> None:
        if settings.batch_size is not None or settings.order != "reshuffle":
            raise PolygeomError("batch_size and order of settings have no effect with a DataLoader; say them there")
        self.data, self._at = data, 0
        self._iterator: Iterator[Any] = iter(())
        self._begun: dict[str, Tensor] | None = None
        self.whole = False
        with self._kept():
            first = next(iter(data), None)
        if first is None:
            raise PolygeomError("inputs must be a DataLoader with at least one batch, got none")
        self._read = _Reader(module, loss, first)
        self.few = self._read(first)

    def _random(self) -> dict[str, Tensor]:
        own = self.data.generator
        return {"torch": torch.get_rng_state()} | ({} if own is None else {"own": own.get_state()})

    def _set(self, state: dict[str, Tensor]) -> None:
        torch.set_rng_state(state["torch"])
        if self.data.generator is not None:
            self.data.generator.set_state(state["own"])

    def _kept(self) -> Any:
        import contextlib

        @contextlib.contextmanager
        def kept() -> Iterator[None]:
            before = self._random()
            try:
                yield
            finally:
                self._set(before)

        return kept()

    def next(self) -> Pair:
        batch = next(self._iterator, None)
        if batch is None:
            self._begun, self._at = self._random(), 0
            self._iterator = iter(self.data)
            batch = next(self._iterator, None)
            if batch is None:
                raise PolygeomError("inputs: the DataLoader gave no batch in this epoch; give one that can be repeated")
        self._at += 1
        return self._read(batch)

    def all(self) -> Iterator[Pair]:
        with self._kept():
            for batch in self.data:
                yield self._read(batch)

    def parts(self) -> dict[str, Any]:
        length = None if isinstance(self.data.dataset, IterableDataset) else len(self.data)
        return {"loader": (type(self.data.dataset).__qualname__, length, self.data.batch_size)}

    def state(self) -> dict[str, Any]:
        own = self.data.generator
        return {"at": self._at, "begun": self._begun, "own": None if own is None else own.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        self._at, self._begun, self._iterator = state["at"], state["begun"], iter(())
        if self._begun is not None:
            self._set(self._begun)
            self._iterator = iter(self.data)
            for _ in range(self._at):
                next(self._iterator, None)
        if state["own"] is not None:
            self.data.generator.set_state(state["own"])


def source(
    module: nn.Module, inputs: Any, targets: Any, loss: str | Loss, settings: TrainingSettings, rng: int
) -> Source:
    """The batches of arrays, of a Dataset, or of a DataLoader; the latter two bring their targets along.

    Raises
    ------
    PolygeomError
        For data that module and loss cannot read.
    """
    if isinstance(inputs, DataLoader | Dataset):
        if targets is not None:
            raise PolygeomError(f"targets must be None: the {type(inputs).__name__} brings them along")
        if isinstance(inputs, DataLoader):
            return Loader(inputs, module, loss, settings)
        if isinstance(inputs, IterableDataset):
            raise PolygeomError("inputs must be a Dataset with a length; write DataLoader(dataset) for this one")
        return Items(inputs, module, loss, settings, rng)
    if targets is None:
        raise PolygeomError("targets are missing: give arrays of inputs and targets, or a Dataset or DataLoader")
    batch = settings.batch_size
    if callable(loss):
        like = checks.like(module)
        x = checks.points(inputs, like, name="inputs", integers=checks.reads_integers(module))
        y = ready_targets(targets, len(x), None, loss, like)
        with torch.no_grad(), evaluation_mode(module):
            checks.evaluate(module, x[:batch])
    else:
        with evaluation_mode(module):
            x, shape = checks.accept(module, module, inputs, name="inputs", separate=False, first=batch)
        y = ready_targets(targets, len(x), shape, loss, checks.like(module))
    return Source(x, y, settings, rng)


def _length(data: Dataset[Any]) -> int:
    count = len(data) if hasattr(data, "__len__") else 0
    if not count:
        raise PolygeomError(f"inputs must be a Dataset with a length of at least 1, got a {type(data).__name__}")
    return count


def _pair(batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        kind = f"{type(batch).__name__} of {len(batch)}" if hasattr(batch, "__len__") else type(batch).__name__
        raise PolygeomError(
            f"a batch must be a pair (inputs, targets), got a {kind}; write a collate_fn that gives one"
        )
    return batch[0], batch[1]


__all__ = ["Items", "Loader", "Loss", "Source", "ready_targets", "source"]

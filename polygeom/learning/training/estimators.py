"""Torch modules as scikit-learn has its models: `fit` by our `train`, then `predict`, `score`, `clone`, grid searches.

Parameters of the module and of the training are parameters of the estimator, with skorch's double underscores:
``GridSearchCV(ModuleRegressor(make), {"module__width": [4, 8], "settings__learning_rate": [0.01, 0.1]})``.

What is missing on purpose: no weights of samples (`fit` says so), no sparse rows, no callbacks; skorch has them.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy
import torch
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from polygeom.errors import PolygeomError
from polygeom.learning.factories import make_module
from polygeom.learning.rows import Patience, RowEstimator, classes_of, no_weights
from polygeom.learning.training.loop import train
from polygeom.learning.training.settings import TrainingSettings
from polygeom.learning.training.sources import Loss
from polygeom.network import Network

SETTINGS = TrainingSettings(steps=500, learning_rate=0.02, record_every=50)
"""Those of an estimator without settings."""
_GIVEN = ("shape", "inputs", "outputs", "rng")
_TOGETHER = 4096  # rows of one evaluation

Makes = str | Network | nn.Module | Callable[..., Any] | None


class _ModuleEstimator(RowEstimator):
    """What both share: the module and its parameters, the training, values out."""

    module: Makes
    settings: TrainingSettings | None
    _precisions = (numpy.float64, numpy.float32)
    _default_loss = "mse"

    def __init__(
        self,
        module: Makes = None,
        *,
        settings: TrainingSettings | None = None,
        loss: str | Loss | None = None,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        device: str | None = None,
        autocast: str | None = None,
        random_state: Any = 0,
    ) -> None:
        self.module, self.settings, self.loss = module, settings, loss
        self.validation_fraction, self.patience = validation_fraction, patience
        self.device, self.autocast, self.random_state = device, autocast, random_state

    def fit(self, X: Any, y: Any, validation: tuple[Any, Any] | None = None, **further: Any) -> Self:
        """Train from first weights; ``X`` is ``(N, D)``, ``validation`` a pair of the same kinds.

        The result is the estimator itself.
        """
        no_weights(further)
        x, y, validation = self._held_back(X, y, validation)
        x, y = self._validated(x, y)
        targets, outputs = self._targets(y)
        if validation is not None:
            held, held_y = self._validated(*validation, reset=False)
            validation = held, self._seen(held_y)
        settings = SETTINGS if self.settings is None else self.settings
        if not isinstance(settings, TrainingSettings):
            raise PolygeomError(
                f"settings must be TrainingSettings or None, got {settings!r}; write TrainingSettings(steps=500)"
            )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.module_ = self._made(x, outputs, seed)
        patience = Patience(self.patience)

        def listen(row: Mapping[str, float]) -> bool:
            if "validation_loss" in row:
                patience.better(-row["validation_loss"])
            return patience.gone()

        result = train(
            self.module_, x, targets, settings, loss=self.loss or self._default_loss, stop=listen,
            validation=validation, keep="last" if self.patience is None else "best", rng=seed, device=self.device,
            autocast=self.autocast,
        )  # fmt: skip
        self.history_, self.n_iter_ = result.table, result.steps
        return self

    def _targets(self, y: numpy.ndarray) -> tuple[numpy.ndarray, int]:
        raise NotImplementedError

    def _seen(self, y: numpy.ndarray) -> numpy.ndarray:
        raise NotImplementedError

    def _made(self, x: numpy.ndarray, outputs: int, seed: int) -> nn.Module:
        given = f"[{x.shape[1]},16,{outputs}] r=2 bias" if self.module is None else self.module
        module = make_module(given, x.shape[1:], outputs, seed)
        if isinstance(given, str | Network) and x.dtype == numpy.float32:
            module = module.float()
        return module

    @torch.no_grad()
    def _values(self, x: Any) -> Tensor:
        check_is_fitted(self, "module_")
        weight = next(self.module_.parameters())
        rows = torch.from_numpy(self._rows(x).copy()).to(weight)
        mode = self.module_.training
        self.module_.eval()
        try:
            return torch.cat([self.module_(part) for part in torch.split(rows, _TOGETHER)]).double().cpu()
        finally:
            self.module_.train(mode)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor; with ``deep`` also those of the factory and the fields of the settings."""
        found: dict[str, Any] = super().get_params(deep=False)
        if deep:
            found |= {f"module__{name}": value for name, value in _arguments(self.module).items()}
            settings = SETTINGS if self.settings is None else self.settings
            if isinstance(settings, TrainingSettings):  # anything else is refused when it is used
                found |= {f"settings__{name}": value for name, value in settings.as_dict().items()}
        return found

    def set_params(self, **params: Any) -> Self:
        """Change arguments, those of the factory (``module__width=8``) and settings (``settings__steps=9``) too."""
        inside = {name: params.pop(name) for name in [*params] if name.startswith(("module__", "settings__"))}
        super().set_params(**params)
        of_module, of_settings = (
            {name.removeprefix(start): value for name, value in inside.items() if name.startswith(start)}
            for start in ("module__", "settings__")
        )
        if of_module:
            self.module = _with_arguments(self.module, of_module)
        if of_settings:
            known = [field.name for field in dataclasses.fields(TrainingSettings)]
            for name in of_settings.keys() - set(known):
                raise PolygeomError(f"settings__{name} is none of the settings of a training: {', '.join(known)}")
            self.settings = dataclasses.replace(SETTINGS if self.settings is None else self.settings, **of_settings)
        return self


class ModuleRegressor(RegressorMixin, _ModuleEstimator):  # type: ignore[misc]
    """Regression by a torch module, trained by `train`.

    Parameters
    ----------
    module:
        What is trained: the text of a network (``"[4,8,1] r=2"``) or a `Network`; a function or class that makes a
        module, given those of ``inputs``, ``outputs``, ``shape`` and ``rng`` that it names; or a module, of which every
        `fit` trains a copy. None for one hidden layer of 16 squares with biases. Rows have shape ``(N, D)``, outputs
        ``(N, C)`` with one column for each target.
    settings:
        How to train; None for 500 steps of Adam at 0.02 with all rows. Its fields are parameters of `set_params` and of
        grid searches, ``settings__steps``, and so are the arguments of a function that makes modules,
        ``module__width``.
    loss:
        As for `train`; None for ``"mse"`` (a classifier's is ``"cross_entropy"``).
    validation_fraction:
        The share of rows that is held back for validation; 0 for none. Rows of your own: ``fit(X, y, validation=…)``.
    patience:
        Stop after so many recorded rows without a smaller validation loss, and keep the best weights; None for all
        steps and the last weights.
    device, autocast:
        As for `train`.
    random_state:
        Seed of the rows held back, the first weights and the order.

    Attributes
    ----------
    module_:
        The trained module.
    history_:
        A pandas frame with the rows of the training: ``step``, ``loss`` and, where rows are held back,
        ``validation_loss``.
    n_iter_:
        Steps that were made.

    Raises
    ------
    PolygeomError
        From `fit`, for a module that does not fit the data, weights of samples, and patience without rows held back.
    DivergenceError
        From `fit`, when the loss or a weight is not finite.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from polygeom.learning.training import ModuleRegressor
    >>> x = numpy.random.default_rng(0).normal(size=(60, 2))
    >>> y = x[:, 0] * x[:, 1]
    >>> search = GridSearchCV(ModuleRegressor(), {"module": ["[2,2,1] r=3", "[2,2,1] r=2"]}, cv=3).fit(x, y)
    >>> search.best_params_, round(float(search.score(x, y)), 3)
    ({'module': '[2,2,1] r=2'}, 1.0)
    """

    def _targets(self, y: numpy.ndarray) -> tuple[numpy.ndarray, int]:
        self._flat = y.ndim == 1
        return self._seen(y), 1 if y.ndim == 1 else y.shape[1]

    def _seen(self, y: numpy.ndarray) -> numpy.ndarray:
        found: numpy.ndarray = numpy.asarray(y, dtype=float).reshape(len(y), -1)
        return found

    def predict(self, X: Any) -> numpy.ndarray:
        """Values at rows ``(M, D)``: shape ``(M,)`` or ``(M, C)``, as the targets had."""
        values: numpy.ndarray = self._values(X).numpy()
        return values[:, 0] if self._flat else values


class ModuleClassifier(ClassifierMixin, _ModuleEstimator):  # type: ignore[misc]
    """Classification by a torch module with one output for each class, trained by `train` with cross entropy.

    Parameters and errors are those of `ModuleRegressor`. In ``history_`` rows held back have ``validation_accuracy`` as
    well; ``classes_`` are the classes in order, shape ``(C,)``.

    Examples
    --------
    >>> from polygeom.learning.training import ModuleClassifier, TrainingSettings
    >>> x = numpy.random.default_rng(0).normal(size=(80, 2))
    >>> y = numpy.where((x**2).sum(axis=1) < 1, "inside", "outside")
    >>> model = ModuleClassifier("[2,4,2] r=2 bias", settings=TrainingSettings(steps=200, learning_rate=0.05)).fit(x, y)
    >>> bool(model.score(x, y) > 0.95), model.predict([[0, 0], [2, 2]]).tolist()
    (True, ['inside', 'outside'])
    """

    _default_loss = "cross_entropy"

    def _targets(self, y: numpy.ndarray) -> tuple[numpy.ndarray, int]:
        self.classes_, numbers = classes_of(y)
        return numbers, len(self.classes_)

    def _seen(self, y: numpy.ndarray) -> numpy.ndarray:
        places = numpy.searchsorted(self.classes_, y).clip(0, len(self.classes_) - 1)
        if (self.classes_[places] != y).any():
            new = sorted({str(one) for one in y[self.classes_[places] != y]})
            raise PolygeomError(f"validation has classes that the rows to learn from lack: {', '.join(new[:5])}")
        return places

    def predict_proba(self, X: Any) -> numpy.ndarray:
        """Shares of the classes at rows ``(M, D)``: shape ``(M, C)``, the softmax of the outputs."""
        found: numpy.ndarray = self._values(X).softmax(1).numpy()
        return found

    def predict(self, X: Any) -> numpy.ndarray:
        """The class of the largest output, for rows ``(M, D)``; shape ``(M,)``."""
        values = self._values(X)
        return numpy.asarray(self.classes_[values.argmax(1).numpy()])


def _arguments(module: Makes) -> dict[str, Any]:
    """The arguments of a factory that have a value: those that were set, and defaults."""
    if isinstance(module, str | Network | nn.Module) or not callable(module):
        return {}
    try:
        wanted = inspect.signature(module).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {
        one.name: one.default for one in wanted if one.default is not inspect.Parameter.empty and one.name not in _GIVEN
    }


def _with_arguments(module: Makes, given: Mapping[str, Any]) -> Makes:
    """A factory with other arguments."""
    if isinstance(module, str | Network | nn.Module) or not callable(module):
        raise PolygeomError(
            f"module__{next(iter(given))} is an argument of a function that makes a module, but module is {module!r}; "
            "give the function, or write module=… as a whole"
        )
    try:
        wanted = inspect.signature(module).parameters
    except (TypeError, ValueError):
        wanted = None
    for name in given:
        if wanted is not None and name not in wanted and not any(p.kind is p.VAR_KEYWORD for p in wanted.values()):
            raise PolygeomError(f"module__{name} is no argument of module, which takes {', '.join(wanted) or 'none'}")
    first, old = (module.func, module.keywords) if isinstance(module, functools.partial) else (module, {})
    return functools.partial(first, *getattr(module, "args", ()), **{**old, **given})


__all__ = ["ModuleClassifier", "ModuleRegressor"]

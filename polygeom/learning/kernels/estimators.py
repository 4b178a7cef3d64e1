"""Kernel machines as scikit-learn has its models: `fit`, `predict`, `score`, `clone`, pipelines and grid searches.

Every kernel of the package can be the ``kernel``: those on rows, sums and products of them, those of infinitely wide
networks, the tangent kernel of a module, or a function of two tensors. The numbers of a kernel are parameters of the
estimator: ``GridSearchCV(KernelRegressor(Laplacian()), {"kernel__bandwidth": [1, 10]})``.

What is missing on purpose: no probabilities, no weights of samples (`fit` says so), no sparse rows.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy
import torch
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from polygeom.errors import PolygeomError
from polygeom.learning.kernels.algebra import Kernel
from polygeom.learning.kernels.kernels import Laplacian
from polygeom.learning.kernels.machines import MEMORY_BUDGET, KernelMachine, solve
from polygeom.learning.kernels.preconditioning import eigenpro
from polygeom.learning.rows import Patience, RowEstimator, classes_of, no_weights


class _KernelEstimator(RowEstimator):
    """What all of them share: the kernel and its parameters, rows in and values out.

    A subclass finds the machine (`_machine`) and says what the targets of `fit` are as columns (`_targets`).
    """

    kernel: Kernel | None
    memory: int
    _fewest_rows = 1

    def _machine(self, kernel: Kernel, x: Tensor, y: Tensor, validation: tuple[Tensor, Any] | None) -> KernelMachine:
        raise NotImplementedError

    def _targets(self, y: numpy.ndarray) -> numpy.ndarray:
        raise NotImplementedError

    def _fit(self, x: Any, y: Any, validation: tuple[Any, Any] | None = None) -> Self:
        x, y = self._validated(x, y, ensure_min_samples=self._fewest_rows)
        targets = self._targets(y)
        kernel = Laplacian(math.sqrt(x.shape[1])) if self.kernel is None else self.kernel
        points = torch.from_numpy(x.copy())
        if validation is not None:
            held, held_y = self._validated(*validation, reset=False)
            validation = torch.from_numpy(held.copy()), held_y
        self.machine_ = self._machine(kernel, points, torch.from_numpy(targets.copy()).to(points), validation)
        return self

    def _values(self, x: Any) -> numpy.ndarray:
        check_is_fitted(self, "machine_")
        found = self.machine_.predict(torch.from_numpy(self._rows(x).copy()), memory=self.memory)
        return found.numpy()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor; with ``deep`` also the numbers of the kernel, as ``kernel__bandwidth``."""
        found: dict[str, Any] = super().get_params(deep=False)
        return found | ({f"kernel__{name}": value for name, value in _fields(self.kernel)} if deep else {})

    def set_params(self, **params: Any) -> Self:
        """Change arguments, or numbers of the kernel by ``kernel__bandwidth=2.0``; kernels are values and replaced."""
        inside = {name.removeprefix("kernel__"): params.pop(name) for name in [*params] if name.startswith("kernel__")}
        super().set_params(**params)
        for name, value in inside.items():
            self.kernel = _with_field(self.kernel, name, value)
        return self


class _Regressor(RegressorMixin, _KernelEstimator):  # type: ignore[misc]
    def _targets(self, y: numpy.ndarray) -> numpy.ndarray:
        return numpy.asarray(y, dtype=float)

    def predict(self, X: Any) -> numpy.ndarray:
        """Values at rows ``(M, D)``: shape ``(M,)`` or ``(M, C)``, as the targets had."""
        return self._values(X)


class _Classifier(ClassifierMixin, _KernelEstimator):  # type: ignore[misc]
    """Targets -1 and 1 for two classes, one-hot columns for more."""

    def _targets(self, y: numpy.ndarray) -> numpy.ndarray:
        self.classes_, numbers = classes_of(y)
        if len(self.classes_) == 2:
            return 2.0 * numbers - 1.0
        columns: numpy.ndarray = numpy.eye(len(self.classes_))[numbers]
        return columns

    def decision_function(self, X: Any) -> numpy.ndarray:
        """The fitted functions at rows ``(M, D)``: ``(M,)`` for two classes, the second above 0; else ``(M, C)``."""
        return self._values(X)

    def predict(self, X: Any) -> numpy.ndarray:
        """The class of the largest value, for rows ``(M, D)``; shape ``(M,)``."""
        return self._labels(self._values(X))

    def _labels(self, values: numpy.ndarray) -> numpy.ndarray:
        chosen = (values > 0).astype(int) if values.ndim == 1 else values.argmax(axis=1)
        return numpy.asarray(self.classes_[chosen])


class _Exact:
    """`solve` with a ridge."""

    def __init__(self, kernel: Kernel | None = None, *, ridge: float = 1e-3, memory: int = MEMORY_BUDGET) -> None:
        self.kernel, self.ridge, self.memory = kernel, ridge, memory

    def fit(self: Any, X: Any, y: Any, **further: Any) -> Any:
        """Solve for the function; ``X`` has shape ``(N, D)``. The result is the estimator itself."""
        no_weights(further)
        return self._fit(X, y)

    def _machine(self: Any, kernel: Kernel, x: Tensor, y: Tensor, _: Any) -> KernelMachine:
        return solve(kernel, x, y, ridge=self.ridge, condition=False, memory=self.memory)


class KernelRegressor(_Exact, _Regressor):
    """Kernel ridge regression, exactly: the function ``f`` with the least ``Σ |f(x_i) - y_i|² + ridge · |f|²``.

    Parameters
    ----------
    kernel:
        Any kernel of the package, a sum or product of some, or a function of two tensors; None for the Laplacian kernel
        of bandwidth ``√D`` for rows of length ``D``, the distance of points with standardised columns up to a factor.
    ridge:
        At least 0; at 0 the function interpolates.
    memory:
        Bytes that kernel values may take.

    Attributes
    ----------
    machine_:
        The fitted `KernelMachine`, in float64, with its condition number estimated from below.

    Raises
    ------
    PolygeomError
        From `fit`, for a kernel matrix that is singular in its precision.
    BudgetError
        From `fit`, when the matrix does not fit; `EigenProRegressor` needs less.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from polygeom.learning.kernels import KernelRegressor, Polynomial
    >>> x = numpy.random.default_rng(0).normal(size=(60, 2))
    >>> search = GridSearchCV(KernelRegressor(Polynomial(1), ridge=1e-8), {"kernel__degree": [1, 3]}, cv=3)
    >>> search.fit(x, x[:, 0] ** 2 * x[:, 1]).best_params_
    {'kernel__degree': 3}
    """


class KernelClassifier(_Exact, _Classifier):
    """Kernel ridge regression of the classes: -1 and 1 for two of them, one-hot columns for more.

    Parameters and errors are those of `KernelRegressor`.

    Attributes
    ----------
    classes_:
        The classes in order, shape ``(C,)``.
    machine_:
        The fitted `KernelMachine`.

    Examples
    --------
    >>> from polygeom.learning.kernels import KernelClassifier
    >>> x = numpy.linspace(-1, 1, 20)[:, None]
    >>> KernelClassifier().fit(x, numpy.where(x[:, 0] > 0, "right", "left")).predict([[-0.5], [0.7]]).tolist()
    ['left', 'right']
    """


class _EigenPro:
    """`eigenpro`, with what is held back for validation, and the epochs as a table."""

    def __init__(
        self,
        kernel: Kernel | None = None,
        *,
        epochs: int = 30,
        subsample: int | None = None,
        top: int | None = None,
        batch_size: int | None = None,
        tolerance: float = 0.0,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        memory: int = MEMORY_BUDGET,
        random_state: Any = 0,
    ) -> None:
        self.kernel, self.epochs, self.subsample, self.top = kernel, epochs, subsample, top
        self.batch_size, self.tolerance, self.memory = batch_size, tolerance, memory
        self.validation_fraction, self.patience, self.random_state = validation_fraction, patience, random_state

    _fewest_rows, _precisions = 3, (numpy.float64, numpy.float32)

    def fit(self: Any, X: Any, y: Any, validation: tuple[Any, Any] | None = None, **further: Any) -> Any:
        """Descend; ``X`` is ``(N, D)``, ``validation`` a pair of the same kinds. The result is the estimator itself."""
        no_weights(further)
        return self._fit(*self._held_back(X, y, validation))

    def _machine(
        self: Any, kernel: Kernel, x: Tensor, y: Tensor, validation: tuple[Tensor, Any] | None
    ) -> KernelMachine:
        watch = _Watch(self, validation)
        machine = eigenpro(
            kernel,
            x,
            y,
            epochs=self.epochs,
            subsample=None if self.subsample is None else min(self.subsample, len(x)),
            top=self.top,
            batch_size=None if self.batch_size is None else min(self.batch_size, len(x)),
            tolerance=self.tolerance,
            metrics=None if validation is None else {self._metric: watch},
            stop=None if self.patience is None else watch.stop,
            memory=self.memory,
            rng=int(check_random_state(self.random_state).randint(2**31 - 1)),
        )
        self.history_ = machine.table
        self.n_iter_ = int(self.history_["epoch"].iloc[-1])
        return machine if self.patience is None else watch.best


class _Watch:
    """The quality on what was held back, epoch by epoch, and the best machine so far."""

    best: KernelMachine

    def __init__(self, estimator: Any, validation: tuple[Tensor, Any] | None) -> None:
        self.estimator, self.validation, self.patience = estimator, validation, Patience(estimator.patience)

    def __call__(self, machine: KernelMachine) -> float:
        assert self.validation is not None
        x, y = self.validation
        measured = self.estimator._measure(machine.predict(x).numpy(), y)
        if self.patience.better(self.estimator._sign * measured):
            self.best = machine
        return float(measured)

    def stop(self, _: Mapping[str, float]) -> bool:
        return self.patience.gone()


class EigenProRegressor(_EigenPro, _Regressor):
    """Kernel regression by `eigenpro`, for more rows than an exact solution can take.

    Parameters
    ----------
    kernel:
        As for `KernelRegressor`.
    epochs:
        Passes over the data, at most.
    subsample, top, batch_size, tolerance:
        As for `eigenpro`, the first and the third cut to the number of rows. The precision is that of the rows.
    validation_fraction:
        The share of rows that is held back for validation; 0 for none. Rows of your own: ``fit(X, y, validation=…)``.
    patience:
        Stop after so many epochs without a better value on the rows held back, and keep the best machine; None for all
        epochs and the last machine.
    memory:
        Bytes that kernel values may take.
    random_state:
        Seed of the rows held back, the subsample and the order.

    Attributes
    ----------
    machine_:
        The fitted `KernelMachine`.
    history_:
        A pandas frame with a row for each epoch: ``epoch``, ``train_mse``, ``step``, ``batch``, ``seconds``, and
        ``validation_mse`` (for a classifier ``validation_accuracy``) where rows are held back.
    n_iter_:
        The epochs that were made.

    Raises
    ------
    PolygeomError
        From `fit`, for patience without rows held back.
    StepError
        From `fit`, when the descent diverges whatever the step: the kernel is not positive definite.

    Examples
    --------
    >>> from polygeom.learning.kernels import EigenProRegressor, Laplacian
    >>> x = numpy.random.default_rng(0).normal(size=(200, 3))
    >>> model = EigenProRegressor(Laplacian(2.0), validation_fraction=0.2, patience=3).fit(x, x[:, 0])
    >>> float(model.history_["validation_mse"].min()) < 0.05, model.n_iter_ <= 30
    (True, True)
    """

    _metric, _sign = "validation_mse", -1

    def _measure(self, values: numpy.ndarray, y: Any) -> float:
        return float(numpy.mean((values - numpy.asarray(y, dtype=float)) ** 2))


class EigenProClassifier(_EigenPro, _Classifier):
    """Classes by `eigenpro`: -1 and 1 for two of them, one-hot columns for more.

    Parameters, attributes and errors are those of `EigenProRegressor`; ``classes_`` are the classes in order, ``(C,)``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from polygeom.learning.kernels import EigenProClassifier, Laplacian
    >>> x, y = load_digits(return_X_y=True)
    >>> model = EigenProClassifier(Laplacian(20.0), epochs=5, validation_fraction=0.2).fit(x[:600], y[:600])
    >>> list(model.history_.columns)[-1], bool(model.score(x[600:900], y[600:900]) > 0.9)
    ('validation_accuracy', True)
    """

    _metric, _sign = "validation_accuracy", 1

    def _measure(self, values: numpy.ndarray, y: Any) -> float:
        return float(numpy.mean(self._labels(values) == numpy.asarray(y)))


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a kernel that is a dataclass, and of the kernels inside, as ``left__bandwidth``."""
    if not dataclasses.is_dataclass(value):
        return
    for field in dataclasses.fields(value):
        inside = getattr(value, field.name)
        yield field.name, inside
        yield from ((f"{field.name}__{name}", found) for name, found in _fields(inside))


def _with_field(value: Any, name: str, new: Any) -> Any:
    """The same kernel with another value of one field; ``name`` as `_fields` writes it."""
    known = [known for known, _ in _fields(value)]
    if name not in known:
        raise PolygeomError(f"kernel__{name} is no parameter of the kernel {value!r}; it has {known or 'none'}")
    first, _, rest = name.partition("__")
    return dataclasses.replace(value, **{first: _with_field(getattr(value, first), rest, new) if rest else new})


__all__ = ["EigenProClassifier", "EigenProRegressor", "KernelClassifier", "KernelRegressor"]

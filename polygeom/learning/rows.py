"""What every estimator in scikit-learn's manner does: rows and targets in, numbers of classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data
from torch import Tensor

from polygeom.checks import is_integer
from polygeom.errors import PolygeomError
from polygeom.learning import checks


def as_array(value: Any, name: str) -> Any:
    """A tensor as an array, which scikit-learn reads; anything else as it is."""
    return checks.tensor(value, name).detach().cpu().numpy() if isinstance(value, Tensor) else value


class RowEstimator(BaseEstimator):  # type: ignore[misc]
    """Base of estimators: rows are checked as scikit-learn checks them, tensors are taken as well."""

    _precisions: Any = numpy.float64

    def _validated(self, x: Any, y: Any, **further: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
        x, y = as_array(x, "X"), as_array(y, "y")
        found: tuple[numpy.ndarray, numpy.ndarray] = validate_data(
            self, x, y, dtype=self._precisions, y_numeric=self._numeric, multi_output=True, **further
        )
        return found

    def _rows(self, x: Any) -> numpy.ndarray:
        found: numpy.ndarray = validate_data(self, as_array(x, "X"), dtype=self._precisions, reset=False)
        return found

    def _held_back(
        self: Any, x: Any, y: Any, validation: tuple[Any, Any] | None
    ) -> tuple[Any, Any, tuple[Any, Any] | None]:
        """Rows to learn from, and those to validate on: given, or the share ``validation_fraction``."""
        if self.validation_fraction:
            if validation is not None:
                raise PolygeomError("validation is given twice; leave out validation_fraction, or the argument of fit")
            check_consistent_length(x, y)
            stratify = None if self._numeric else y
            x, held, y, held_y = train_test_split(
                x, y, test_size=self.validation_fraction, random_state=self.random_state, stratify=stratify
            )
            validation = held, held_y
        if self.patience is not None and (validation is None or not is_integer(self.patience) or self.patience < 1):
            raise PolygeomError(
                "patience must be None, or how often no better value may come from something to validate on, got "
                f"{self.patience!r}; write patience=5, validation_fraction=0.1"
            )
        return x, y, validation

    @property
    def _numeric(self) -> bool:
        return isinstance(self, RegressorMixin)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self._numeric
        return tags


def classes_of(y: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The classes in order, and the number of the class of each row.

    Raises
    ------
    PolygeomError
        For one class alone.
    """
    y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    classes, numbers = numpy.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise PolygeomError(
            f"y must have at least two classes, got {classes[0]!r} alone: a classifier can't train when "
            "only one class is present"
        )
    return classes, numbers


def no_weights(further: Mapping[str, Any]) -> None:
    """Refuse what `fit` does not know, weights of samples in words.

    Raises
    ------
    PolygeomError
        For any argument.
    """
    for name in further:
        instead = "; repeat rows instead" if name == "sample_weight" else ""
        raise PolygeomError(f"{name} is no argument of fit, which takes X and y{instead}")


class Patience:
    """Says when no better value has come for a while; the better the larger."""

    def __init__(self, most: int | None) -> None:
        self.most, self.best, self.since = most, -math.inf, 0

    def better(self, value: float) -> bool:
        """Take note of a value; whether it is the best so far."""
        found = value > self.best
        self.best, self.since = (value, 0) if found else (self.best, self.since + 1)
        return found

    def gone(self) -> bool:
        """Whether it is at an end."""
        return self.most is not None and self.since >= self.most


__all__ = ["Patience", "RowEstimator", "as_array", "classes_of", "no_weights"]

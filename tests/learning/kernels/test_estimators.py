"""Estimators: what scikit-learn asks of them, the same numbers as its own, kernels as parameters and as values."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra learn")
sklearn = pytest.importorskip("sklearn", reason="the extra learn")

import numpy as np  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.kernel_ridge import KernelRidge  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.kernels import (  # noqa: E402
    Dispersal,
    EigenProClassifier,
    EigenProRegressor,
    Gaussian,
    InfiniteWidth,
    KernelClassifier,
    KernelRegressor,
    Laplacian,
    Polynomial,
    solve,
)
from polygeom.learning.kernels.algebra import Constant, Multiple, ProductOfKernels, SumOfKernels  # noqa: E402
from polygeom.learning.kernels.product_kernels import ProductKernel  # noqa: E402
from polygeom.learning.tangent import TangentKernel  # noqa: E402

ESTIMATORS = [KernelRegressor, KernelClassifier, EigenProRegressor, EigenProClassifier]
RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 3))
Y = X[:, 0] * X[:, 1] - X[:, 2]
T = torch.from_numpy(X)


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(one, marks=[pytest.mark.slow] if one in (KernelClassifier, EigenProRegressor) else [])
        for one in ESTIMATORS
    ],
)
def test_scikit_learn_accepts_it(estimator: type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All checks of scikit-learn; the one it skips itself asks for arrays of other libraries."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # its checks leave folders until the process ends
    found = check_estimator(estimator(), on_fail=None, on_skip=None)
    assert [(one["check_name"], str(one["exception"])) for one in found if one["status"] == "failed"] == []
    assert {one["check_name"] for one in found if one["status"] == "skipped"} <= {"check_array_api_input"}
    assert len(found) > 40


def test_the_exact_regressor_is_scikit_learns_kernel_ridge() -> None:
    ours = KernelRegressor(Gaussian(1.3), ridge=0.1).fit(X[:30], Y[:30])
    theirs = KernelRidge(alpha=0.1, kernel="rbf", gamma=1 / (2 * 1.3**2)).fit(X[:30], Y[:30])
    assert np.abs(ours.predict(X) - theirs.predict(X)).max() < 1e-12


KERNELS = {
    "gaussian": Gaussian(2.0),
    "laplacian": Laplacian(2.0),
    "dispersal": Dispersal(0.5, 2.0),
    "polynomial": Polynomial(2, 1.0),
    "infinitely wide": InfiniteWidth(depth=2),
    "product": ProductKernel(2, bias=True),
    "tangent": TangentKernel(torch.nn.Sequential(torch.nn.Linear(3, 50), torch.nn.Tanh(), torch.nn.Linear(50, 1))),
    "sum": 0.5 * Laplacian() + Polynomial(1) * Gaussian(3.0) + 1,
    "function": lambda x, y: (x @ y.T + 1) ** 2,
}


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_fits_like_the_solution_of_the_same_system(name: str) -> None:
    kernel = KERNELS[name]
    exact = solve(kernel, T, Y, ridge=1e-2, condition=False).predict(T).numpy()
    assert np.abs(clone(KernelRegressor(kernel, ridge=1e-2)).fit(X, Y).predict(X) - exact).max() < 1e-9
    assert KernelClassifier(kernel, ridge=1e-2).fit(X, Y > 0).score(X, Y > 0) > 0.8


def test_kernels_add_and_multiply() -> None:
    one, other = Gaussian(2.0), Polynomial(2)
    k, m = one(T, T), other(T, T)
    assert torch.allclose((one + other)(T, T), k + m, rtol=1e-15)
    assert torch.allclose((one * other)(T, T), k * m, rtol=1e-15)
    assert torch.allclose((2 * one)(T, T), 2 * k, rtol=1e-15)
    assert torch.allclose((one * 2)(T, T), 2 * k, rtol=1e-15)
    assert torch.allclose((1 + one + 2)(T, T), k + 3, rtol=1e-15)
    assert torch.allclose((one + (lambda x, y: x @ y.T))(T, T), k + T @ T.T, rtol=1e-15)
    assert 2 * one == Multiple(Gaussian(2.0), 2)
    assert one + 1 == SumOfKernels(one, Constant(1.0))
    assert isinstance((lambda x, y: x @ y.T) * one, ProductOfKernels)


@pytest.mark.parametrize("wrong", [lambda k: k + "1", lambda k: -1 * k, lambda k: k * 0, lambda k: k + float("nan")])
def test_what_is_no_kernel_is_refused(wrong: object) -> None:
    with pytest.raises(PolygeomError, match=r"positive|combines"):
        wrong(Gaussian())  # type: ignore[operator]


def test_numbers_of_kernels_are_parameters() -> None:
    model = KernelRegressor(2 * Laplacian(3.0) + Polynomial(2))
    assert model.get_params()["kernel__left__kernel__bandwidth"] == 3.0
    changed = clone(model).set_params(kernel__left__kernel__bandwidth=5.0, ridge=1.0)
    assert changed.kernel == 2 * Laplacian(5.0) + Polynomial(2)
    assert (changed.ridge, model.kernel.left.kernel.bandwidth) == (1.0, 3.0)
    with pytest.raises(PolygeomError, match="kernel__width is no parameter"):
        model.set_params(kernel__width=1.0)
    with pytest.raises(PolygeomError, match="bandwidth must be positive"):
        model.set_params(kernel__left__kernel__bandwidth=-1.0)


def test_a_grid_search_through_a_pipeline_finds_the_degree() -> None:
    pipeline = make_pipeline(StandardScaler(), KernelRegressor(Polynomial(1, 1.0), ridge=1e-8))
    search = GridSearchCV(pipeline, {"kernelregressor__kernel__degree": [1, 2]}, cv=3).fit(X, Y)
    assert search.best_params_ == {"kernelregressor__kernel__degree": 2}
    assert search.best_score_ > 0.999


def test_eigenpro_tends_to_the_exact_function() -> None:
    exact = KernelRegressor(Laplacian(2.0), ridge=0).fit(X, Y).predict(X + 0.1)
    assert np.abs(EigenProRegressor(Laplacian(2.0), epochs=200).fit(X, Y).predict(X + 0.1) - exact).max() < 1e-3


def test_the_best_epoch_on_rows_held_back_is_kept() -> None:
    digits, classes = load_digits(return_X_y=True)
    noisy = np.where(RNG.random(400) < 0.3, RNG.integers(0, 10, 400), classes[:400])
    model = EigenProClassifier(Laplacian(20.0), epochs=40, patience=4, random_state=1)
    model.fit(digits[:400], noisy, validation=(digits[400:700], classes[400:700]))
    history = model.history_["validation_accuracy"]
    assert model.score(digits[400:700], classes[400:700]) == history.max()
    assert model.n_iter_ == len(history) == history.idxmax() + 1 + 4 < 40


def test_labels_come_back_as_they_were() -> None:
    names = np.array(["minus", "plus"])[(Y > 0).astype(int)]
    model = EigenProClassifier(Laplacian(2.0), validation_fraction=0.2).fit(X, names)
    assert set(model.predict(X)) <= {"minus", "plus"}
    assert model.decision_function(X).shape == (40,)
    assert list(model.history_.columns) == ["epoch", "train_mse", "step", "batch", "seconds", "validation_accuracy"]


@pytest.mark.parametrize(
    ("model", "fit", "message"),
    [
        (EigenProRegressor(patience=3), {}, "patience must be None"),
        (EigenProRegressor(patience=0, validation_fraction=0.2), {}, "patience must be None"),
        (EigenProRegressor(validation_fraction=0.2), {"validation": (X, Y)}, "given twice"),
        (EigenProRegressor(), {"validation": (X[:, :2], Y)}, "2 features"),
        (KernelRegressor(ridge=-1.0), {}, "ridge must be at least 0"),
        (KernelRegressor(Polynomial(1), ridge=0.0), {}, "invertible"),
    ],
)
def test_errors_in_words(model: object, fit: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y, **fit)  # type: ignore[attr-defined]

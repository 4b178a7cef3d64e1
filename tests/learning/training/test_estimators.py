"""Torch modules as estimators: what scikit-learn asks of them, the same weights as `train`, parameters by two words."""

from __future__ import annotations

import dataclasses
import pickle
import tempfile
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra learn")
sklearn = pytest.importorskip("sklearn", reason="the extra learn")

import numpy as np  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.kernels import EigenProRegressor, KernelClassifier  # noqa: E402
from polygeom.learning.training import (  # noqa: E402
    ModuleClassifier,
    ModuleRegressor,
    TrainingSettings,
    estimators,
    train,
)
from polygeom.network import parse  # noqa: E402

RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 3))
Y = X[:, 0] * X[:, 1]
FEW = TrainingSettings(steps=20, learning_rate=0.05, record_every=5)


class Net(torch.nn.Sequential):
    """A perceptron, float32."""

    def __init__(self, inputs: int, outputs: int, width: int = 4, *, wide: bool = False) -> None:
        width *= 10 if wide else 1
        super().__init__(torch.nn.Linear(inputs, width), torch.nn.Tanh(), torch.nn.Linear(width, outputs))


def checked(estimator: Any) -> None:
    found = check_estimator(estimator, on_fail=None, on_skip=None)
    assert [(one["check_name"], str(one["exception"])) for one in found if one["status"] == "failed"] == []
    assert {one["check_name"] for one in found if one["status"] == "skipped"} <= {"check_array_api_input"}
    assert len(found) > 40


@pytest.mark.parametrize(("estimator", "steps"), [(ModuleRegressor, 12), (ModuleClassifier, 4)])
def test_scikit_learn_accepts_it(estimator: Any, steps: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All checks, trained by as few steps of L-BFGS as reach the scores that they ask for."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    short = TrainingSettings(steps=steps, optimiser="lbfgs", learning_rate=1.0, record_every=steps)
    monkeypatch.setattr(estimators, "SETTINGS", short)
    checked(estimator())


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [ModuleRegressor, ModuleClassifier])
def test_scikit_learn_accepts_it_as_it_is(estimator: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    checked(estimator())


def test_it_is_the_training_of_the_package() -> None:
    batches = dataclasses.replace(FEW, batch_size=8)  # so that the order matters
    model = ModuleRegressor("[3,2,1] r=2", settings=batches, random_state=4).fit(X, Y)
    seed = int(np.random.RandomState(4).randint(2**31 - 1))
    module = parse("[3,2,1] r=2").to_torch(rng=seed)
    train(module, X, Y[:, None], batches, rng=seed)
    assert np.array_equal(model.predict(X), module(torch.from_numpy(X)).detach().numpy()[:, 0])
    assert list(model.history_["step"]) == [0, 5, 10, 15, 20]
    assert model.n_iter_ == 20
    again = clone(model).fit(X, Y)
    assert np.array_equal(again.predict(X), model.predict(X))
    other = clone(model).set_params(random_state=5).fit(X, Y)
    assert not np.allclose(other.predict(X), model.predict(X))
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_a_module_is_copied_at_every_fit() -> None:
    own = Net(3, 2)
    first = {name: value.clone() for name, value in own.state_dict().items()}
    targets = np.stack([Y, -Y], axis=1)
    model = ModuleRegressor(own, settings=FEW).fit(X, targets)
    assert model.predict(X).shape == (40, 2)
    assert all(torch.equal(value, first[name]) for name, value in own.state_dict().items())
    assert np.array_equal(model.fit(X, targets).predict(X), clone(model).fit(X, targets).predict(X))


def test_arguments_of_the_factory_and_settings_are_parameters() -> None:
    model = ModuleRegressor(Net).set_params(module__width=6, settings__steps=7, settings__learning_rate=0.5)
    found = model.get_params()
    assert (found["module__width"], found["module__wide"], found["settings__steps"]) == (6, False, 7)
    assert "module__inputs" not in found
    fitted = clone(model).set_params(module__wide=True).fit(X, Y)
    assert fitted.module_[0].out_features == 60
    assert fitted.n_iter_ == 7
    assert model.get_params()["module__wide"] is False
    pipe = make_pipeline(StandardScaler(), ModuleRegressor(Net, settings=FEW))
    grid = {"moduleregressor__module__width": [1, 3], "moduleregressor__settings__learning_rate": [0.0, 0.1]}
    assert (
        GridSearchCV(pipe, grid, cv=2).fit(X, X[:, 0]).best_params_["moduleregressor__settings__learning_rate"] == 0.1
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("module__depth", 3, "module__depth is no argument of module, which takes inputs, outputs, width, wide"),
        ("settings__rate", 3, "settings__rate is none of the settings of a training: steps"),
        ("settings__steps", -1, "steps must be an integer of at least 0"),
    ],
)
def test_unknown_parameters_are_refused(name: str, value: int, words: str) -> None:
    with pytest.raises(PolygeomError, match=words):
        ModuleRegressor(Net).set_params(**{name: value})


def test_the_text_of_a_network_has_no_arguments() -> None:
    with pytest.raises(PolygeomError, match="module__width is an argument of a function that makes a module"):
        ModuleRegressor("[3,2,1] r=2").set_params(module__width=3)


def test_classes_and_shares() -> None:
    y = np.where(X[:, 0] > 0.5, "b", np.where(X[:, 1] > 0, "c", "a"))
    model = ModuleClassifier(Net, settings=FEW, validation_fraction=0.25).fit(X, y)
    shares = model.predict_proba(X)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert np.abs(shares.sum(axis=1) - 1).max() < 1e-6
    assert (model.classes_[shares.argmax(axis=1)] == model.predict(X)).all()
    assert {"validation_loss", "validation_accuracy"} <= set(model.history_)
    with pytest.raises(PolygeomError, match="validation has classes that the rows to learn from lack: z"):
        model.set_params(validation_fraction=0).fit(X, y, validation=(X[:1], np.array(["z"])))


def test_patience_keeps_the_best_weights() -> None:
    """Targets held back that are the opposite get worse from the first row on."""
    held = X[:10], -X[:10, 0]
    model = ModuleRegressor(
        "[3,1] r=1", settings=TrainingSettings(steps=50, learning_rate=0.1, record_every=1), patience=3
    )
    model.fit(X, X[:, 0], validation=held)
    losses = model.history_["validation_loss"]
    assert model.n_iter_ == losses.idxmin() + 3 < 50
    measured = float(np.mean((model.predict(held[0]) - held[1]) ** 2))
    assert measured == pytest.approx(losses.min(), rel=1e-12)


@pytest.mark.parametrize("estimator", [ModuleRegressor, ModuleClassifier, KernelClassifier, EigenProRegressor])
def test_weights_of_samples_are_refused_in_words(estimator: Any) -> None:
    with pytest.raises(PolygeomError, match="sample_weight is no argument of fit, which takes X and y; repeat rows"):
        estimator().fit(X, Y > 0, sample_weight=np.ones(40))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"module": "[4,1] r=1"}, "module has 4 inputs, the data has 3"),
        ({"module": "[3,2] r=1"}, r"module must give 1 outputs for each input, shape \(2, 1\), got \(2, 2\)"),
        ({"module": lambda: 3}, "module must make a torch module, got int"),
        ({"module": 3}, r"module must be the text of a network, .* write '\[3,8,1\] r=2'"),
        ({"settings": 3}, "settings must be TrainingSettings or None, got 3"),
        ({"patience": 3}, "patience must be None, or how often"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(PolygeomError, match=words):
        ModuleRegressor(**arguments).fit(X, Y)

from __future__ import annotations

import numpy as np
import pytest

from polygeom.datasets.published import linear_on_sphere, make_dataset
from polygeom.errors import PolygeomError


@pytest.fixture
def legacy_state():
    """The legacy global generator, put back afterwards."""
    before = np.random.get_state()  # noqa: NPY002
    yield
    np.random.set_state(before)  # noqa: NPY002


@pytest.mark.parametrize(("n", "d", "eps", "seed"), [(10, 1, 0.5, 2134), (7, 4, 1.0, 3), (100, 1, 0.0, 5)])
def test_bitwise_as_the_global_generator_would_draw_them(n, d, eps, seed, legacy_state) -> None:
    np.random.seed(seed)  # noqa: NPY002
    x = np.random.randn(d, n)  # noqa: NPY002
    w = np.random.randn(1, d)  # noqa: NPY002
    y = w @ x
    y += np.random.randn(1, n) * eps  # noqa: NPY002
    data = make_dataset(n, d, eps, seed=seed)
    assert data.x.T.tobytes() == x.tobytes()
    assert data.y.T.tobytes() == y.tobytes()
    assert data.weights.tobytes() == w.tobytes()
    grid = np.linspace(x.min(), x.max(), num=1000)
    np.testing.assert_array_equal(data.x_test.T.ravel(), grid)
    np.testing.assert_allclose(data.y_test, data.x_test @ w.T, rtol=1e-13)


def test_points_on_the_sphere_bitwise(legacy_state) -> None:
    np.random.seed(2134)  # noqa: NPY002
    x = np.random.randn(32, 100)  # noqa: NPY002
    test = np.random.randn(100, 100)  # noqa: NPY002
    w = np.random.randn(1, 100)  # noqa: NPY002
    data = linear_on_sphere()
    unit = x / np.linalg.norm(x, axis=-1).reshape(-1, 1)
    assert data.x.tobytes() == unit.tobytes()
    assert data.weights.tobytes() == w.tobytes()
    np.testing.assert_allclose(np.linalg.norm(data.x_test, axis=1), 1)
    np.testing.assert_allclose(data.x_test * np.linalg.norm(test, axis=1, keepdims=True), test)
    assert data.y.tobytes() == (w @ unit.T).T.tobytes()


def test_the_global_generator_is_not_touched(legacy_state) -> None:
    np.random.seed(1)  # noqa: NPY002
    make_dataset(5, 1, 0.1)
    linear_on_sphere(3, 4, 2)
    after = np.random.rand()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert after == np.random.rand()  # noqa: NPY002


@pytest.mark.parametrize("arguments", [{"n": 0}, {"d": 0}, {"d": 3}])
def test_sizes_that_cannot_be(arguments) -> None:
    with pytest.raises(PolygeomError, match="n must be at least 1 and d a divisor of 1000"):
        make_dataset(**arguments)


def test_sphere_sizes_that_cannot_be() -> None:
    with pytest.raises(PolygeomError, match="n, d and test must be at least 1"):
        linear_on_sphere(test=0)

# ruff: noqa: E402  torch is an extra: without it the file is skipped before anything else is imported
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.learning.networks.encodings import (
    distance_matrix,
    encode,
    fourier_features,
    grid,
    reachable_frequencies,
    sin_cos,
)
from polygeom.network import ccp


def test_raw_coordinates_are_x_over_width_first_and_fastest() -> None:
    rows = [[x / 4, y / 3] for y in range(3) for x in range(4)]
    assert torch.equal(encode("raw", (3, 4), dtype=torch.float64), torch.tensor(rows, dtype=torch.float64))
    centred = [[2 * x / 4 - 1, 2 * y / 3 - 1] for y in range(3) for x in range(4)]
    assert np.allclose(encode("centred", (3, 4), dtype=torch.float64), centred)
    wide = encode("raw", (3, 4), low=-3, high=3)
    assert (float(wide.min()), float(wide.max())) == (-3.0, 1.5)


def test_columns_of_sin_cos_are_those_of_nerf_on_a_grid_with_its_end() -> None:
    found = encode("sin_cos", (3, 5), frequencies=3, dtype=torch.float64).numpy()
    x, y = np.linspace(0, 1, 5), np.linspace(0, 1, 3)
    expected = np.array(
        [
            [f(2**level * np.pi * v) for level in range(3) for v in (x[column], y[row]) for f in (np.sin, np.cos)]
            for row in range(3)
            for column in range(5)
        ]
    )
    assert found.shape == (15, 12)
    assert np.abs(found - expected).max() < 1e-12


def test_the_encoding_of_a_signal_does_not_include_the_end() -> None:
    t = np.arange(0, 1, 1 / 2048)
    found = encode("sin_cos", (2048,), frequencies=4, dtype=torch.float64).numpy()
    expected = np.stack([f(2**level * np.pi * t) for level in range(4) for f in (np.sin, np.cos)], axis=1)
    assert found.shape == (2048, 8)
    assert np.abs(found - expected).max() < 1e-12
    assert torch.equal(encode("raw", (4,)), torch.tensor([[0.0], [0.25], [0.5], [0.75]]))


def test_fourier_features_are_sines_then_cosines_of_gaussian_frequencies() -> None:
    b = 14 * np.random.default_rng(7).standard_normal((256, 2))
    p = grid((8, 8), dtype=torch.float64)
    found = encode("fourier", (8, 8), rng=7, dtype=torch.float64).numpy()
    angles = 2 * np.pi * p.numpy() @ b.T
    assert found.shape == (64, 512)
    assert np.abs(found - np.concatenate([np.sin(angles), np.cos(angles)], axis=1)).max() < 1e-12


def test_single_precision_is_rounded_once() -> None:
    fine, coarse = (encode("fourier", (16, 16), dtype=dtype) for dtype in (torch.float64, torch.float32))
    assert torch.equal(fine.float(), coarse)


def test_distances_are_those_of_a_loop_and_fourier_features_depend_on_differences_alone() -> None:
    x = encode("sin_cos", (4, 4), frequencies=2, dtype=torch.float64)
    found = distance_matrix(x)
    expected = [[np.linalg.norm(a - b) for b in x.numpy()] for a in x.numpy()]
    assert np.allclose(found, expected)
    row = distance_matrix(encode("fourier", (1, 16), dtype=torch.float64))
    for gap in range(1, 16):
        assert np.ptp(np.diag(row, gap)) < 1e-9


def test_a_closed_grid_of_one_point_and_more_axes() -> None:
    assert grid((1,), endpoint=True).tolist() == [[0.0]]
    assert grid((2, 3, 4)).shape == (24, 3)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_polynomials_of_an_encoding_have_the_reachable_frequencies_and_no_others(degree: int) -> None:
    """Over two units, a common period of all waves, against the discrete Fourier transform of a random network."""
    positions = 2 * torch.arange(256, dtype=torch.float64)[:, None] / 256
    network = ccp(10, rank=16, degree=degree, bias=True).to_torch(rng=1)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("b"):
                parameter.normal_(generator=torch.Generator().manual_seed(2))
        spectrum = np.abs(np.fft.rfft(network(sin_cos(positions, 5))[:, 0].numpy()))
    present = (np.flatnonzero(spectrum > 1e-9 * spectrum.max()) / 2).tolist()
    assert present == reachable_frequencies(5, degree)
    with pytest.raises(PolygeomError, match="degree at least 0"):
        reachable_frequencies(5, -1)


def test_unknown_encodings_and_sizes_are_refused() -> None:
    with pytest.raises(PolygeomError, match="raw, centred, sin_cos, fourier, got 'rff'"):
        encode("rff", (4, 4))
    with pytest.raises(PolygeomError, match="frequencies must be at least 1"):
        sin_cos(torch.zeros(1, 2), 0)
    with pytest.raises(PolygeomError, match="features must be at least 1"):
        fourier_features(torch.zeros(1, 2), 0)

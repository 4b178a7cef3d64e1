from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from polygeom.datasets.images import GENERATED, clouds, make_image, random_image, read_image, scene
from polygeom.datasets.waves import phased_waves
from polygeom.errors import PolygeomError


def test_a_random_image_has_the_integers_0_to_254() -> None:
    values = random_image(200, 100) * 255
    assert values.shape == (200, 100, 3)
    assert sorted(set(values.round().astype(int).ravel())) == list(range(255))
    counts = np.bincount(values.round().astype(int).ravel())
    assert np.abs(counts / counts.mean() - 1).max() < 0.4


@pytest.mark.parametrize("name", GENERATED)
def test_the_same_seed_gives_the_same_image(name: str) -> None:
    assert (make_image(name, 16, rng=3) == make_image(name, 16, rng=3)).all()
    assert (make_image(name, 16, rng=3) != make_image(name, 16, rng=4)).any()
    assert GENERATED[name](16, 24, rng=1).shape == (16, 24, 3)
    assert 0 <= make_image(name, 16).min() <= make_image(name, 16).max() <= 1


def test_clouds_have_the_power_spectrum_of_photographs() -> None:
    power = np.mean(
        [np.abs(np.fft.fft2(clouds(128, 128, channels=1, exponent=1.2, rng=seed)[..., 0])) ** 2 for seed in range(20)],
        axis=0,
    )
    frequency = np.fft.fftfreq(128, 1 / 128)
    radius = np.hypot(frequency[:, None], frequency[None])
    chosen = (radius >= 2) & (radius < 50)
    slope = np.polyfit(np.log(radius[chosen]), np.log(power[chosen]), 1)[0]
    assert slope == pytest.approx(-2.4, abs=0.1)


def test_a_scene_has_an_edge_and_a_grating() -> None:
    image = scene(64, 64, rng=0)
    steps = np.abs(np.diff(image, axis=1)).max(axis=2)
    assert steps.max() > 3 * np.median(steps)


def test_a_file_is_read_cropped_and_scaled(tmp_path: Path) -> None:
    pil = pytest.importorskip("PIL.Image")
    pixels = np.zeros((10, 20, 3), dtype=np.uint8)
    pixels[:, 5:15] = 255
    pil.fromarray(pixels).save(tmp_path / "picture.png")
    assert (read_image(tmp_path / "picture.png") * 255 == pixels).all()
    assert (make_image(str(tmp_path / "picture.png"), 5) == 1).all()
    pil.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png").shape == (10, 20, 3)


def test_an_image_with_too_many_pixels_is_refused_by_its_header(tmp_path: Path) -> None:
    """A file of 60 bytes that claims 10^9 pixels; nothing is unpacked."""
    pytest.importorskip("PIL")
    path = tmp_path / "large.png"
    for size, message in ((40_000, "could be decompression bomb"), (8000, "image must have at most 50000000 pixels")):
        head = b"IHDR" + struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 10) + b"IDAT" + bytes(14))
        with pytest.raises(PolygeomError, match=message):
            read_image(path)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    (tmp_path / "text.png").write_text("no picture")
    for path in (tmp_path / "text.png", tmp_path / "missing.png"):
        with pytest.raises(PolygeomError, match=r"random, scene, clouds, got .*write image='scene'"):
            read_image(path)
    with pytest.raises(PolygeomError, match="height must be at least 1"):
        random_image(0, 5)


def test_waves_have_the_frequencies_and_amplitudes_asked() -> None:
    t, y = phased_waves(256, (3, 7), (2.0, 0.5), rng=5)
    assert np.allclose(t, np.arange(256) / 256)
    spectrum = np.abs(np.fft.rfft(y)) / 128
    assert spectrum[[3, 7]] == pytest.approx([2, 0.5])
    assert np.delete(spectrum, [3, 7]).max() < 1e-12
    assert phased_waves()[1].var() == pytest.approx(7.0)
    with pytest.raises(PolygeomError, match="less than length / 2 = 8"):
        phased_waves(16, (8,))
    with pytest.raises(PolygeomError, match="amplitudes must be as many"):
        phased_waves(16, (3,), (1.0, 2.0))

"""Images to fit: random ones, generated ones that look a little like nature, and those in files.

An image is an array ``(height, width, 3)`` with values between 0 and 1.
"""

from __future__ import annotations

import math
import os
import warnings

import numpy as np

from polygeom.errors import MissingPackageError, PolygeomError

Rng = int | np.random.Generator

MOST_PIXELS = 50_000_000
"""Of an image file: its array of floats then takes 1.2 GB."""


def random_image(height: int = 64, width: int = 64, *, channels: int = 3, rng: Rng = 0) -> np.ndarray:
    """Independent uniform integers from 0 to 254, divided by 255: an image without any structure to learn.

    References
    ----------
    Lazzari, Liu, arXiv 2301.05816.

    Examples
    --------
    >>> image = random_image(8, 8)
    >>> image.shape, bool((image * 255 == (image * 255).round()).all())
    ((8, 8, 3), True)
    """
    integers = np.random.default_rng(rng).integers(0, 255, size=_shape(height, width, channels))
    return integers / 255.0


def scene(height: int = 64, width: int = 64, *, channels: int = 3, rng: Rng = 0) -> np.ndarray:
    """Soft blobs, gratings of several frequencies and one straight edge: smooth parts, texture and a jump.

    Examples
    --------
    >>> image = scene(16, 32, rng=1)
    >>> image.shape, float(image.min()), float(image.max())
    ((16, 32, 3), 0.0, 1.0)
    """
    shape = _shape(height, width, channels)
    generator = np.random.default_rng(rng)
    y, x = np.meshgrid(np.arange(height) / height, np.arange(width) / width, indexing="ij")
    image = np.zeros(shape)
    for _ in range(6):
        centre, size = generator.random(2), generator.uniform(0.05, 0.2)
        blob = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * size**2))
        image += generator.normal(size=channels) * blob[..., None]
    for frequency in (2, 4, 7, 11):
        angle, phase = generator.uniform(0, np.pi), generator.uniform(0, 2 * np.pi)
        along = np.cos(angle) * x + np.sin(angle) * y
        image += generator.normal(size=channels) * 0.25 * np.sin(2 * np.pi * frequency * along + phase)[..., None]
    angle = generator.uniform(0, np.pi)
    side = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) > generator.uniform(-0.2, 0.2)
    image += generator.normal(size=channels) * 0.7 * side[..., None]
    return _stretch(image)


def clouds(height: int = 64, width: int = 64, *, channels: int = 3, exponent: float = 1.2, rng: Rng = 0) -> np.ndarray:
    """A Gaussian random field with amplitudes proportional to ``frequency ** -exponent``, as in photographs.

    The colours are mixed so that, as in photographs, they vary less than the brightness.

    References
    ----------
    Ruderman, The statistics of natural images, Network 5 (1994): the power spectrum falls about as ``1/f²``.

    Examples
    --------
    >>> clouds(16, 16).shape
    (16, 16, 3)
    """
    shape = _shape(height, width, channels)
    generator = np.random.default_rng(rng)
    fy, fx = np.fft.fftfreq(height, 1 / height)[:, None], np.fft.fftfreq(width, 1 / width)[None]
    radius = np.hypot(fy, fx)
    amplitude = np.where(radius > 0, np.maximum(radius, 1.0) ** -exponent, 0.0)
    fields = np.fft.ifft2(np.fft.fft2(generator.normal(size=shape), axes=(0, 1)) * amplitude[..., None], axes=(0, 1))
    brightness = fields.real.mean(axis=2, keepdims=True) * np.sqrt(channels)
    return _stretch(brightness + 0.5 * fields.real)


GENERATED = {"random": random_image, "scene": scene, "clouds": clouds}
"""The generators of images by name."""


def read_image(path: str | os.PathLike[str], size: int | None = None) -> np.ndarray:
    """An image file as an array, in colour.

    Parameters
    ----------
    path:
        Any format that pillow reads.
    size:
        Cut out the largest square in the middle and scale it to ``size × size``; the image as it is if None.

    Raises
    ------
    PolygeomError
        When pillow is missing or the file is not there or no image.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise MissingPackageError("an image file", "PIL") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # ours is the smaller limit
            with Image.open(path) as file:
                if math.prod(file.size) > MOST_PIXELS:
                    raise PolygeomError(
                        f"image must have at most {MOST_PIXELS} pixels, got {file.size[0]} x {file.size[1]} in "
                        f"{os.fspath(path)!r}; scale it down first"
                    )
                picture = file.convert("RGB")
    except PolygeomError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, UnidentifiedImageError) as error:
        raise PolygeomError(
            f"image must be the path of an image file or one of {', '.join(GENERATED)}, got {os.fspath(path)!r}: "
            f"{error}; write image='scene'"
        ) from error
    if size is not None:
        edge = min(picture.size)
        left, top = ((length - edge) // 2 for length in picture.size)
        square = picture.crop((left, top, left + edge, top + edge))
        picture = square.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(picture, dtype=np.float64) / 255.0


def make_image(source: str, size: int = 64, *, rng: Rng = 0) -> np.ndarray:
    """A square image ``(size, size, 3)``, generated by name (`GENERATED`) or read from a path.

    Examples
    --------
    >>> make_image("random", 8).shape
    (8, 8, 3)
    """
    if source in GENERATED:
        return GENERATED[source](size, size, rng=rng)
    return read_image(source, size)


def _shape(height: int, width: int, channels: int) -> tuple[int, int, int]:
    for name, value in (("height", height), ("width", width), ("channels", channels)):
        if value < 1:
            raise PolygeomError(f"{name} must be at least 1, got {value}; write {name}=64")
    return height, width, channels


def _stretch(image: np.ndarray) -> np.ndarray:
    """Every channel from 0 to 1, in full."""
    low, high = image.min(axis=(0, 1)), image.max(axis=(0, 1))
    stretched: np.ndarray = (image - low) / np.maximum(high - low, np.finfo(float).tiny)
    return stretched

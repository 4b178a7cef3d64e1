"""Visual analogies (VAEC): squares on grey whose place, size or brightness changes from A to B as from C to D.

An object has four features, ``x``, ``y``, size and brightness, each with 42 levels. A *region* is seven of the levels,
the same ones for all features. In the *translation* regime region ``r`` has the levels ``7r, …, 7r + 6``; in the
*scale* regime ``0, r + 1, 2(r + 1), …, 6(r + 1)``. One trains on region 0 and asks how far the learned relation
carries: to regions 1 to 5.

A problem varies one feature and holds the other three fixed. With ``B - A = D - C ≠ 0`` and ``C ≠ A`` there are 140
such analogies among seven levels; each is shown with 34 of the ``7³ = 343`` ways to fix the other features. So there
are ``4 · 140 · 34 = 19 040`` problems in each region. Seven candidates are offered: the object with the right level
``D``, and those with the six other levels. Chance is ``1/7``.

Images are rendered when they are asked for; 19 040 problems stored as images would fill 6.5 GB.

Source: Webb, Dulberg, Frankland, Petrov, O'Reilly, Cohen, "Learning representations that support extrapolation", ICML
2020, arXiv 2007.05059.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.errors import PolygeomError

REGIMES = ("translation", "scale")
FEATURES = ("x", "y", "size", "brightness")
LEVELS = 42
PER_REGION = 7
REGIONS = LEVELS // PER_REGION
CANVAS = 128
"""Side of the images that positions and sizes are given for."""

_BACKGROUND = 128.0
_PART = 0.1


@cache
def feature_values() -> np.ndarray:
    """The values of the four features at the 42 levels, shape ``(42, 4)``, integers: pixels and brightness to 255.

    Examples
    --------
    >>> feature_values()[[0, 1, 41]].tolist()
    [[43, 43, 3, 102], [44, 44, 5, 105], [84, 84, 85, 255]]
    """
    place = int(CANVAS / 2 - LEVELS / 2) + np.arange(LEVELS)
    size = 3 + 2 * np.arange(LEVELS)
    brightness = np.linspace(0.4 * 255, 255, LEVELS).astype(int)
    values = np.stack([place, place, size, brightness], axis=1)
    values.setflags(write=False)
    return values


def region_levels(regime: str, region: int) -> np.ndarray:
    """The seven levels of a region, shape ``(7,)``.

    Parameters
    ----------
    regime:
        ``"translation"`` or ``"scale"``.
    region:
        From 0, the region to train on, to 5.

    Examples
    --------
    >>> region_levels("translation", 2).tolist(), region_levels("scale", 2).tolist()
    ([14, 15, 16, 17, 18, 19, 20], [0, 3, 6, 9, 12, 15, 18])
    """
    choice("regime", regime, REGIMES, "scale")
    if not isinstance(region, int | np.integer) or not 0 <= region < REGIONS:
        raise PolygeomError(f"region must be an integer from 0 to {REGIONS - 1}, got {region!r}; write 0 for training")
    steps = np.arange(PER_REGION)
    return steps + PER_REGION * region if regime == "translation" else steps * (region + 1)


def region_objects(regime: str, region: int) -> np.ndarray:
    """The values of all objects of a region, shape ``(7⁴, 4)``, the last feature changing fastest.

    Every problem of the region is about seven of these 2401 objects: whoever encodes images one by one needs no more.
    """
    table = feature_values()[region_levels(regime, region)]
    objects: np.ndarray = np.stack(np.meshgrid(*table.T, indexing="ij"), axis=-1).reshape(-1, len(FEATURES))
    return objects


@cache
def one_dimensional_analogies() -> np.ndarray:
    """All ``(A, B, C, D)`` among seven levels with ``B - A = D - C ≠ 0`` and two different pairs, shape ``(140, 4)``.

    Examples
    --------
    >>> one_dimensional_analogies().shape, one_dimensional_analogies()[0].tolist()
    ((140, 4), [5, 0, 6, 1])
    """
    pairs = [pair for pair in product(range(PER_REGION), repeat=2) if pair[0] != pair[1]]
    pairs.sort(key=lambda pair: pair[1] - pair[0])
    found = [(a, b, c, d) for a, b in pairs for c, d in pairs if b - a == d - c and a != c]
    analogies = np.array(found)
    analogies.setflags(write=False)
    return analogies


@dataclass(frozen=True, eq=False)
class Analogies:
    """The problems of one region.

    Attributes
    ----------
    regime, region, seed:
        What they are problems of.
    feature:
        ``(P,)``: the position in `FEATURES` of the feature that varies.
    terms:
        ``(P, 4)``: the levels ``A, B, C, D`` of that feature, from 0 to 6 within the region.
    objects:
        ``(P, 7, 4)``: the levels, within the region, of the seven objects of a problem; object ``i`` has level ``i`` in
        the feature that varies.
    """

    regime: str
    region: int
    seed: int
    feature: np.ndarray
    terms: np.ndarray
    objects: np.ndarray

    def __len__(self) -> int:
        return len(self.feature)

    @property
    def candidates(self) -> np.ndarray:
        """``(P, 7)``: the levels on offer, the right one ``D`` first, then the other six in order."""
        right = self.terms[:, 3:]
        others = np.arange(PER_REGION - 1)
        return np.concatenate([right, others + (others >= right)], axis=1)

    def values(self, index: np.ndarray) -> np.ndarray:
        """Feature values of the objects of the problems ``index``, shape ``(len(index), 7, 4)``."""
        found: np.ndarray = region_objects(self.regime, self.region)[self.numbers[index]]
        return found

    @property
    def numbers(self) -> np.ndarray:
        """``(P, 7)``: the row in `region_objects` of the seven objects of each problem."""
        numbers: np.ndarray = self.objects @ PER_REGION ** np.arange(len(FEATURES))[::-1]
        return numbers

    def images(self, index: np.ndarray, resolution: int = CANVAS) -> np.ndarray:
        """The seven objects of the problems ``index`` as images ``(len(index), 7, 3, R, R)``; see `render`."""
        return render(self.values(index), resolution)


def analogies(regime: str, region: int, *, rng: int = 0) -> Analogies:
    """The 19 040 problems of a region in random order.

    Parameters
    ----------
    regime, region:
        As for `region_levels`.
    rng:
        Seed of the order and of the features that are held fixed. Two regions with the same seed have the same problems
        up to the values of the levels.

    Examples
    --------
    >>> problems = analogies("scale", 3, rng=1)
    >>> len(problems), problems.images(range(2), 32).shape
    (19040, (2, 7, 3, 32, 32))
    """
    region_levels(regime, region)
    generator = np.random.default_rng(rng)
    found = one_dimensional_analogies()
    contexts = np.array(list(product(range(PER_REGION), repeat=len(FEATURES) - 1)))
    shown = int(len(contexts) * _PART)
    feature = np.repeat(np.arange(len(FEATURES)), len(found) * shown)
    terms = np.tile(np.repeat(found, shown, axis=0), (len(FEATURES), 1))
    fixed = np.concatenate([generator.permutation(contexts)[:shown] for _ in range(len(FEATURES) * len(found))])
    order = generator.permutation(len(feature))
    feature, terms, fixed = feature[order], terms[order], fixed[order]
    return Analogies(regime, region, rng, feature, terms, _objects(feature, fixed))


def _objects(feature: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    objects = np.empty((len(feature), PER_REGION, len(FEATURES)), dtype=int)
    for varying in range(len(FEATURES)):
        rows = feature == varying
        others = [other for other in range(len(FEATURES)) if other != varying]
        objects[rows, :, varying] = np.arange(PER_REGION)
        for place, other in enumerate(others):
            objects[rows, :, other] = fixed[rows, place, None]
    return objects


def render(values: np.ndarray, resolution: int = CANVAS) -> np.ndarray:
    """Objects as images: a green square on grey.

    The square covers the pixels ``⌊x - s/2⌋`` to ``⌊x + s/2⌋``, both included, of an image with 128 × 128 pixels, as
    drawn by ``PIL.ImageDraw.rectangle``. At another resolution a pixel has the mean colour of the area it covers.

    Parameters
    ----------
    values:
        ``(…, 4)``: x, y, size and brightness.
    resolution:
        Side of the images in pixels.

    Returns
    -------
    ``(…, 3, R, R)``, float32 from 0 to 255: red, green, blue; then rows, then columns.

    Examples
    --------
    >>> image = render(np.array([64, 64, 21, 255]), 4)
    >>> image[1].tolist()[1]
    [128.0, 143.0068359375, 143.0068359375, 128.0]
    """
    if not isinstance(resolution, int) or resolution < 1:
        raise PolygeomError(f"resolution must be an integer of at least 1, got {resolution!r}; write 32 or 128")
    values = np.asarray(values)
    if values.ndim < 1 or values.shape[-1] != len(FEATURES):
        raise PolygeomError(f"values must have shape (..., 4) for {', '.join(FEATURES)}, got {values.shape}")
    x, y, size, brightness = np.moveaxis(values, -1, 0)
    area = (_coverage(y, size, resolution)[..., :, None] * _coverage(x, size, resolution)[..., None, :]).astype(
        "float32"
    )
    image = np.empty((*values.shape[:-1], 3, resolution, resolution), dtype="float32")
    image[..., 0, :, :] = image[..., 2, :, :] = _BACKGROUND * (1 - area)
    shade = (brightness - _BACKGROUND).astype("float32")[..., None, None]
    image[..., 1, :, :] = _BACKGROUND + shade * area
    return image


def _coverage(centre: np.ndarray, size: np.ndarray, resolution: int) -> np.ndarray:
    """The part of each of ``resolution`` pixels that a side of the square covers, shape ``(…, R)``."""
    pixel = CANVAS / resolution
    first, last = np.floor(centre - size / 2), np.floor(centre + size / 2) + 1
    edges = np.arange(resolution + 1) * pixel
    covered = np.clip(edges, first[..., None], last[..., None])
    part: np.ndarray = np.diff(covered, axis=-1) / pixel
    return part

"""What a picture shows, in a form that light does not change: the directions of its edges. Pure functions; any thread.

Two pictures are compared by phase correlation of the directions of their edges ("Orientation Correlation", Fitch et
al., BMVC 2002). Brightness, contrast and exposure do not change the direction of an edge. Angles are doubled, so an
edge stays the same where light and dark are swapped, as by an infrared lamp at night. The correlation has a peak at the
shift between the views, also if they have only a small part of the edges in common.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from streamer.motion.thumbnail import Grey

Edges = npt.NDArray[np.complex64]
"""`(ROWS, COLUMNS)`: the direction of the edge at each place, with a doubled angle; length 0 (none) to 1 (clear)."""

COLUMNS, ROWS, _ALL_ROWS = 160, 64, 90
"""Size of the edges. The upper and the lower seventh of the picture are left out: cameras write time and name there."""
_ROWS_READ = 360
"""Of larger pictures only every second, third, ... row is read, which takes a part of the time."""
_NOISE = 6.0
"""Edges weaker than the root of this, in levels per pixel, are mostly noise of the sensor and of the encoder."""
_DETAIL_RANK = COLUMNS * ROWS * 95 // 100
_COMMON, _LEAST_COMMON = 0.12, 100
"""Two views have an edge in common if the product of both is so large; so many are needed to measure the sharpness."""
_CLEAR_EDGE, _LEAST_EDGES = 0.15, COLUMNS * ROWS // 50
"""Length of an edge in the mean of several views, and how many there are: 18% of the places of a bare road have one."""


class View(NamedTuple):
    """What one picture shows, or the mean of several.

    Attributes:
        edges: see `Edges`.
        fine, middle: float32 `(ROWS, COLUMNS)`: grey levels by which structures differ from their surroundings, of
            those that are 0.3% of the picture's width wide, and of those of 1 to 4%.
        details: what the strongest 5% of `middle` exceed.
        brightness: mean grey level, 0 to 255.
    """

    edges: Edges
    fine: npt.NDArray[np.float32]
    middle: npt.NDArray[np.float32]
    details: float
    brightness: float


class Match(NamedTuple):
    """How a view lies in another one.

    Attributes:
        at_home: height of the highest peak of the correlation without a shift, or with one that is too small to count,
            in standard deviations.
        best: height of the highest peak of all. Unrelated views have less than 5.
        shift: where that peak is: x, y as shares of the picture's width and height.
    """

    at_home: float
    best: float
    shift: tuple[float, float]


def view_of(luma: Grey) -> View:
    """The view of a picture; uint8 `(H, W)` of any size."""
    rows = luma[:: max(len(luma) // _ROWS_READ, 1)]
    picture = cv2.resize(rows, (2 * COLUMNS, 2 * _ALL_ROWS), interpolation=cv2.INTER_AREA)
    picture = picture[_ALL_ROWS - ROWS : _ALL_ROWS + ROWS].astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(picture, (5, 5), 1.0), np.float32)
    fine, middle = (_small(np.abs(one)) for one in (picture - smooth, smooth - cv2.blur(smooth, (13, 13))))
    details = float(np.partition(middle, _DETAIL_RANK, axis=None)[_DETAIL_RANK])
    return View(_edges_of(_small(picture)), fine, middle, details, float(picture.mean()))


def mixed(one: View, other: View, share: float) -> View:
    """The weighted mean of two views: `share`, 0 to 1, of the other one."""
    return View(
        np.asarray(one.edges + share * (other.edges - one.edges), np.complex64),
        np.asarray(one.fine + share * (other.fine - one.fine), np.float32),
        np.asarray(one.middle + share * (other.middle - one.middle), np.float32),
        one.details + share * (other.details - one.details),
        one.brightness + share * (other.brightness - one.brightness),
    )


def has_edges(mean: View) -> bool:
    """Whether the mean of several views has edges in 2% of the picture or more. Those of moving objects average out."""
    return bool(np.count_nonzero(np.abs(mean.edges) > _CLEAR_EDGE) >= _LEAST_EDGES)


def sharpness_of(view: View, reference: View) -> float:
    """The sharpness of a view as a share of that of a reference, at the strongest edges that both have.

    Contrast does not change it, nor does something large in front of a part of the view. 1 if they share few edges.
    """
    is_common = (view.edges * reference.edges.conj()).real > _COMMON
    common = np.flatnonzero(is_common)
    if len(common) < _LEAST_COMMON:
        return 1.0
    strength = view.middle.take(common) + reference.middle.take(common)
    strong = common[strength > strength.mean()]
    now, usual = (one.fine.take(strong).sum() / max(one.middle.take(strong).sum(), 1.0) for one in (view, reference))
    return float(now / usual) if usual > 0 else 1.0


def _small(picture: cv2.typing.MatLike) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.resize(picture, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA), np.float32)


def _edges_of(picture: cv2.typing.MatLike) -> Edges:
    x, y = (cv2.Sobel(picture, cv2.CV_32F, dx, 1 - dx, scale=1 / 8, borderType=cv2.BORDER_REPLICATE) for dx in (1, 0))
    gradient = x + 1j * y
    return np.asarray(gradient**2 / (x * x + y * y + _NOISE), np.complex64)


def match(reference: Edges, edges: Edges, *, aspect: float, tolerance: float) -> Match:
    """How the edges of a picture lie in those of a reference.

    Args:
        reference, edges: one picture, or the mean of several.
        aspect: height of the picture, as a share of its width.
        tolerance: shifts of less count as none, as a share of the width.
    """
    cross = fft.fft2(reference - reference.mean()) * np.conj(fft.fft2(edges - edges.mean()))
    size = np.abs(cross)
    largest = float(size.max())
    if largest == 0:
        return Match(0.0, 0.0, (0.0, 0.0))
    surface = fft.ifft2(cross / (size + 1e-3 * largest)).real
    mean, deviation = surface.mean(), max(surface.std(), 1e-12)
    row, column = np.unravel_index(int(surface.argmax()), surface.shape)
    shift = -_centred(int(column), COLUMNS) / COLUMNS, -_centred(int(row), ROWS) / _ALL_ROWS
    at_home = surface[_distances(aspect) < tolerance].max()
    return Match(float((at_home - mean) / deviation), float((surface[row, column] - mean) / deviation), shift)


@lru_cache(maxsize=4)
def _distances(aspect: float) -> npt.NDArray[np.float64]:
    """`(ROWS, COLUMNS)`: the distance of each place of the correlation from no shift, as a share of the width."""
    x = [_centred(column, COLUMNS) / COLUMNS for column in range(COLUMNS)]
    y = [_centred(row, ROWS) / _ALL_ROWS * aspect for row in range(ROWS)]
    return np.asarray(np.hypot(*np.meshgrid(x, y)), np.float64)


def _centred(at: int, size: int) -> int:
    return (at + size // 2) % size - size // 2

"""Scores a picture of an object, to find the best one of its track. Used by the display thread.

quality = score * size * sharpness * inside, each in 0..1, compared among the pictures of one track only:

* score: of the track's last detection, less where that is long ago, because the carried box may be off the object:
  divided by 1 + seconds.
* size: square root of the share of the frame that the box covers, so an object that is twice as near counts twice.
* sharpness: the standard deviation of the Laplacian of the object's luma, a focus measure (Pech-Pacheco et al., 2000,
  "Diatom autofocusing in brightfield microscopy"; one of the best in the comparison of Pertuz et al., 2013, "Analysis
  of focus measure operators for shape-from-focus"), on a crop of one size, so that it tells what motion blur leaves of
  the object and not how large the object is. It saturates, because noise and texture raise it without limit.
* inside: the share of the box in the frame; half of that where the box reaches the edge of the frame, because the
  detector clips boxes there and the object probably continues behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from streamer.interfaces import Scene
from streamer.render.layout import layout_of
from streamer.render.planes import plane_views, writable_copy

_CROP_PX = 96
"""The longer side of the crop whose sharpness is measured: enough to tell a blurred object, and quick."""
_MEDIAN_LAPLACIAN = 30.0
"""Standard deviation of the Laplacian in code values of 8 bits at which sharpness is 1/2. In two clips of cameras the
medians were 40 (persons) and 28 (cars)."""
_EDGE_SHARE = 0.05
"""A box nearer to the edge of the frame than this share of its side may continue behind it."""
_LEAST_PX = 4
_MOST_MEASURED = 4
"""Tracks whose sharpness is measured on one frame."""


class Candidates:
    """The tracks of a scene as candidates for pictures; each is measured once, and few of them.

    Args:
        scene: read only.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        tracks = scene.tracks
        self._rows = {track: row for row, track in enumerate(tracks.ids.tolist())}
        self._boxes, self._scores = tracks.boxes.tolist(), tracks.scores.tolist()
        self._unseen_s = tracks.unseen_s.tolist()
        self._size = scene.frame.width, scene.frame.height
        self._sharpness: dict[int, float] = {}

    def row_of(self, track: int) -> int | None:
        """The row of a track; None if it is not shown."""
        return self._rows.get(track)

    def box(self, row: int) -> tuple[float, ...]:
        """x0, y0, x1, y1 in pixels."""
        return tuple(self._boxes[row])

    def most(self, row: int) -> float:
        """The quality without sharpness."""
        return quality_without_sharpness(self._boxes[row], self._scores[row], self._unseen_s[row], self._size)

    def sharpness(self, row: int) -> float | None:
        """The sharpness of a track; None if enough were measured on this scene."""
        if row not in self._sharpness:
            if len(self._sharpness) >= _MOST_MEASURED:
                return None
            self._sharpness[row] = sharpness(self.scene.frame.picture, self._boxes[row])
        return self._sharpness[row]


def quality_without_sharpness(box: Sequence[float], score: float, unseen_s: float, size: tuple[int, int]) -> float:
    """The quality of a picture of perfect sharpness: the most that it can reach, 0..1.

    Args:
        box: x0, y0, x1, y1 in pixels of the frame; may exceed it.
        score: of the last detection, 0..1.
        unseen_s: seconds since or until the last detection.
        size: width and height of the frame, pixels.
    """
    width, height = size
    x0, y0, x1, y1 = box
    area = (x1 - x0) * (y1 - y0)
    seen = max(min(x1, width) - max(x0, 0.0), 0.0) * max(min(y1, height) - max(y0, 0.0), 0.0)
    if area <= 0 or seen <= 0:
        return 0.0
    margins = (min(x0, width - x1) / (x1 - x0), min(y0, height - y1) / (y1 - y0))
    away_from_edge = 0.5 + 0.5 * min(max(min(margins) / _EDGE_SHARE, 0.0), 1.0)
    size_share = float(np.sqrt(min(seen / (width * height), 1.0)))
    return score / (1 + abs(unseen_s)) * size_share * (seen / area) * away_from_edge


def sharpness(picture: av.VideoFrame, box: Sequence[float]) -> float:
    """How sharp an object is, 0..1; 0 for a box of a few pixels or outside of the frame.

    Args:
        picture: of any pixel format. Only the luma samples in the box are read where the format has a plane of them.
        box: x0, y0, x1, y1 in pixels of the frame; may exceed it.
    """
    x0, y0 = (max(round(edge), 0) for edge in box[:2])
    x1, y1 = min(round(box[2]), picture.width), min(round(box[3]), picture.height)
    if x1 - x0 < _LEAST_PX or y1 - y0 < _LEAST_PX:
        return 0.0
    samples, bits = _luma(picture)
    luma = samples[y0:y1, x0:x1]
    shrink = _CROP_PX / max(luma.shape)
    if shrink < 1:
        smaller = (max(round(luma.shape[1] * shrink), 1), max(round(luma.shape[0] * shrink), 1))
        luma = cv2.resize(luma, smaller, interpolation=cv2.INTER_AREA)
    deviation = float(cv2.Laplacian(luma, cv2.CV_32F).std()) / (1 << (bits - 8))
    return deviation / (deviation + _MEDIAN_LAPLACIAN)


def _luma(picture: av.VideoFrame) -> tuple[npt.NDArray[Any], int]:
    """The luma samples and the bits of one: a view of the first plane where it has nothing else, else a conversion."""
    if picture.sw_format is not None:  # in GPU memory
        picture, _ = writable_copy(picture)
    layout = layout_of(picture.format.name)
    if layout is None or layout.planes[0] != "Y":  # RGB or packed
        return picture.reformat(format="gray").to_ndarray(), 8
    return plane_views(picture, layout)[0], layout.bits + layout.shift

"""Makes the JPEG files of a snapshot from a scene. Used by the thread of `Snapshots`.

Files are full-range BT.601 as JFIF demands, upright, with square pixels: few viewers apply an aspect ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import cv2

from streamer.errors import SinkError
from streamer.interfaces import Scene
from streamer.render.annotators import Renderer
from streamer.render.boxes import BoxAnnotator
from streamer.render.labels.annotator import LabelAnnotator
from streamer.values.frame import Frame, RgbArray, bgr_of

_PADDING = 0.15
"""Of the crop, on each side: share of the longer side of the box, because a tight crop hides what the object does."""
_LEAST_CROP_PX = 160
"""The least width and height of a crop: a small object is told by what is around it."""


def displayed_size(frame: Frame, ratio: Fraction) -> tuple[int, int]:
    """Width and height with square pixels; one of them grows, so that no detail is lost.

    Args:
        frame: upright.
        ratio: sample aspect ratio of frames without their own.
    """
    ratio = frame.sample_aspect_ratio or ratio
    if ratio >= 1:
        return round(frame.width * ratio), frame.height
    return frame.width, round(frame.height / ratio)


def drawn(scene: Scene, ratio: Fraction) -> Frame:
    """The frame with the boxes and labels of the tracks of the scene; `ratio` as of `displayed_size`."""
    renderer = Renderer((BoxAnnotator(show_origin=False), LabelAnnotator()), ratio)
    return replace(scene.frame, picture=renderer.render(replace(scene, picture=None)))


def crop_area(box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The area of a crop: the box with padding, moved into the frame where it exceeds it.

    Args:
        box: x0, y0, x1, y1 in pixels.
        size: width and height of the picture, pixels. A smaller picture than the least crop is taken whole.

    Returns:
        x0, y0, x1, y1 in pixels.
    """
    pad = _PADDING * max(box[2] - box[0], box[3] - box[1])
    x0, x1 = _span(box[0] - pad, box[2] + pad, size[0])
    y0, y1 = _span(box[1] - pad, box[3] + pad, size[1])
    return x0, y0, x1, y1


def _span(low: float, high: float, most: int) -> tuple[int, int]:
    low, high = max(low, 0.0), min(high, float(most))
    missing = min(_LEAST_CROP_PX, most) - (high - low)
    if missing > 0:
        low = min(max(low - missing / 2, 0.0), most - (high - low + missing))
        high = low + min(_LEAST_CROP_PX, most)
    return round(low), max(round(high), round(low) + 1)


def cropped(rgb: RgbArray, box: Sequence[float], frame: Frame) -> RgbArray:
    """The part of a picture around a box.

    Args:
        rgb: the whole picture, of any size.
        box: x0, y0, x1, y1 in pixels of the frame.
        frame: the frame that the picture shows.
    """
    height, width = rgb.shape[:2]
    across, down = width / frame.width, height / frame.height
    scaled = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
    x0, y0, x1, y1 = crop_area(scaled, (width, height))
    return rgb[y0:y1, x0:x1]


def jpeg_of(rgb: RgbArray, quality: int) -> bytes:
    """Encode a picture as baseline JPEG with 4:2:0 chroma.

    Args:
        rgb: uint8 `(height, width, 3)`, full range.
        quality: 1..100 on libjpeg's scale.

    Raises:
        SinkError: it is too large for JPEG.
    """
    try:
        _, data = cv2.imencode(".jpg", bgr_of(rgb), [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        size = f"{rgb.shape[1]}x{rgb.shape[0]}"
        raise SinkError(f"a snapshot of {size} cannot be encoded as JPEG: {error.err}") from error
    return data.tobytes()

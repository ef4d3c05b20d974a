"""Boxes of a model as fractions of the frame, also where the model gives pixels. Called by the detector thread.

Models of TensorFlow Hub and of the Object Detection API give fractions. Models of the TensorFlow Model Garden give
pixels of the picture inside the model, unless they are exported with `output_normalized_coordinates`; their output
`image_info` has the scale and the offset of that picture
(https://github.com/tensorflow/models/blob/master/official/vision/ops/preprocess_ops.py, `resize_and_crop_image`).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.errors import DetectorError, ModelError
from tracking.types import FloatArray

_LARGEST_FRACTION = 4.0
"""Boxes that are not clipped reach beyond the frame, but not by so many frames. In pixels every object has more."""
_LARGEST_OUTSIDE = 1.5
"""Boxes in pixels that reach so far beyond the picture are those of another picture size."""


class _Unit(Enum):
    FRACTIONS = auto()
    PIXELS = auto()


class BoxUnits:
    """Finds out whether a model gives fractions or pixels, from the first boxes, and gives fractions.

    Args:
        size: `(width, height)` in pixels that the model requires; None for any size.
    """

    def __init__(self, size: tuple[int, int] | None) -> None:
        self._size = size
        self._unit: _Unit | None = None

    def fractions(self, boxes: FloatArray, image_info: npt.NDArray[Any] | None) -> FloatArray:
        """Boxes as fractions of the frame, float32 `(N, 4)`, ymin, xmin, ymax, xmax.

        Args:
            boxes: `(N, 4)`, ymin, xmin, ymax, xmax, as fractions or in pixels.
            image_info: `(8,)`, the heights and widths of the frame, of the picture inside the model, of its scale and
                of its offset; None if the model has no such output.

        Raises:
            ModelError: boxes in pixels of a picture whose size is not known.
            DetectorError: boxes in pixels after boxes as fractions.
        """
        sides = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]  # padding is empty
        if not len(sides):
            return boxes if self._unit is not _Unit.PIXELS else np.zeros_like(boxes)
        unit = _Unit.PIXELS if _mostly_beyond(sides, _LARGEST_FRACTION) else _Unit.FRACTIONS
        if self._unit is None:
            self._unit = unit
        if self._unit is _Unit.FRACTIONS and unit is _Unit.PIXELS:
            raise DetectorError(f"the module gave a box up to {sides.max():g} after boxes as fractions of the frame")
        return boxes if self._unit is _Unit.FRACTIONS else self._scaled(boxes, image_info)

    def _scaled(self, boxes: FloatArray, image_info: npt.NDArray[Any] | None) -> FloatArray:
        largest = f"(up to {boxes.max():g})"
        if image_info is not None:
            frame, _, scale, offset = np.tile(np.asarray(image_info, np.float64).reshape(4, 2), 2)
            with np.errstate(divide="ignore", invalid="ignore"):
                found = (boxes + offset) / scale / frame
        elif self._size is not None:
            width, height = self._size
            found = boxes / np.array([height, width, height, width])
        else:
            raise ModelError(
                f"the module gives boxes in pixels {largest} of a picture whose size is not known; export it with "
                "boxes as fractions (normalized coordinates), or for a fixed input size"
            )
        if not np.isfinite(found).all() or _mostly_beyond(found, _LARGEST_OUTSIDE):
            raise ModelError(
                f"the module gives boxes in pixels {largest}, but not those of its input; export it with boxes as "
                "fractions (normalized coordinates)"
            )
        return np.asarray(found, np.float32)


def _mostly_beyond(boxes: npt.NDArray[Any], bound: float) -> bool:
    return bool(np.count_nonzero(boxes.max(axis=1) > bound) * 2 > len(boxes))

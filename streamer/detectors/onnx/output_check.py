"""Checks what a model gives against what its family has, and scales boxes in fractions. Used by one detector thread.

Exports of one family differ: with coordinates in 0..1 instead of pixels, or without the final sigmoid. Their outputs
have the same shapes, so that only the numbers show it.
"""

from __future__ import annotations

import numpy as np

from streamer.detectors.onnx.family import Candidates
from streamer.errors import InvalidOutput, ModelError
from tracking.types import FloatArray

_TOLERANCE = 1e-3
"""Rounding may move a score so far beyond 0 or 1."""
_LARGEST_FRACTION = 1.5
"""A box in fractions may reach a little beyond the input. One in pixels is larger than that."""
_LARGEST_OUTSIDE = 2.0
"""A box in pixels may reach beyond the input, but not by a whole input."""


class OutputCheck:
    """Whether boxes are in fractions is decided by the first ones.

    Args:
        family: its name, for messages.
        size: `(width, height)` of the input in pixels.
    """

    def __init__(self, family: str, size: tuple[int, int]) -> None:
        self._family = family
        self._size = np.array([*size, *size], np.float32)
        self._factor: FloatArray | None = None

    def checked(self, found: Candidates) -> Candidates:
        """The candidates, with boxes in pixels of the input.

        Raises:
            InvalidOutput: NaN, or scores outside 0..1.
            ModelError: the first boxes are far outside the input.
        """
        if not np.isfinite(found.best) or not np.isfinite(found.boxes).all():
            raise InvalidOutput("the model gave boxes or scores that are not finite (NaN)")
        if not -_TOLERANCE <= found.best <= 1 + _TOLERANCE:
            raise InvalidOutput(
                f"the model gave a best score of {found.best:.3g}; scores of {self._family} are in 0..1; export it "
                "with its sigmoid, or set detector.onnx.family"
            )
        if self._factor is None and len(found.boxes):
            self._factor = self._factor_of(found.boxes)
        return found if self._factor is None else found._replace(boxes=found.boxes * self._factor)

    def _factor_of(self, boxes: FloatArray) -> FloatArray:
        """What the coordinates are multiplied by: the size for fractions, 1 for pixels."""
        if boxes.max() <= _LARGEST_FRACTION:
            return self._size
        outside = (boxes > _LARGEST_OUTSIDE * self._size).any(axis=1)
        if np.count_nonzero(outside) * 2 > len(boxes):
            width, height = self._size[:2].astype(int)
            raise ModelError(
                f"the model gives boxes up to {boxes.max():.0f} px, far outside its input of {width}x{height}: read as "
                f"{self._family}, which may be wrong; detector.onnx.family=NAME selects another family"
            )
        return np.ones(4, np.float32)

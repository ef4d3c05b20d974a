"""A function of one picture as a detector. Made by the main thread, then used by one detector thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streamer.values.frame import Frame, RgbArray
from streamer.values.labels import LabelTable
from tracking.types import Detections, FloatArray

DetectFunction = Callable[[RgbArray], tuple[npt.ArrayLike, npt.ArrayLike, Sequence[str]]]
"""Gets a frame as uint8 RGB `(height, width, 3)`. Returns boxes `(N, 4)` (x0, y0, x1, y1 in pixels), scores `(N,)` in
0..1 and N class names; three empty lists for nothing."""


class FunctionDetector:
    """Calls a function with each frame.

    Boxes are clipped to the frame, those outside it are dropped, and the rest is sorted by score. The label table grows
    with each new class name, so that the function need not declare its classes.

    Args:
        function: see `DetectFunction`.

    Attributes:
        name: of the function.
        reason: one line that names it, as of `BuiltDetectors`.
    """

    def __init__(self, function: DetectFunction) -> None:
        self.name: str = getattr(function, "__name__", type(function).__name__)
        self.reason = f"using {self.name}"
        self._function = function
        self._rows: dict[str, int] = {}
        self._lock = threading.Lock()
        self._labels = LabelTable(())

    @property
    def labels(self) -> LabelTable:
        """The class names so far. Any thread: the table of a frame is complete before its detections are passed on."""
        with self._lock:
            return self._labels

    def detect(self, frame: Frame) -> Detections:
        """The boxes that the function finds on the frame.

        Raises:
            TypeError: the function returned something else.
            ValueError: boxes, scores or names have a wrong shape or value; the boxes are fractions of the frame.
        """
        boxes, scores, names = self._call(frame.rgb())
        try:
            found = Detections(np.asarray(boxes), np.asarray(scores), self._rows_of(names))
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None
        self._check_units(found.boxes, frame)
        if ((found.scores < 0) | (found.scores > 1)).any():
            raise ValueError(f"{self.name}: scores must be in 0..1, not {found.scores.tolist()}")
        size = np.array([frame.width, frame.height] * 2, np.float32)
        clipped = Detections(np.clip(found.boxes, 0, size), found.scores, found.labels)
        inside = clipped.select(np.all(clipped.boxes[:, 2:] > clipped.boxes[:, :2], axis=1))
        return inside.select(np.argsort(-inside.scores, kind="stable"))

    def close(self) -> None:
        """Nothing to release: the function belongs to the caller."""

    def _check_units(self, boxes: FloatArray, frame: Frame) -> None:
        """Refuse boxes that are fractions of the frame: in pixels, all of them would lie in its first pixel."""
        is_empty = (boxes[:, 2:] == boxes[:, :2]).any(axis=1)  # a row of zeros, which pads the result of some models
        if is_empty.all() or boxes.max() > 1 or max(frame.width, frame.height) <= 1:
            return
        example = ", ".join(f"{number:g}" for number in boxes[np.argmin(is_empty)].tolist())
        raise ValueError(
            f"{self.name}: boxes must be in pixels, not in 0..1 as {example}; multiply x by the width and y by the "
            f"height of the picture ({frame.width}x{frame.height})"
        )

    def _call(self, rgb: RgbArray) -> tuple[Any, Any, Sequence[str]]:
        result = self._function(rgb)
        try:
            boxes, scores, names = result
            strings = not isinstance(names, str) and all(isinstance(one, str) for one in names)
        except (TypeError, ValueError):
            strings = False
        if not strings:
            raise TypeError(f"{self.name} must return boxes, scores and a list of class names, not {result!r:.80}")
        return boxes, scores, names

    def _rows_of(self, names: Sequence[str]) -> npt.NDArray[np.int32]:
        rows = [self._rows.setdefault(name, len(self._rows)) for name in names]
        if len(self._rows) != len(self._labels):
            with self._lock:
                self._labels = LabelTable(tuple(self._rows))
        return np.array(rows, np.int32)

"""A frame in an input that keeps its aspect ratio: scaled to fit, centred, with equal margins. Pure."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from tracking.types import FloatArray


class Letterbox(NamedTuple):
    """The place of a frame in the input of a model, all in pixels of the input.

    Attributes:
        left: of the frame's left edge.
        top: of its upper edge.
        width: of the scaled frame, at least 1.
        height: of the scaled frame, at least 1.
    """

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def fit(cls, frame_width: int, frame_height: int, input_width: int, input_height: int) -> Self:
        """The largest place with the aspect ratio of the frame; of an odd margin the right or lower part is larger."""
        scale = min(input_width / frame_width, input_height / frame_height)
        width, height = max(1, round(frame_width * scale)), max(1, round(frame_height * scale))
        return cls((input_width - width) // 2, (input_height - height) // 2, width, height)

    def in_frame(self, boxes: FloatArray, frame_width: int, frame_height: int) -> FloatArray:
        """Boxes in pixels of the frame, not clipped.

        Args:
            boxes: float32 `(N, 4)`, x0, y0, x1, y1 in pixels of the input.
            frame_width, frame_height: as in `fit`.
        """
        corner = np.array([self.left, self.top] * 2, np.float32)
        return (boxes - corner) * np.array([frame_width / self.width, frame_height / self.height] * 2, np.float32)

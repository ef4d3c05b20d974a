"""Recognises detections that were made on a picture of another size. Pure; used by one thread."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tracking.types import FloatArray

ENOUGH_BOXES = 500
"""So many boxes show whether they are too large for the picture."""
_LEAST_BOXES = 50
_LEAST_IN_A_CORNER = 200
_MOST_BOXES = 20_000
"""Memory limit."""
_OUTSIDE = 0.12
"""Share of the boxes whose centre is outside the picture. In the right size it is 0 to 4% on 15 sequences of MOT15,
MOT17 and KITTI, in twice the right size 54 to 98%."""
_SAME_ASPECT = 0.03
_BEYOND = 1.05
"""Detectors estimate the hidden part of objects at the edge, so boxes may reach a little beyond the picture."""
_SMALLER = 0.8
_REACHES = 0.93
_COMMON = (
    (320, 240), (480, 270), (480, 360), (640, 360), (640, 480), (720, 576), (768, 576), (800, 600), (854, 480),
    (960, 540), (1024, 768), (1280, 720), (1280, 960), (1600, 1200), (1920, 1080), (2560, 1440), (3840, 2160),
)  # fmt: skip
_MULTIPLES = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 2, 2, 3, 4)

Points = npt.NDArray[np.float64]
Size = tuple[int, int]


class BoxSizes:
    """Compares where boxes lie with the size of their picture.

    Args:
        width, height: of the picture, pixels.

    Attributes:
        size: width and height of the picture.
        count: boxes so far.
    """

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.count = 0
        self._boxes: list[FloatArray] = []

    def add(self, boxes: FloatArray) -> None:
        """Boxes of one frame, `(N, 4)` in pixels."""
        if self.count < _MOST_BOXES and len(boxes):
            self._boxes.append(boxes)
            self.count += len(boxes)

    def outside(self) -> str | None:
        """The problem that many boxes lie outside the picture, on one line with the remedy; None if they do not."""
        if self.count < _LEAST_BOXES:
            return None
        corners, centres = self._corners()
        share = ((centres < 0) | (centres > self.size)).any(axis=1).mean()
        if share < _OUTSIDE:
            return None
        reach = np.percentile(corners[:, 2:], 98, axis=0)
        larger = (size for size in self._sizes() if size[0] > self.size[0] * _BEYOND)
        made_at = next((size for size in larger if (reach <= np.array(size) * _BEYOND).all()), None)
        what = f"{share:.0%} of the detected boxes lie outside the picture of {_text(self.size)}"
        return self._line(what, made_at)

    def in_a_corner(self) -> str | None:
        """The problem that all boxes lie in the top left corner, as `outside`. Ask once all boxes are known.

        An object that stays in the corner does not count: the boxes must fill the width and height of a smaller size.
        """
        if self.count < _LEAST_IN_A_CORNER:
            return None
        corners, centres = self._corners()
        first_x, reach = corners[:, 0].min(), corners[:, 2:].max(axis=0)
        for size in self._sizes():
            room = np.array(size)
            inside = (centres <= room).all() and (reach <= room * _BEYOND).all()
            fills = (reach >= room * _REACHES).all() and first_x <= room[0] * (1 - _REACHES)
            if inside and fills and size[0] <= self.size[0] * _SMALLER:
                what = f"all detected boxes lie in the top left {_text(size)} of the picture of {_text(self.size)}"
                return self._line(what, size)
        return None

    def _corners(self) -> tuple[Points, Points]:
        """The boxes `(N, 4)` and their centres `(N, 2)`."""
        corners = np.concatenate(self._boxes).astype(np.float64)
        return corners, (corners[:, :2] + corners[:, 2:]) / 2

    def _sizes(self) -> Iterator[Size]:
        """The sizes with the aspect of the picture in which detections are usually made, from the smallest."""
        width, height = self.size
        alike = {size for size in _COMMON if abs(size[0] * height / (size[1] * width) - 1) < _SAME_ASPECT}
        yield from sorted(alike | {(round(width * factor), round(height * factor)) for factor in _MULTIPLES})

    def _line(self, what: str, made_at: Size | None) -> str:
        if made_at is None:
            return f"{what}; take the detections of this video"
        scale = self.size[0] / made_at[0]
        return f"{what}, as if they were made at {_text(made_at)}; scale them by {scale:.4g} in that case"


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"

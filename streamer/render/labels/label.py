"""The label of one track: its texts, its shown score, its place, its rendered tiles. Used by the label annotator."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from streamer.render.labels.label_boxes import LabelBoxes, Piece, label_box_height
from streamer.render.labels.placement import Place
from streamer.render.rectangles import Rectangle
from streamer.render.text import REGULAR, emphasis
from streamer.values.drawable import Drawable, Tile

# Longer class names are cut to this number of characters.
_LONGEST_NAME = 40
# Time constant of the running mean, seconds of media time.
_SMOOTHING_S = 0.5
# The shown number changes when the running mean is as far from it.
_STEP_PERCENT = 3.0


class Rendered(NamedTuple):
    """A label box, and its width and height in pixels."""

    tile: Tile
    size: tuple[int, int]


class Label:
    """The label of a track, from one frame to the next.

    Args:
        track_id: of the track.
        score: when it appears, 0 to 1.
        now_s: media time.
        show_score, show_id: whether it contains them.

    Attributes:
        box: of the track on this frame, whole pixels.
        place: as of `placement.Placeable`.
        lengths: characters of its texts, with spaces, the whole text first.
    """

    def __init__(self, track_id: int, score: float, now_s: float, *, show_score: bool, show_id: bool) -> None:
        self.box: Rectangle = (0, 0, 0, 0)
        self.place: Place | None = None
        self.lengths: Sequence[int] = ()
        self._track_id, self._show_score, self._show_id = track_id, show_score, show_id
        self._score = ShownScore(score, now_s)
        self._name = ""
        self._key: Hashable = None
        self._rendered: dict[int, Rendered] = {}

    def update(self, box: Rectangle, name: str, score: float, now_s: float) -> None:
        """Take box, class and score of the track on the next frame."""
        self.box = box
        self._score.update(score, now_s)
        if name != self._name or not self.lengths:
            self._name = name
            texts = self._texts(REGULAR)
            self.lengths = [sum(len(word) + 1 for piece in text for word, _ in piece) for text in texts]

    def prepare(self, canvas: Drawable, label_boxes: LabelBoxes, size_px: int) -> None:
        """Take what the label box is rendered with on this frame."""
        colour = canvas.colour_of(self._track_id)
        key = (self._name, self._score.percent, colour, size_px, canvas.coding, canvas.pixel_aspect)
        if key != self._key:
            self._rendered.clear()
            self._key = key
        self._canvas, self._label_boxes, self._size_px, self._colour = canvas, label_boxes, size_px, colour

    def size(self, level: int) -> tuple[int, int]:
        return self._render(level).size

    def draw(self, area: Rectangle) -> None:
        """Draw it there; `prepare` and the choice of its place come before."""
        level = 0 if self.place is None else self.place.level
        self._canvas.paste(self._render(level).tile, area[0], area[1])

    def _render(self, level: int) -> Rendered:
        rendered = self._rendered.get(level)
        if rendered is None:
            text = self._texts(emphasis(self._size_px))[level]
            tile, width = self._label_boxes.render(self._canvas, text, self._size_px, self._colour)
            size = width, label_box_height(self._size_px, self._canvas.grid)
            rendered = self._rendered[level] = Rendered(tile, size)
        return rendered

    def _texts(self, weight: int) -> list[list[Piece]]:
        """The texts, longest first: whole, without score, id alone."""
        name = self._name if len(self._name) <= _LONGEST_NAME else f"{self._name[: _LONGEST_NAME - 1]}…"
        identity: Piece = ((name, weight), (f"#{self._track_id}", REGULAR)) if self._show_id else ((name, weight),)
        texts = [[identity]]
        if self._show_score:
            texts.insert(0, [identity, ((f"{self._score.percent}%", REGULAR),)])
        if self._show_id:
            texts.append([identity[1:]])
        return texts


class ShownScore:
    """The score of one track in percent: a running mean that is shown anew when it has moved by 3 points.

    Args:
        score: of the track when it appears, 0 to 1.
        now_s: media time.

    Attributes:
        percent: 0 to 100, to be shown.
    """

    __slots__ = ("_mean", "_time_s", "percent")

    def __init__(self, score: float, now_s: float) -> None:
        self._mean, self._time_s = 100 * score, now_s
        self.percent = int(self._mean + 0.5)

    def update(self, score: float, now_s: float) -> int:
        """The percent to be shown for the score at a later time."""
        elapsed_s, self._time_s = now_s - self._time_s, now_s
        self._mean += (1 - math.exp(-elapsed_s / _SMOOTHING_S)) * (100 * score - self._mean)
        if abs(self._mean - self.percent) >= _STEP_PERCENT:
            self.percent = int(self._mean + 0.5)
        return self.percent

"""The label of one track: its texts, its shown score, its place, and its rendered tiles. Used by the label annotator."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from streamer.render.labels.label_boxes import LabelBoxes, Piece, label_box_height
from streamer.render.labels.placement import Place
from streamer.render.labels.scores import ShownScore
from streamer.render.rectangles import Rectangle
from streamer.render.text import REGULAR, emphasis
from streamer.values.drawable import Colour, Drawable, Tile

# Longer class names are cut to this number of characters.
_LONGEST_NAME = 40


class Rendered(NamedTuple):
    """A label box: its tiles from left to right, each with its width, and its size in pixels."""

    tiles: Sequence[tuple[Tile, int]]
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
        key = (self._name, self._score.percent, size_px, canvas.coding, canvas.pixel_aspect, colour)
        if key != self._key:
            self._rendered.clear()
            self._key = key
        self._canvas, self._label_boxes, self._size_px, self._colour = canvas, label_boxes, size_px, colour

    def size(self, level: int) -> tuple[int, int]:
        return self._render(level).size

    def draw(self, area: Rectangle) -> None:
        """Draw it there; `prepare` and the choice of its place come before."""
        x, y, _, _ = area
        for tile, width in self._render(self.place.level if self.place is not None else 0).tiles:
            self._canvas.paste(tile, x, y)
            x += width

    def _render(self, level: int) -> Rendered:
        rendered = self._rendered.get(level)
        if rendered is None:
            text = self._texts(emphasis(self._size_px))[level]
            tiles = self._label_boxes.render(self._canvas, text, self._size_px, self._colour)
            size = sum(width for _, width in tiles), label_box_height(self._size_px, self._canvas.grid)
            rendered = self._rendered[level] = Rendered(tiles, size)
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

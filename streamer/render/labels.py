"""Draws a label box with class, score and id at every track. Used by the main thread; caches rendered pieces only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self

from streamer.config.section import Section
from streamer.config.settings import DrawSettings
from streamer.interfaces import Scene
from streamer.render.label_boxes import LabelBoxes, Piece, label_box_height, overlap, positions
from streamer.render.palette import colour_of
from streamer.render.rectangles import Rectangle, rounded
from streamer.render.text import REGULAR, emphasis
from streamer.values.drawable import Colour, Drawable, Tile

# Longer class names are cut to this number of characters.
_LONGEST_NAME = 40


def text_size_px(width: int, height: int) -> int:
    """Font size for a frame: a 45th of the shorter side (16 px at 720, 48 at 2160), at least 11."""
    return max(11, int(min(width, height) / 45 + 0.5))


class LabelAnnotator:
    """Label boxes such as `Person #12 87%` in the colour of the track, with black or white text by contrast.

    A label box lies wholly in the frame: above the box of its track, else inside or below. Where label boxes would
    overlap, the older track (lower id) keeps its position; the younger one tries other positions, then shorter texts
    (without score, then the id alone). A label box that does not fit in the frame is left out.

    Args:
        show_score: whether labels contain the score of the last detection, in percent.
        show_id: whether labels contain the track id.
        text_px: font size, at least 6; depends on the size of the frame if None.

    Raises:
        ValueError: a font size below 6.
    """

    section: ClassVar[type[Section]] = DrawSettings

    def __init__(self, *, show_score: bool = True, show_id: bool = True, text_px: int | None = None) -> None:
        if text_px is not None and text_px < 6:
            raise ValueError(f"text_px must be at least 6, not {text_px}")
        self._show_score, self._show_id, self._text_px = show_score, show_id, text_px
        self._label_boxes = LabelBoxes()

    @classmethod
    def accepts(cls, settings: DrawSettings) -> bool:
        return settings.labels

    @classmethod
    def from_settings(cls, settings: DrawSettings) -> Self:
        return cls(show_score=settings.score, show_id=settings.id)

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Label all tracks of the scene that are in the frame."""
        tracks = scene.tracks
        size = self._text_px or text_size_px(canvas.width, canvas.height)
        boxes, ids = tracks.boxes.tolist(), tracks.ids.tolist()
        scores, labels = tracks.scores.tolist(), tracks.labels.tolist()
        weight = emphasis(size)
        taken: list[Rectangle] = []
        for row in sorted(range(len(ids)), key=ids.__getitem__):
            x0, y0, x1, y1 = box = rounded(boxes[row])
            if x1 <= 0 or y1 <= 0 or x0 >= canvas.width or y0 >= canvas.height or x0 >= x1 or y0 >= y1:
                continue
            texts = self._texts((scene.labels.name(labels[row]), weight), scores[row], ids[row])
            found = self._place(canvas, box, texts, size, taken, colour_of(ids[row]))
            if found is None:
                continue
            area, tiles = found
            taken.append(area)
            x = area[0]
            for tile, width in tiles:
                canvas.paste(tile, x, area[1])
                x += width

    def _texts(self, name: tuple[str, int], score: float, track_id: int) -> Iterator[list[Piece]]:
        """Texts of the label box, longest first."""
        if len(name[0]) > _LONGEST_NAME:
            name = (name[0][: _LONGEST_NAME - 1] + "…", name[1])
        identity = (name, (f"#{track_id}", REGULAR)) if self._show_id else (name,)
        if self._show_score:
            yield [identity, ((f"{int(100 * score + 0.5)}%", REGULAR),)]
        yield [identity]
        if self._show_id:
            yield [identity[1:]]

    def _place(
        self,
        canvas: Drawable,
        box: Rectangle,
        texts: Iterable[list[Piece]],
        size: int,
        taken: Sequence[Rectangle],
        background: Colour,
    ) -> tuple[Rectangle, list[tuple[Tile, int]]] | None:
        """The first text and position without overlap, else the one with the smallest overlap."""
        frame, grid = (canvas.width, canvas.height), canvas.grid
        height = label_box_height(size, grid)
        least, best = 0, None
        for pieces in texts:
            tiles = self._label_boxes.render(canvas, pieces, size, background)
            width = sum([width for _, width in tiles])
            for x, y in positions(box, (width, height), frame, grid):
                area = (x, y, x + width, y + height)
                shared = overlap(area, taken)
                if not shared:
                    return area, tiles
                if best is None or shared < least:
                    least, best = shared, (area, tiles)
        return best

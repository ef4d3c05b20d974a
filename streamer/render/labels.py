"""Draws a chip with class, score and id at every track. Owned by the main thread; remembers rendered pieces only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from streamer.interfaces import Scene
from streamer.render.canvas import Canvas, Tile
from streamer.render.code_values import Colour
from streamer.render.label_boxes import LabelBoxes, Piece, label_box_height, overlap, places
from streamer.render.palette import colour_of
from streamer.render.rectangles import Rectangle, rounded
from streamer.render.text import REGULAR, emphasis

# Characters of a class name; longer ones are cut.
_LONGEST_NAME = 40


def text_size_px(width: int, height: int) -> int:
    """Font size that suits a picture: a 45th of the shorter side (16 px at 720, 48 at 2160), at least 11."""
    return max(11, int(min(width, height) / 45 + 0.5))


class LabelAnnotator:
    """Chips such as `Person #12 87%` in the colour of the track, with black or white text, whichever reads better.

    A chip lies wholly in the picture: above its box, else inside or below. Where chips would cover each other, the
    older track (lower id) keeps its place and the younger one tries the other places, then shorter forms (without
    score, then the id alone). Where not even the shortest fits in the picture, there is none.

    Args:
        show_score: whether chips tell the score of the last detection, in percent.
        show_id: whether chips tell the track id.
        text_px: font size, at least 6; follows the size of the picture if None.

    Raises:
        ValueError: a font size below 6.
    """

    def __init__(self, *, show_score: bool = True, show_id: bool = True, text_px: int | None = None) -> None:
        if text_px is not None and text_px < 6:
            raise ValueError(f"text_px must be at least 6, not {text_px}")
        self._show_score, self._show_id, self._text_px = show_score, show_id, text_px
        self._chips = LabelBoxes()

    def draw(self, canvas: Canvas, scene: Scene) -> None:
        """Label all tracks of the scene that are in the picture."""
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
            forms = self._forms((scene.labels.name(labels[row]), weight), scores[row], ids[row])
            found = self._placed(canvas, box, forms, size, taken, colour_of(ids[row]))
            if found is None:
                continue
            chip, tiles = found
            taken.append(chip)
            x = chip[0]
            for tile, width in tiles:
                canvas.paste(tile, x, chip[1])
                x += width

    def _forms(self, name: tuple[str, int], score: float, track_id: int) -> Iterator[list[Piece]]:
        """What the chip may say, fullest first."""
        if len(name[0]) > _LONGEST_NAME:
            name = (name[0][: _LONGEST_NAME - 1] + "…", name[1])
        identity = (name, (f"#{track_id}", REGULAR)) if self._show_id else (name,)
        if self._show_score:
            yield [identity, ((f"{int(100 * score + 0.5)}%", REGULAR),)]
        yield [identity]
        if self._show_id:
            yield [identity[1:]]

    def _placed(
        self,
        canvas: Canvas,
        box: Rectangle,
        forms: Iterable[list[Piece]],
        size: int,
        taken: Sequence[Rectangle],
        ground: Colour,
    ) -> tuple[Rectangle, list[tuple[Tile, int]]] | None:
        """The first form and place that covers no other chip, else the one that covers the fewest pixels of them."""
        picture, grid = (canvas.width, canvas.height), canvas.grid
        height = label_box_height(size, grid)
        least, best = 0, None
        for pieces in forms:
            tiles = self._chips.render(canvas, pieces, size, ground)
            width = sum([width for _, width in tiles])
            for x, y in places(box, (width, height), picture, grid):
                chip = (x, y, x + width, y + height)
                shared = overlap(chip, taken)
                if not shared:
                    return chip, tiles
                if best is None or shared < least:
                    least, best = shared, (chip, tiles)
        return best

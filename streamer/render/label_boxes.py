"""Label boxes: short texts on a filled background, and the positions that a label box may take.

Used by the label annotator on the main thread. A label box consists of cached pieces (class and id, score), so scores
that change with every frame are rarely rendered again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from streamer.render.palette import text_colour_on
from streamer.render.rectangles import Rectangle
from streamer.render.text import TextRenderer
from streamer.values.drawable import Colour, Drawable, Tile

Piece = tuple[tuple[str, int], ...]
"""Words of a label box that mostly appear together, each with its font weight."""

_Key = tuple[Piece, int, Colour]


class LabelBoxes:
    """Renders label boxes and caches the last `capacity` pieces of one font size and pixel coding.

    A piece takes about 3 KiB at 1280x720 and 30 KiB at 3840x2160 in 8-bit 4:2:0.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._text = TextRenderer()
        self._pieces: OrderedDict[_Key, tuple[Tile, int]] = OrderedDict()
        self._kind: tuple[int, Hashable] | None = None

    def render(
        self, canvas: Drawable, pieces: Sequence[Piece], size_px: int, background: Colour
    ) -> list[tuple[Tile, int]]:
        """The tiles of a label box from left to right, each with its width in pixels."""
        kind = (size_px, canvas.coding)
        if kind != self._kind:
            self._pieces.clear()
            self._kind = kind
        tiles = []
        last = len(pieces) - 1
        for index, piece in enumerate(pieces):
            # Only the ends of a label box have wide margins: 1 for the left end, 2 for the right, 3 for both.
            key = (piece, (index == 0) + 2 * (index == last), background)
            tile = self._pieces.get(key)
            if tile is None:
                tile = self._pieces[key] = self._render_piece(canvas, size_px, key)
                if len(self._pieces) > self._capacity:
                    self._pieces.popitem(last=False)
            else:
                self._pieces.move_to_end(key)
            tiles.append(tile)
        return tiles

    def _render_piece(self, canvas: Drawable, size_px: int, key: _Key) -> tuple[Tile, int]:
        words, ends, background = key
        height = label_box_height(size_px, canvas.grid)
        half_gap, end = round(0.16 * size_px), round(0.34 * size_px)
        parts = [self._text.mask(text, size_px, weight, height) for text, weight in words]
        margins = [end if ends & 1 else half_gap, *[2 * half_gap] * (len(parts) - 1), end if ends & 2 else half_gap]
        width = _round_up(sum(margins) + sum(part.shape[1] for part in parts), canvas.grid[0])
        mask = np.zeros((height, width), np.uint8)
        x = 0
        for margin, part in zip(margins, parts, strict=False):
            mask[:, x + margin : x + margin + part.shape[1]] = part
            x += margin + part.shape[1]
        return canvas.tile(mask, text_colour_on(background), background), width


def label_box_height(size_px: int, grid: tuple[int, int]) -> int:
    """Height of a label box in pixels: 1.4 times the font size, rounded up to the chroma grid."""
    return _round_up(round(1.4 * size_px), grid[1])


def positions(
    box: Rectangle, size: tuple[int, int], frame: tuple[int, int], grid: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Positions of a label box (its upper left pixel), best first: above the box, then inside or below.

    All positions lie on the chroma grid and keep the label box wholly in the frame. There is none if the label box is
    larger than the frame.

    Args:
        box: outline of the object, x0, y0, x1, y1; may reach beyond the frame.
        size: width and height of the label box, multiples of `grid`.
        frame: width and height of the frame.
        grid: pixels per chroma sample.
    """
    (x0, y0, x1, y1), (width, height), (gx, gy) = box, size, grid
    furthest_x, furthest_y = (frame[0] - width) // gx * gx, (frame[1] - height) // gy * gy
    if furthest_x < 0 or furthest_y < 0:
        return
    left = min(max(x0 // gx * gx, 0), furthest_x)
    # Rounded towards the line, so that label box and outline join without a gap.
    above = _round_up(y0 - height, gy)
    if 0 <= above <= furthest_y:
        yield left, above
    right = min(max(_round_up(x1 - width, gx), 0), furthest_x)
    below, bottom, top = y1 // gy * gy, min(_round_up(y1 - height, gy), furthest_y), max(y0 // gy * gy, 0)
    inside, outside = ((left, top), (left, bottom), (right, top)), ((right, above), (left, below), (right, below))
    # Inside a small box a label box would hide the object.
    fits_inside = y1 - y0 >= 4 * height and x1 - x0 >= width
    for x, y in (*inside, *outside) if fits_inside else (*outside, *inside):
        if 0 <= y <= furthest_y:
            yield x, y
    yield left, min(max(above, 0), furthest_y)


def overlap(one: Rectangle, others: Sequence[Rectangle]) -> int:
    """Number of pixels that a rectangle shares with others."""
    x0, y0, x1, y1 = one
    total = 0
    for left, top, right, bottom in others:
        if top < y1 and y0 < bottom and left < x1 and x0 < right:
            total += (min(x1, right) - max(x0, left)) * (min(y1, bottom) - max(y0, top))
    return total


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step

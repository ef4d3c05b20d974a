"""Label chips: short texts on a filled ground, and where on the picture they go.

Owned by the label annotator, on the main thread. A chip is put together from finished pieces (class and id, score), so
that a score that changes with every frame renders nothing anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np

from streamer.render.canvas import Canvas, Tile
from streamer.render.code_values import Colour, Space
from streamer.render.palette import text_colour_on
from streamer.render.rectangles import Rectangle
from streamer.render.text import Lettering

Piece = tuple[tuple[str, int], ...]
"""Words of a chip that mostly appear together, each with its font weight."""

_Key = tuple[Piece, int, Colour]


class LabelBoxes:
    """Renders chips and remembers the last `capacity` pieces of one font size and kind of picture.

    A piece takes about 3 KiB at 1280x720 and 30 KiB at 3840x2160 in 8-bit 4:2:0.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._lettering = Lettering()
        self._pieces: OrderedDict[_Key, tuple[Tile, int]] = OrderedDict()
        self._kind: tuple[int, Space] | None = None

    def render(self, canvas: Canvas, pieces: Sequence[Piece], size_px: int, ground: Colour) -> list[tuple[Tile, int]]:
        """The tiles of a chip from left to right, each with its width in pixels."""
        kind = (size_px, canvas.space)
        if kind != self._kind:
            self._pieces.clear()
            self._kind = kind
        tiles = []
        last = len(pieces) - 1
        for index, piece in enumerate(pieces):
            # Only the ends of a chip have wide margins: 1 for the left end, 2 for the right, 3 for both.
            key = (piece, (index == 0) + 2 * (index == last), ground)
            tile = self._pieces.get(key)
            if tile is None:
                tile = self._pieces[key] = self._piece(canvas, size_px, key)
                if len(self._pieces) > self._capacity:
                    self._pieces.popitem(last=False)
            else:
                self._pieces.move_to_end(key)
            tiles.append(tile)
        return tiles

    def _piece(self, canvas: Canvas, size_px: int, key: _Key) -> tuple[Tile, int]:
        words, ends, ground = key
        height = label_box_height(size_px, canvas.grid)
        half_gap, end = round(0.16 * size_px), round(0.34 * size_px)
        parts = [self._lettering.mask(text, size_px, weight, height) for text, weight in words]
        margins = [end if ends & 1 else half_gap, *[2 * half_gap] * (len(parts) - 1), end if ends & 2 else half_gap]
        width = _up(sum(margins) + sum(part.shape[1] for part in parts), canvas.grid[0])
        mask = np.zeros((height, width), np.uint8)
        x = 0
        for margin, part in zip(margins, parts, strict=False):
            mask[:, x + margin : x + margin + part.shape[1]] = part
            x += margin + part.shape[1]
        return canvas.tile(mask, text_colour_on(ground), ground), width


def label_box_height(size_px: int, grid: tuple[int, int]) -> int:
    """Height of a chip in pixels for a font size: 1.4 times that, on the chroma grid."""
    return _up(round(1.4 * size_px), grid[1])


def places(
    box: Rectangle, size: tuple[int, int], picture: tuple[int, int], grid: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Where a chip of a box may go (its left upper pixel), best first: above, else inside or below.

    All of them lie wholly in the picture and on the chroma grid; there is none only if the chip is larger than the
    picture.

    Args:
        box: outline of the object, x0, y0, x1, y1; may reach beyond the picture.
        size: width and height of the chip, multiples of `grid`.
        picture: width and height.
        grid: pixels per chroma sample.
    """
    (x0, y0, x1, y1), (width, height), (gx, gy) = box, size, grid
    furthest_x, furthest_y = (picture[0] - width) // gx * gx, (picture[1] - height) // gy * gy
    if furthest_x < 0 or furthest_y < 0:
        return
    left = min(max(x0 // gx * gx, 0), furthest_x)
    # Rounded towards the line, so that chip and outline join without a gap.
    above = _up(y0 - height, gy)
    if 0 <= above <= furthest_y:
        yield left, above
    right = min(max(_up(x1 - width, gx), 0), furthest_x)
    below, bottom, top = y1 // gy * gy, min(_up(y1 - height, gy), furthest_y), max(y0 // gy * gy, 0)
    inside, outside = ((left, top), (left, bottom), (right, top)), ((right, above), (left, below), (right, below))
    # Inside a small box a chip would hide the object.
    roomy = y1 - y0 >= 4 * height and x1 - x0 >= width
    for x, y in (*inside, *outside) if roomy else (*outside, *inside):
        if 0 <= y <= furthest_y:
            yield x, y
    yield left, min(max(above, 0), furthest_y)


def overlap(chip: Rectangle, taken: Sequence[Rectangle]) -> int:
    """Pixels that a chip shares with others."""
    x0, y0, x1, y1 = chip
    total = 0
    for left, top, right, bottom in taken:
        if top < y1 and y0 < bottom and left < x1 and x0 < right:
            total += (min(x1, right) - max(x0, left)) * (min(y1, bottom) - max(y0, top))
    return total


def _up(value: int, step: int) -> int:
    return -(-value // step) * step

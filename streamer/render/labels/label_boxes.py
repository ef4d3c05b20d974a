"""Renders label boxes: short texts on a filled background. Used by the label annotator.

A label box consists of cached pieces (class and id, score), so scores
that change with every frame are rarely rendered again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np

from streamer.render.colours.palette import text_colour_on
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
        self._kind: tuple[Hashable, ...] | None = None

    def render(self, canvas: Drawable, pieces: Sequence[Piece], size_px: int, background: Colour) -> tuple[Tile, int]:
        """The tile of a label box with these pieces from left to right, and its width in pixels."""
        kind = (size_px, canvas.coding, canvas.pixel_aspect)
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
        if len(tiles) == 1:
            return tiles[0]
        joined = tuple(np.concatenate(planes, axis=1) for planes in zip(*(tile for tile, _ in tiles), strict=True))
        return joined, sum(width for _, width in tiles)

    def _render_piece(self, canvas: Drawable, size_px: int, key: _Key) -> tuple[Tile, int]:
        words, ends, background = key
        height, aspect = label_box_height(size_px, canvas.grid), canvas.pixel_aspect
        half_gap, end = round(0.16 * size_px / aspect), round(0.34 * size_px / aspect)
        parts = [self._text.mask(text, size_px, weight, height, aspect) for text, weight in words]
        margins = [end if ends & 1 else half_gap, *[2 * half_gap] * (len(parts) - 1), end if ends & 2 else half_gap]
        width = round_up(sum(margins) + sum(part.shape[1] for part in parts), canvas.grid[0])
        mask = np.zeros((height, width), np.uint8)
        x = 0
        for margin, part in zip(margins, parts, strict=False):
            mask[:, x + margin : x + margin + part.shape[1]] = part
            x += margin + part.shape[1]
        return canvas.tile(mask, text_colour_on(background), background), width


def label_box_height(size_px: int, grid: tuple[int, int]) -> int:
    """Height of a label box in pixels: 1.4 times the font size, rounded up to the chroma grid."""
    return round_up(round(1.4 * size_px), grid[1])


def round_up(value: int, step: int) -> int:
    return -(-value // step) * step

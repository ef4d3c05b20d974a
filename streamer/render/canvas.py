"""Draws on a copy of a decoded frame, on its native planes, so that untouched samples stay bit-identical.

Used by the main thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from streamer.render.blending import blend, coverage, reduced
from streamer.render.code_values import CodeValues, PixelCoding, cased_row, code_values_of
from streamer.render.planes import plane_views, writable_copy
from streamer.render.rectangles import Rectangle, clipped, covering, dash_outline, ring, rounded
from streamer.values import colour as colourimetry
from streamer.values.drawable import Colour, Drawable, Mask, Tile

# RGB of the casing beside a line: darker than every line colour.
_CASING: Colour = (20, 20, 20)
# OpenCV draws in sixteenths of a pixel; larger coordinates overflow its integers.
_FAR = 1 << 26
# Planes without luma; a casing is not drawn on them.
_CHROMA = frozenset(("U", "V", "UV", "VU"))


class Canvas(Drawable):
    """A writable copy of a frame; `Drawable` describes coordinates, colours and methods.

    On subsampled chroma (4:2:0 and similar) an outline sets every chroma sample that its line touches; the part beyond
    the line lies on the dark casing, where colour is hardly visible. Fills and masks are mixed by covered area.

    Args:
        picture: a decoded frame; it is copied, never written to. A format that cannot be drawn on (packed 4:2:2,
            palette, big-endian, ...) is converted to the nearest one that can (`layout.nearest_drawable`).

    Raises:
        StreamerError: the pixel format can be neither drawn on nor converted.
    """

    def __init__(self, picture: av.VideoFrame) -> None:
        self.picture, layout = writable_copy(picture)
        """The copy: size, time, colour tags and (unless converted) pixel format of the original."""
        self.width, self.height = self.picture.width, self.picture.height
        matrix, full_range = colourimetry.matrix_of(self.picture), colourimetry.is_full_range(self.picture)
        self.coding: PixelCoding = PixelCoding(layout, matrix, full_range)
        self.grid = (layout.step_x, layout.step_y)
        planes = plane_views(self.picture, layout)
        self._parts = tuple((samples, layout.steps(index)) for index, samples in enumerate(planes))
        self._light = tuple(channels not in _CHROMA for channels in layout.planes)
        self._values: dict[Colour, CodeValues] = {}

    def fill(self, box: Sequence[float], colour: Colour, alpha: float = 1.0) -> None:
        for x0, y0, x1, y1 in clipped((rounded(box),), self.width, self.height):
            for (samples, (sx, sy)), value in zip(self._parts, self._values_of(colour), strict=True):
                region = samples[y0 // sy : -(-y1 // sy), x0 // sx : -(-x1 // sx)]
                across, down = coverage(x0, x1, sx, self.width), coverage(y0, y1, sy, self.height)
                if alpha >= 1 and across.min() == 1 and down.min() == 1:
                    region[...] = value
                else:
                    blend(region, value, np.float32(alpha) * down[:, np.newaxis] * across, self.coding.layout.shift)

    def outline(
        self, box: Sequence[float], colour: Colour, thickness_px: int, *, casing_px: int = 1, dashed: bool = False
    ) -> None:
        x0, y0, x1, y1 = outer = rounded(box)
        if x1 <= x0 or y1 <= y0:
            return
        c, room = casing_px, 2 * (thickness_px + casing_px)
        inside = x0 >= c and y0 >= c and x1 + c <= self.width and y1 + c <= self.height
        if c and inside and not dashed and x1 - x0 > room and y1 - y0 > room:
            self._outline_inside(outer, colour, thickness_px, c)
            return
        if c:
            self._bars(ring((x0 - c, y0 - c, x1 + c, y1 + c), thickness_px + 2 * c), _CASING, light_only=True)
        bars = ring(outer, thickness_px)
        if dashed and len(bars) == 4:
            size = (self.width, self.height)
            for (samples, steps), value in zip(self._parts, self._values_of(colour), strict=True):
                dash_outline(samples, outer, thickness_px, size, steps, self.grid, value)
        else:
            self._bars(bars, colour)

    def polyline(
        self,
        points: npt.NDArray[np.floating[Any]],
        colour: Colour,
        thickness_px: int,
        opacities: npt.NDArray[np.floating[Any]] | None = None,
    ) -> None:
        if len(points) < 2:
            return
        margin = thickness_px + 2
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        extent = rounded((x0 - margin, y0 - margin, x1 + margin, y1 + margin))
        for left, top, right, bottom in clipped((extent,), self.width, self.height):
            mask = np.zeros((bottom - top, right - left), np.uint8)
            # OpenCV's origin is the centre of a pixel; the unit here is a sixteenth of a pixel.
            ends = np.rint(np.clip((points - (left + 0.5, top + 0.5)) * 16, -_FAR, _FAR)).astype(np.int32)
            for start, stop, level in _runs(len(ends) - 1, opacities):
                cv2.polylines(mask, [ends[start : stop + 1]], False, (level,), thickness_px, cv2.LINE_AA, 4)
            self.blend_mask(mask, left, top, colour)

    def blend_mask(self, mask: Mask, x: int, y: int, colour: Colour, alpha: float = 1.0) -> None:
        height, width = mask.shape
        for x0, y0, x1, y1 in clipped(((x, y, x + width, y + height),), self.width, self.height):
            visible = mask[y0 - y : y1 - y, x0 - x : x1 - x]
            ends = (x1 == self.width, y1 == self.height)
            covers = {steps: reduced(visible, (x0, y0), steps, ends) for steps in {steps for _, steps in self._parts}}
            touched = {steps: cover > 0 for steps, cover in covers.items()}
            weights = {steps: covers[steps][at] * np.float32(alpha / 255) for steps, at in touched.items()}
            for (samples, steps), value in zip(self._parts, self._values_of(colour), strict=True):
                (tall, wide), left, top = covers[steps].shape, x0 // steps[0], y0 // steps[1]
                region = samples[top : top + tall, left : left + wide]
                picked = region[touched[steps]]
                blend(picked, value, weights[steps], self.coding.layout.shift)
                region[touched[steps]] = picked

    def tile(self, mask: Mask, colour: Colour, background: Colour) -> Tile:
        pieces = []
        values, backgrounds = self._values_of(colour), self._values_of(background)
        for (_, steps), value, ground in zip(self._parts, values, backgrounds, strict=True):
            cover = reduced(mask, (0, 0), steps)
            piece = np.empty(cover.shape + value.shape, value.dtype)
            piece[...] = ground
            blend(piece, value, cover.astype(np.float32) * np.float32(1 / 255), self.coding.layout.shift)
            pieces.append(piece)
        return tuple(pieces)

    def paste(self, tile: Tile, x: int, y: int) -> None:
        height, width = tile[0].shape[:2]
        whole = x >= 0 and y >= 0 and x + width <= self.width and y + height <= self.height
        for (samples, (sx, sy)), piece in zip(self._parts, tile, strict=True):
            left, top = x // sx, y // sy
            if whole:
                samples[top : top + piece.shape[0], left : left + piece.shape[1]] = piece
                continue
            piece = piece[max(-top, 0) :, max(-left, 0) :]
            left, top = max(left, 0), max(top, 0)
            region = samples[top : top + piece.shape[0], left : left + piece.shape[1]]
            region[...] = piece[: region.shape[0], : region.shape[1]]

    def _bars(self, bars: Sequence[Rectangle], colour: Colour, light_only: bool = False) -> None:
        bars = clipped(bars, self.width, self.height)
        for (samples, steps), light, value in zip(self._parts, self._light, self._values_of(colour), strict=True):
            if light or not light_only:
                for x0, y0, x1, y1 in covering(bars, steps):
                    samples[y0:y1, x0:x1] = value

    def _outline_inside(self, outer: Rectangle, colour: Colour, t: int, c: int) -> None:
        """Draw a cased outline that lies wholly in the frame, in half the time: each side with its casing at once."""
        x0, y0, x1, y1 = outer
        sx, sy = self.grid
        left, right = slice(x0 // sx, -(-(x0 + t) // sx)), slice((x1 - t) // sx, -(-x1 // sx))
        across, down = slice(x0 // sx, -(-x1 // sx)), slice(y0 // sy, -(-y1 // sy))
        top, bottom = slice(y0 // sy, -(-(y0 + t) // sy)), slice((y1 - t) // sy, -(-y1 // sy))
        dark, wide, tall, deep = self._values_of(_CASING), slice(x0 - c, x1 + c), slice(y0, y1), t + 2 * c
        sides = cased_row(colour, _CASING, t, c, self.coding)
        parts = zip(self._parts, self._light, self._values_of(colour), dark, sides, strict=True)
        for (samples, _), light, value, casing, side in parts:
            if light:
                samples[y0 - c : y0 + t + c, wide] = casing
                samples[y1 - t - c : y1 + c, wide] = casing
                samples[tall, x0 - c : x0 - c + deep] = side
                samples[tall, x1 + c - deep : x1 + c] = side
                samples[y0 : y0 + t, x0:x1] = value
                samples[y1 - t : y1, x0:x1] = value
            else:
                samples[top, across] = value
                samples[bottom, across] = value
                samples[down, left] = value
                samples[down, right] = value

    def _values_of(self, colour: Colour) -> CodeValues:
        found = self._values.get(colour)
        if found is None:
            found = self._values[colour] = code_values_of(colour, self.coding)
        return found


def _runs(pieces: int, opacities: npt.NDArray[np.floating[Any]] | None) -> list[tuple[int, int, int]]:
    """Runs of path pieces with the same opacity in eighths: first piece, one past the last, level 0..255."""
    if opacities is None:
        return [(0, pieces, 255)]
    eighths = np.rint(opacities * 8).astype(int)
    starts = [0, *(np.flatnonzero(np.diff(eighths)) + 1).tolist()]
    levels = (eighths[starts] * 255 // 8).tolist()
    return list(zip(starts, [*starts[1:], pieces], levels, strict=True))

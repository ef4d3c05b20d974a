"""Draws on a copy of a decoded frame, on its native planes, so that untouched samples stay bit-identical.

Used by the main thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from streamer.render.blending import blend, coverage, reduced, widened
from streamer.render.code_values import CodeValues, PixelCoding, cased_row, code_values_of
from streamer.render.colours.palette import colour_by_id
from streamer.render.planes import plane_views, writable_copy
from streamer.render.rectangles import Rectangle, clipped, covering, dash_outline, ring, rounded
from streamer.values import colour as colourimetry
from streamer.values.drawable import Colour, Drawable, Mask, Tile

# RGB of the casing beside a line: darker than every line colour.
_CASING: Colour = (20, 20, 20)
# OpenCV draws in sixteenths of a pixel; larger coordinates overflow its integers.
_FAR = 1 << 26
# A pixel aspect ratio beyond this factor is a mistake of the file.
_MOST_STRETCHED = 4.0
# Planes without luma; a casing is not drawn on them.
_CHROMA = frozenset(("U", "V", "UV", "VU"))


class Canvas(Drawable):
    """A writable copy of a frame; `Drawable` describes coordinates, colours and methods.

    On subsampled chroma (4:2:0 and similar) an outline sets every chroma sample that its line touches; the part beyond
    the line lies on the dark casing, where colour is hardly visible. Fills and masks are mixed by covered area.

    Args:
        picture: a decoded frame; it is copied, never written to. A format that cannot be drawn on (packed 4:2:2,
            palette, big-endian, ...) is converted to the nearest one that can (`layout.nearest_drawable`).
        colours: of the tracks, by id; a track without one gets the colour of its id alone.
        sample_aspect_ratio: width of a displayed pixel by its height.

    Raises:
        StreamerError: the pixel format can be neither drawn on nor converted.
    """

    def __init__(
        self,
        picture: av.VideoFrame,
        *,
        colours: Mapping[int, Colour] | None = None,
        sample_aspect_ratio: Fraction = Fraction(1),
    ) -> None:
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
        self._colours = colours or {}
        self.pixel_aspect = min(max(float(sample_aspect_ratio), 1 / _MOST_STRETCHED), _MOST_STRETCHED)
        self.reserved: list[Sequence[float]] = []

    def colour_of(self, track_id: int) -> Colour:
        return self._colours.get(track_id) or colour_by_id(track_id)

    def reserve(self, box: Sequence[float]) -> None:
        self.reserved.append(box)

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
        # Columns and rows of line and casing.
        tx, ty, cx, cy = thickness_px, thickness_px, casing_px, casing_px
        if self.pixel_aspect != 1:
            tx, cx = self._columns(thickness_px), self._columns(casing_px)
        inside = x0 >= cx and y0 >= cy and x1 + cx <= self.width and y1 + cy <= self.height
        if cy and inside and not dashed and x1 - x0 > 2 * (tx + cx) and y1 - y0 > 2 * (ty + cy):
            self._outline_inside(outer, colour, tx, ty, cx, cy)
            return
        if cy:
            around = (x0 - cx, y0 - cy, x1 + cx, y1 + cy)
            self._bars(ring(around, (tx + 2 * cx, ty + 2 * cy)), _CASING, light_only=True)
        bars = ring(outer, (tx, ty))
        if dashed and len(bars) == 4:
            size = (self.width, self.height)
            for (samples, steps), value in zip(self._parts, self._values_of(colour), strict=True):
                dash_outline(samples, outer, (tx, ty), size, steps, self.grid, value)
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
        high = thickness_px + 2
        wide = self._columns(high)
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        extent = rounded((x0 - wide, y0 - high, x1 + wide, y1 + high))
        for left, top, right, bottom in clipped((extent,), self.width, self.height):
            columns = right - left
            # OpenCV's origin is the centre of a pixel; the unit here is a sixteenth of a pixel.
            ends = (points - (left + 0.5, top + 0.5)) * 16
            if self.pixel_aspect != 1:  # drawn as it is displayed, with square pixels
                columns = max(1, round(columns * self.pixel_aspect))
                ends[:, 0] = (ends[:, 0] + 8) * (columns / (right - left)) - 8
            mask = np.zeros((bottom - top, columns), np.uint8)
            ends = np.rint(np.clip(ends, -_FAR, _FAR)).astype(np.int32)
            for start, stop, level in _runs(len(ends) - 1, opacities):
                cv2.polylines(mask, [ends[start : stop + 1]], False, (level,), thickness_px, cv2.LINE_AA, 4)
            self.blend_mask(widened(mask, right - left), left, top, colour)

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

    def _columns(self, rows: int) -> int:
        """Columns that are as wide on the screen as rows are high, at least one for one row."""
        return rows if self.pixel_aspect == 1 else max(rows > 0, int(rows / self.pixel_aspect + 0.5))

    def _outline_inside(self, outer: Rectangle, colour: Colour, tx: int, ty: int, cx: int, cy: int) -> None:
        """Draw a cased outline that lies wholly in the frame, in half the time: each side with its casing at once."""
        x0, y0, x1, y1 = outer
        sx, sy = self.grid
        left, right = slice(x0 // sx, -(-(x0 + tx) // sx)), slice((x1 - tx) // sx, -(-x1 // sx))
        across, down = slice(x0 // sx, -(-x1 // sx)), slice(y0 // sy, -(-y1 // sy))
        top, bottom = slice(y0 // sy, -(-(y0 + ty) // sy)), slice((y1 - ty) // sy, -(-y1 // sy))
        dark, wide, tall, deep = self._values_of(_CASING), slice(x0 - cx, x1 + cx), slice(y0, y1), tx + 2 * cx
        sides = cased_row(colour, _CASING, tx, cx, self.coding)
        parts = zip(self._parts, self._light, self._values_of(colour), dark, sides, strict=True)
        for (samples, _), light, value, shade, side in parts:
            if light:
                samples[y0 - cy : y0 + ty + cy, wide] = shade
                samples[y1 - ty - cy : y1 + cy, wide] = shade
                samples[tall, x0 - cx : x0 - cx + deep] = side
                samples[tall, x1 + cx - deep : x1 + cx] = side
                samples[y0 : y0 + ty, x0:x1] = value
                samples[y1 - ty : y1, x0:x1] = value
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

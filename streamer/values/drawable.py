"""What annotators draw with: the drawing surface and the types of its arguments. Used by the main thread."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int]
"""Red, green and blue, 0..255 each (full range), in the frame's own primaries and transfer."""

Mask = npt.NDArray[np.uint8]
"""uint8 `(h, w)`: how much of each pixel is covered, 255 for all of it."""

Tile = tuple[npt.NDArray[Any], ...]
"""A finished piece of a frame, one array for each plane, as `Drawable.tile` makes it."""


class Drawable(Protocol):
    """What an annotator draws on: a copy of the frame (`streamer.render.canvas.Canvas`).

    Coordinates are pixels of the upright frame; x points right, y down, and 0, 0 is the upper left corner of the upper
    left pixel. Boxes are x0, y0, x1, y1 with half-open edges: 3..6 covers the columns 3, 4 and 5. Fractions are
    rounded to the nearest edge, halves to the right and down. Everything is clipped to the frame. Colours come out as
    the given RGB under the frame's own matrix and range; in formats with alpha everything drawn is opaque.

    Attributes:
        width, height: of the frame in pixels.
        grid: pixels per chroma sample, across and down, such as (2, 2) for 4:2:0.
        coding: pixel format, matrix and range; equal for two frames if a tile of one fits the other.
        pixel_aspect: width of a displayed pixel by its height. Text is drawn with this in mind, so that it has its
            usual shape on the screen; `outline` and `polyline` do the same for the thickness of lines.
        reserved: boxes that were reserved on this frame.
    """

    width: int
    height: int
    grid: tuple[int, int]
    coding: Hashable
    pixel_aspect: float
    reserved: Sequence[Sequence[float]]

    def colour_of(self, track_id: int) -> Colour:
        """The colour of a track, the same for all annotators of a run; no track near it has one that looks alike."""
        ...

    def reserve(self, box: Sequence[float]) -> None:
        """Keep a box free of the labels that are drawn after this call."""
        ...

    def fill(self, box: Sequence[float], colour: Colour, alpha: float = 1.0) -> None:
        """Fill a box; `alpha` is its opacity, 0..1."""
        ...

    def outline(
        self, box: Sequence[float], colour: Colour, thickness_px: int, *, casing_px: int = 1, dashed: bool = False
    ) -> None:
        """Outline a box just inside its edges; nothing is drawn if it is empty after rounding.

        Args:
            box: x0, y0, x1, y1.
            colour: of the line.
            thickness_px: of the line, at least 1; in rows, where pixels are not square.
            casing_px: width of the dark casing on both sides of the line, which keeps it visible on any background; 0
                for none.
            dashed: draw dashes, solid at the corners.
        """
        ...

    def polyline(
        self,
        points: npt.NDArray[np.floating[Any]],
        colour: Colour,
        thickness_px: int,
        opacities: npt.NDArray[np.floating[Any]] | None = None,
    ) -> None:
        """Draw an anti-aliased path.

        Args:
            points: `(N, 2)` x, y in pixels; fewer than two draw nothing.
            colour: of the path.
            thickness_px: at least 1; in rows, where pixels are not square.
            opacities: `(N - 1,)` in 0..1, one for each piece of the path, rounded to eighths; all 1 if None.
        """
        ...

    def blend_mask(self, mask: Mask, x: int, y: int, colour: Colour, alpha: float = 1.0) -> None:
        """Draw a colour through a mask whose upper left pixel is at x, y; `alpha` is the opacity of its 255."""
        ...

    def tile(self, mask: Mask, colour: Colour, background: Colour) -> Tile:
        """Render a mask in one colour on a background of another; its sides must be multiples of `grid`."""
        ...

    def paste(self, tile: Tile, x: int, y: int) -> None:
        """Draw a tile with its upper left pixel at x, y, which must be multiples of `grid`."""
        ...

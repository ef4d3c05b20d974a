"""Draws lines and zones with their counts. Used by one thread; caches rendered words only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from streamer.config.section import Section
from streamer.config.settings import DrawSettings
from streamer.interfaces import Scene
from streamer.render.boxes import line_thickness_px
from streamer.render.colours.palette import BLACK, WHITE
from streamer.render.text import TextRenderer, emphasis, text_size_px
from streamer.values.drawable import Colour, Drawable
from streamer.values.events import Points

LINE_COLOUR: Colour = (255, 210, 0)
ZONE_COLOUR: Colour = (0, 200, 255)
_PANEL_OPACITY = 0.6
_ARROW_SIZES = 1.5
"""Length of the arrow, in sizes of the text."""


class LineAnnotator:
    """The lines of a run, with an arrow in the direction `in`, and at the first point the name and the crossings.

    The words are not at the middle of a line, where they would cover what crosses it.
    """

    section: ClassVar[type[Section]] = DrawSettings

    def __init__(self) -> None:
        self._text = TextRenderer(capacity=64)

    @classmethod
    def accepts(cls, settings: DrawSettings) -> bool:
        return settings.lines

    @classmethod
    def from_settings(cls, _settings: DrawSettings) -> Self:
        return cls()

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Draw the lines of the scene; nothing if there are none."""
        for line in scene.watched.lines:
            points = _in_pixels(line.points, canvas)
            arrow = _arrow(points, text_size_px(canvas))
            for path in (points, *arrow):
                _draw_path(canvas, path, LINE_COLOUR)
            canvas.reserve((*np.vstack(arrow).min(axis=0), *np.vstack(arrow).max(axis=0)))
            _draw_words(canvas, self._text, f"{line.name}  in {line.entered}  out {line.left}", *points[0])


class ZoneAnnotator:
    """The outlines of the zones of a run, with their name and the number of tracks inside, at the first corner."""

    section: ClassVar[type[Section]] = DrawSettings

    def __init__(self) -> None:
        self._text = TextRenderer(capacity=64)

    @classmethod
    def accepts(cls, settings: DrawSettings) -> bool:
        return settings.zones

    @classmethod
    def from_settings(cls, _settings: DrawSettings) -> Self:
        return cls()

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Draw the zones of the scene; nothing if there are none."""
        for zone in scene.watched.zones:
            points = _in_pixels((*zone.points, zone.points[0]), canvas)
            _draw_path(canvas, points, ZONE_COLOUR)
            _draw_words(canvas, self._text, f"{zone.name}  {zone.inside}", *points[0])


def _in_pixels(points: Sequence[tuple[float, float]] | Points, canvas: Drawable) -> np.ndarray:
    return np.array(points, np.float64) * (canvas.width, canvas.height)


def _arrow(points: np.ndarray, size_px: float) -> tuple[np.ndarray, np.ndarray]:
    """The shaft and the head of an arrow from the middle of a line to its right-hand side."""
    middle = len(points) // 2
    start, end = points[middle - 1], points[middle]
    along = (end - start) / max(float(np.hypot(*(end - start))), 1e-9)
    across = np.array([-along[1], along[0]])
    foot = (start + end) / 2
    tip, barb = foot + _ARROW_SIZES * size_px * across, _ARROW_SIZES / 3 * size_px
    return np.array([foot, tip]), np.array([tip - barb * (across + along), tip, tip - barb * (across - along)])


def _draw_path(canvas: Drawable, points: np.ndarray, colour: Colour) -> None:
    """A path with a dark casing, which keeps it visible on any background."""
    thickness = line_thickness_px(canvas) + 1  # thicker than the outlines of boxes
    canvas.polyline(points, BLACK, thickness + 2)
    canvas.polyline(points, colour, thickness)


def _draw_words(canvas: Drawable, renderer: TextRenderer, text: str, x: float, y: float) -> None:
    """A panel with a text right of and below a point, moved into the picture; labels of boxes avoid it."""
    size, aspect = text_size_px(canvas), canvas.pixel_aspect
    height, pad = round(1.7 * size), round(0.4 * size / aspect)
    mask = renderer.mask(text, size, emphasis(size), height, aspect)
    width = mask.shape[1] + 2 * pad
    if width > canvas.width or height > canvas.height:
        return
    # On the chroma grid, so that the panel has the same edge in every plane.
    left = int(min(max(x, 0), canvas.width - width)) // 4 * 4
    top = int(min(max(y, 0), canvas.height - height)) // 4 * 4
    panel = left, top, left + width, top + height
    canvas.reserve(panel)
    canvas.fill(panel, BLACK, _PANEL_OPACITY)
    canvas.blend_mask(mask, left + pad, top, WHITE)

"""Draws the outline of every track. Used by the main thread; keeps nothing between scenes."""

from __future__ import annotations

from typing import ClassVar, Self

from streamer.config.section import Section
from streamer.config.settings import DrawSettings
from streamer.interfaces import Scene
from streamer.render.palette import colour_of
from streamer.values.drawable import Drawable
from tracking.types import Origin


def line_thickness_px(width: int, height: int) -> int:
    """Thickness of outlines for a frame: 1 px up to 599 lines, 2 at 720, 3 at 1080, 5 at 2160."""
    return max(1, int(min(width, height) / 400 + 0.5))


class BoxAnnotator:
    """Outlines in the colour of the track id, with a dark casing; dashed where the box is predicted.

    Boxes further down are drawn last, because they are mostly nearer to the camera. Small boxes have thinner lines.

    Args:
        thickness_px: of the lines, at least 1; depends on the size of the frame if None.
        show_origin: whether the outlines of predicted boxes are dashed.

    Raises:
        ValueError: a thickness below 1.
    """

    section: ClassVar[type[Section]] = DrawSettings

    def __init__(self, *, thickness_px: int | None = None, show_origin: bool = True) -> None:
        self._show_origin = show_origin
        if thickness_px is not None and thickness_px < 1:
            raise ValueError(f"thickness_px must be at least 1, not {thickness_px}")
        self._thickness_px = thickness_px

    @classmethod
    def accepts(cls, settings: DrawSettings) -> bool:
        return settings.boxes

    @classmethod
    def from_settings(cls, settings: DrawSettings) -> Self:
        return cls(show_origin=settings.origin)

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Outline all tracks of the scene."""
        tracks = scene.tracks
        thickness = self._thickness_px or line_thickness_px(canvas.width, canvas.height)
        predicted = ((tracks.origin == Origin.PREDICTED) & self._show_origin).tolist()
        rows = zip(tracks.boxes[:, 3].tolist(), tracks.ids.tolist(), tracks.boxes.tolist(), predicted, strict=True)
        for _, track_id, box, dashed in sorted(rows):
            x0, y0, x1, y1 = box
            line = min(thickness, max(1, int(min(x1 - x0, y1 - y0) / 8)))
            canvas.outline(box, colour_of(track_id), line, casing_px=max(1, (line + 1) // 3), dashed=dashed)

"""Draws the outline of every track. Owned by the main thread; keeps nothing from scene to scene."""

from __future__ import annotations

from streamer.interfaces import Scene
from streamer.render.canvas import Canvas
from streamer.render.palette import colour_of
from tracking.types import Origin


def line_thickness_px(width: int, height: int) -> int:
    """Thickness of outlines that suits a picture: 1 px up to 599 lines, 2 at 720, 3 at 1080, 5 at 2160."""
    return max(1, int(min(width, height) / 400 + 0.5))


class BoxAnnotator:
    """Outlines in the colour of the track id, with a dark casing; dashed where the box is predicted.

    Lower boxes, which are mostly nearer to the camera, are drawn over higher ones. Small boxes get thinner lines.

    Args:
        thickness_px: of the lines, at least 1; follows the size of the picture if None.
        show_origin: whether the outlines of predicted boxes are dashed.

    Raises:
        ValueError: a thickness below 1.
    """

    def __init__(self, *, thickness_px: int | None = None, show_origin: bool = True) -> None:
        self._show_origin = show_origin
        if thickness_px is not None and thickness_px < 1:
            raise ValueError(f"thickness_px must be at least 1, not {thickness_px}")
        self._thickness_px = thickness_px

    def draw(self, canvas: Canvas, scene: Scene) -> None:
        """Outline all tracks of the scene."""
        tracks = scene.tracks
        thickness = self._thickness_px or line_thickness_px(canvas.width, canvas.height)
        predicted = ((tracks.origin == Origin.PREDICTED) & self._show_origin).tolist()
        rows = zip(tracks.boxes[:, 3].tolist(), tracks.ids.tolist(), tracks.boxes.tolist(), predicted, strict=True)
        for _, track_id, box, dashed in sorted(rows):
            x0, y0, x1, y1 = box
            line = min(thickness, max(1, int(min(x1 - x0, y1 - y0) / 8)))
            canvas.outline(box, colour_of(track_id), line, casing_px=max(1, (line + 1) // 3), dashed=dashed)

"""An annotator: a cross at the centre of each track, with `--set draw.annotators=[crosshair]`."""

from __future__ import annotations

from typing import Self

from pydantic import Field

import streamer

RED = (230, 30, 30)


class CrosshairSettings(streamer.Section):
    """`extensions.crosshair` in the settings."""

    length_px: int = Field(default=8, ge=1)


class CrosshairAnnotator(streamer.Annotator, streamer.AnnotatorFeature):
    """Draws on the frame's native planes; the display thread uses it."""

    section = CrosshairSettings

    def __init__(self, settings: CrosshairSettings) -> None:
        self._length_px = settings.length_px

    @classmethod
    def accepts(cls, settings: streamer.DrawSettings) -> bool:  # noqa: ARG003
        """Whether it draws without being named in `draw.annotators`."""
        return False

    @classmethod
    def from_settings(cls, settings: CrosshairSettings) -> Self:
        """The annotator."""
        return cls(settings)

    def draw(self, canvas: streamer.Drawable, scene: streamer.Scene) -> None:
        """Coordinates are pixels of the frame and are clipped to it."""
        for x0, y0, x1, y1 in scene.tracks.boxes.tolist():
            x, y, length = (x0 + x1) / 2, (y0 + y1) / 2, self._length_px
            canvas.fill((x - length, y - 1, x + length, y + 1), RED)
            canvas.fill((x - 1, y - length, x + 1, y + length), RED)

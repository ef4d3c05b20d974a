"""Draws a head-up line with time, frame rate and counts. Used by one thread; caches rendered words only."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Literal, Self

import numpy as np

from streamer.config.section import Section
from streamer.config.settings import DrawSettings
from streamer.interfaces import Scene
from streamer.render.colours.palette import BLACK, WHITE
from streamer.render.text import REGULAR, TextRenderer, emphasis, text_size_px
from streamer.values.drawable import Drawable, Mask

Corner = Literal["top left", "top right", "bottom left", "bottom right"]

_PANEL_OPACITY = 0.6
# Largest width of the panel relative to the frame.
_WIDEST = 0.7


class HudAnnotator:
    """A head-up line: media time, frames per second and the number of tracks of each class.

    The frame rate is that of a file, or the one at which a live source is shown now. Counts are sorted from the largest
    down; as many are shown as fit in 0.7 of the frame's width. The line reserves its place, so that labels avoid it.

    Args:
        corner: of the frame. Labels mostly lie above their boxes, so the lower corners are less crowded.
    """

    section: ClassVar[type[Section]] = DrawSettings

    def __init__(self, *, corner: Corner = "bottom left") -> None:
        self._corner = corner
        self._text = TextRenderer(capacity=128)

    @classmethod
    def accepts(cls, settings: DrawSettings) -> bool:
        return settings.hud

    @classmethod
    def from_settings(cls, _settings: DrawSettings) -> Self:
        return cls()

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Draw the line for the scene."""
        size, aspect = text_size_px(canvas), canvas.pixel_aspect
        height, pad, gap = round(1.7 * size), round(0.6 * size / aspect), round(0.8 * size / aspect)
        masks: list[Mask] = []
        total = 2 * pad - gap
        for text, weight in _words(scene, size):
            mask = self._text.mask(text, size, weight, height, aspect)
            if total + gap + mask.shape[1] > (_WIDEST * canvas.width if masks else canvas.width):
                break
            masks.append(mask)
            total += gap + mask.shape[1]
        if not masks or height > canvas.height:
            return
        # On the chroma grid, so that the panel has the same edge in every plane.
        x = 0 if self._corner.endswith("left") else (canvas.width - total) // 4 * 4
        y = 0 if self._corner.startswith("top") else (canvas.height - height) // 4 * 4
        right = canvas.width if x else min(-(-total // 4) * 4, canvas.width)
        bottom = canvas.height if y else min(-(-height // 4) * 4, canvas.height)
        canvas.reserve((x, y, right, bottom))
        canvas.fill((x, y, right, bottom), BLACK, _PANEL_OPACITY)
        space = np.zeros((height, gap), np.uint8)
        line = np.hstack([part for mask in masks for part in (mask, space)])
        canvas.blend_mask(line, x + pad, y, WHITE)


def _words(scene: Scene, size_px: int) -> list[tuple[str, int]]:
    words = [(clock(scene.frame.time_s), emphasis(size_px))]
    if scene.fps > 0:
        # 25.0, 23.98, 29.97
        rate = f"{scene.fps:.2f}".removesuffix("0")
        words.append((f"{rate} fps", REGULAR))
    counts = Counter(scene.labels.name(label) for label in scene.tracks.labels.tolist())
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        words.append((f"{count} {name}", REGULAR))
    return words


def clock(time_s: float) -> str:
    """Media time as `m:ss.t` or `h:mm:ss.t`, rounded down to tenths, as players show it."""
    tenths = int(abs(time_s) * 10 + 1e-6)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if time_s < 0 else ""
    seconds = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{sign}{hours}:{minutes:02d}:{seconds}" if hours else f"{sign}{minutes}:{seconds}"

"""Draws a line with time, speed and counts in a corner. Owned by the main thread; remembers rendered words only."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np

from streamer.interfaces import Scene
from streamer.render.blending import Mask
from streamer.render.canvas import Canvas
from streamer.render.labels import text_size_px
from streamer.render.palette import BLACK, WHITE
from streamer.render.text import REGULAR, Lettering, emphasis

Corner = Literal["top left", "top right", "bottom left", "bottom right"]

_PANEL_OPACITY = 0.6
# Part of the picture's width that the panel may take.
_WIDEST = 0.7


class HudAnnotator:
    """A head-up line: media time, frames a second, and how many tracks of each class there are.

    Counts come by falling number, as many as fit in 0.7 of the picture's width.

    Args:
        corner: of the picture. Labels mostly lie above their boxes, so the lower corners are freer.
    """

    def __init__(self, *, corner: Corner = "bottom left") -> None:
        self._corner = corner
        self._lettering = Lettering(capacity=128)

    def draw(self, canvas: Canvas, scene: Scene) -> None:
        """Draw the line for the scene."""
        size = text_size_px(canvas.width, canvas.height)
        height, pad, gap = round(1.7 * size), round(0.6 * size), round(0.8 * size)
        masks: list[Mask] = []
        total = 2 * pad - gap
        for text, weight in _words(scene, size):
            mask = self._lettering.mask(text, size, weight, height)
            if total + gap + mask.shape[1] > (_WIDEST * canvas.width if masks else canvas.width):
                break
            masks.append(mask)
            total += gap + mask.shape[1]
        if not masks or height > canvas.height:
            return
        # On the chroma grid, so that the panel's edge is one line in every plane.
        x = 0 if self._corner.endswith("left") else (canvas.width - total) // 4 * 4
        y = 0 if self._corner.startswith("top") else (canvas.height - height) // 4 * 4
        right = canvas.width if x else min(-(-total // 4) * 4, canvas.width)
        bottom = canvas.height if y else min(-(-height // 4) * 4, canvas.height)
        canvas.fill((x, y, right, bottom), BLACK, _PANEL_OPACITY)
        space = np.zeros((height, gap), np.uint8)
        line = np.hstack([part for mask in masks for part in (mask, space)])
        canvas.blend_mask(line, x + pad, y, WHITE)


def _words(scene: Scene, size_px: int) -> list[tuple[str, int]]:
    words = [(clock(scene.frame.time_s), emphasis(size_px))]
    if scene.fps > 0:
        words.append((f"{scene.fps:.1f} fps", REGULAR))
    counts = Counter(scene.labels.name(label) for label in scene.tracks.labels.tolist())
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        words.append((f"{count} {name}", REGULAR))
    return words


def clock(time_s: float) -> str:
    """Media time as `m:ss.t` or `h:mm:ss.t`, tenths cut off, as players show it."""
    tenths = int(abs(time_s) * 10 + 1e-6)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if time_s < 0 else ""
    seconds = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{sign}{hours}:{minutes:02d}:{seconds}" if hours else f"{sign}{minutes}:{seconds}"

"""Renders anti-aliased text as masks, in the sans-serif font of OpenCV 5 (Rubik, with a Unicode fallback).

Each annotator has its own renderer, used by the main thread.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from streamer.render.blending import widened
from streamer.values.drawable import Drawable, Mask

REGULAR = 400
SMALLEST_PX = 8
"""The smallest legible font size."""

# Height of capitals and digits relative to the font size, measured on rendered text of 10 to 48 px.
CAP_HEIGHT = 0.74


def emphasis(size_px: int) -> int:
    """Font weight of emphasised words: semi-bold, or medium in small text, where semi-bold letters touch."""
    return 600 if size_px >= 14 else 500


def text_size_px(canvas: Drawable) -> int:
    """Font size in rows: a 45th of the shorter side (16 px at 720, 48 at 2160), at least 11, or 8 in tiny frames."""
    shorter = min(canvas.width * canvas.pixel_aspect, canvas.height)
    return max(SMALLEST_PX, min(11, int(shorter / 15)), int(shorter / 45 + 0.5))


class TextRenderer:
    """Renders lines of text and caches the last `capacity` of them.

    All digits have the same width in this font, so changing numbers do not move the text beside them.
    """

    def __init__(self, capacity: int = 512) -> None:
        self._font = cv2.FontFace("sans")
        self._cached = lru_cache(maxsize=capacity)(self._render)

    def mask(self, text: str, size_px: int, weight: int, height_px: int, pixel_aspect: float = 1.0) -> Mask:
        """A line of text with its capitals centred in `height_px` rows, as wide as the text advances; read-only.

        Unprintable characters become spaces.

        Args:
            text: the line.
            size_px: font size in rows.
            weight: of the font, 400 for regular.
            height_px: rows of the mask.
            pixel_aspect: width of a displayed pixel by its height; the text has its usual shape when it is displayed.
        """
        return self._cached(text, size_px, weight, height_px, pixel_aspect)

    def _render(self, text: str, size_px: int, weight: int, height_px: int, pixel_aspect: float) -> Mask:
        text = "".join(character if character.isprintable() else " " for character in text)
        baseline = (height_px + round(CAP_HEIGHT * size_px)) // 2
        # putText wraps at the right edge; no character advances by more than two font sizes.
        canvas = np.zeros((height_px, 2 * size_px * (len(text) + 1)), np.uint8)
        (width, _), _ = cv2.putText(canvas, text, (0, baseline), (255,), self._font, size_px, weight)
        mask: Mask = widened(canvas[:, :width], round(width / pixel_aspect)).copy()
        mask.flags.writeable = False
        return mask

"""Renders anti-aliased text as masks, in the sans-serif font of OpenCV 5 (Rubik, with a Unicode fallback).

Each annotator has its own renderer, used by the main thread.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from streamer.values.drawable import Mask

REGULAR = 400

# Height of capitals and digits relative to the font size, measured on rendered text of 10 to 48 px.
CAP_HEIGHT = 0.74


def emphasis(size_px: int) -> int:
    """Font weight of emphasised words: semi-bold, or medium in small text, where semi-bold letters touch."""
    return 600 if size_px >= 14 else 500


class TextRenderer:
    """Renders lines of text and caches the last `capacity` of them.

    All digits have the same width in this font, so changing numbers do not move the text beside them.
    """

    def __init__(self, capacity: int = 512) -> None:
        self._font = cv2.FontFace("sans")
        self._cached = lru_cache(maxsize=capacity)(self._render)

    def mask(self, text: str, size_px: int, weight: int, height_px: int) -> Mask:
        """A line of text with its capitals centred in `height_px` rows, as wide as the text advances; read-only.

        Unprintable characters become spaces.
        """
        return self._cached(text, size_px, weight, height_px)

    def _render(self, text: str, size_px: int, weight: int, height_px: int) -> Mask:
        text = "".join(character if character.isprintable() else " " for character in text)
        baseline = (height_px + round(CAP_HEIGHT * size_px)) // 2
        # putText wraps at the right edge; no character advances by more than two font sizes.
        canvas = np.zeros((height_px, 2 * size_px * (len(text) + 1)), np.uint8)
        (width, _), _ = cv2.putText(canvas, text, (0, baseline), (255,), self._font, size_px, weight)
        mask: Mask = canvas[:, :width].copy()
        mask.flags.writeable = False
        return mask

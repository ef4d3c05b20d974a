"""Anti-aliased text as masks, in the sans-serif font that OpenCV 5 carries (Rubik, with a Unicode fallback).

An instance belongs to one annotator, so to the main thread.
"""

from __future__ import annotations

from collections import OrderedDict

import cv2
import numpy as np

from streamer.render.blending import Mask

REGULAR = 400

# Height of its capitals and digits as a part of the size, measured on rendered text of 10 to 48 px.
CAP_HEIGHT = 0.74


def emphasis(size_px: int) -> int:
    """Font weight of words that stand out: semi-bold, or medium in small print, where semi-bold letters touch."""
    return 600 if size_px >= 14 else 500


class Lettering:
    """Renders and measures lines of text, and remembers the last `capacity` of them.

    Digits all have one width in this font, so numbers do not jump as they change.
    """

    def __init__(self, capacity: int = 512) -> None:
        self._capacity = capacity
        self._font = cv2.FontFace("sans")
        self._masks: OrderedDict[tuple[str, int, int, int], Mask] = OrderedDict()

    def mask(self, text: str, size_px: int, weight: int, height_px: int) -> Mask:
        """A line of text, its capitals centred in `height_px` rows; as wide as the text advances; read-only.

        Characters that cannot be printed become spaces.
        """
        key = (text, size_px, weight, height_px)
        found = self._masks.get(key)
        if found is None:
            found = self._masks[key] = self._render(*key)
            if len(self._masks) > self._capacity:
                self._masks.popitem(last=False)
        else:
            self._masks.move_to_end(key)
        return found

    def _render(self, text: str, size_px: int, weight: int, height_px: int) -> Mask:
        text = "".join(character if character.isprintable() else " " for character in text)
        baseline = (height_px + round(CAP_HEIGHT * size_px)) // 2
        # putText wraps at the right end, and text never advances more than two sizes a character.
        canvas = np.zeros((height_px, 2 * size_px * (len(text) + 1)), np.uint8)
        (width, _), _ = cv2.putText(canvas, text, (0, baseline), (255,), self._font, size_px, weight)
        mask: Mask = canvas[:, :width].copy()
        mask.flags.writeable = False
        return mask

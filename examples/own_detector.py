"""Use a detector of your own, a function of a picture. This one finds what moves in front of a fixed camera.

python examples/own_detector.py clip.mp4 moving.mp4
"""

from __future__ import annotations

import sys

import cv2
import numpy as np

import streamer

MIN_AREA_PX = 150
background = cv2.createBackgroundSubtractorMOG2(detectShadows=False)


def find_moving(rgb: np.ndarray) -> tuple[list[tuple[int, int, int, int]], list[float], list[str]]:
    """Boxes (x0, y0, x1, y1 in pixels), scores in 0..1 and class names of a picture, uint8 RGB `(height, width, 3)`."""
    mask = cv2.morphologyEx(background.apply(rgb), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    _, _, regions, _ = cv2.connectedComponentsWithStats(mask)
    moving = [region for region in regions[1:].tolist() if region[4] >= MIN_AREA_PX]  # the first is the background
    boxes = [(x, y, x + width, y + height) for x, y, width, height, _ in moving]
    scores = [area / (width * height) for _, _, width, height, area in moving]
    return boxes, scores, ["moving"] * len(moving)


_, clip, output = sys.argv if len(sys.argv) == 3 else sys.exit(__doc__)
streamer.open(clip, detector=find_moving, outputs=output).run()

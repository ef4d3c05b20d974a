"""Use your own detector: boxes around everything that moves, by background subtraction.

    python examples/own_detector.py clip.mp4 -o moving.mp4

A detector is any object with `labels`, `detect` and `close`.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np

import streamer


class MotionDetector:
    """Finds moving regions in frames of a fixed camera.

    Args:
        min_area_px: smaller regions are ignored.
    """

    labels = streamer.LabelTable(("moving",))

    def __init__(self, min_area_px: int = 150) -> None:
        self._min_area_px = min_area_px
        self._background = cv2.createBackgroundSubtractorMOG2(detectShadows=False)

    def detect(self, frame: streamer.Frame) -> streamer.Detections:
        """Boxes in pixels, in order of decreasing score."""
        mask = cv2.morphologyEx(self._background.apply(frame.rgb()), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        _, _, regions, _ = cv2.connectedComponentsWithStats(mask)
        regions = regions[1:]  # the first one is the background
        regions = regions[regions[:, cv2.CC_STAT_AREA] >= self._min_area_px]
        regions = regions[np.argsort(-regions[:, cv2.CC_STAT_AREA])]
        x, y, width, height, area = regions.T
        boxes = np.stack([x, y, x + width, y + height], axis=1)
        return streamer.Detections(boxes, area / np.maximum(width * height, 1), np.zeros(len(boxes), np.int32))

    def close(self) -> None:
        """Nothing to release."""


def main() -> None:
    """Parse the options and print the boxes of each second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("-o", "--output", action="append", default=[])
    options = parser.parse_args()
    with streamer.open(options.source, detector=MotionDetector(), outputs=options.output) as scenes:
        for scene in scenes:
            if scene.frame.index % 25 == 0:
                print(f"{scene.frame.time_s:6.2f} s: {scene.tracks.boxes.round().astype(int).tolist()}")


if __name__ == "__main__":
    main()

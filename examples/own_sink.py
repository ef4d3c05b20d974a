"""Write an output of your own: a picture of every new object.

python examples/own_sink.py clip.mp4 objects/

A sink is a context manager with `write(scene)`. It runs in a thread of its own, so that slow work does not hold up the
detector. `streamer.Sink` has the defaults.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Self

import cv2

import streamer


class NewObjects(streamer.Sink):
    """Saves the first picture of each track as ID-CLASS.png.

    Args:
        folder: created if it does not exist.
    """

    stage = "new objects"
    wants_picture = False  # the plain frame is enough: nothing need be drawn

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._saved: set[int] = set()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, scene: streamer.Scene) -> None:
        """Called for every frame, in presentation order."""
        for item in scene.objects:
            if item.id not in self._saved:
                self._saved.add(item.id)
                x0, y0, x1, y1 = (max(round(edge), 0) for edge in item.box)
                cv2.imwrite(str(self._folder / f"{item.id}-{item.label}.png"), scene.frame.bgr()[y0:y1, x0:x1])


_, clip, output = sys.argv if len(sys.argv) == 3 else sys.exit(__doc__)
streamer.open(clip, outputs=[NewObjects(Path(output))]).run()

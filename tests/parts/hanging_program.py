"""The program with a detector that hangs after some frames, to be killed: `python -m tests.parts.hanging_program ...`.

`HANG_AFTER` is the number of frames, `HANG_MARK` a file that is made when the detector hangs.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from streamer.cli.program import app
from streamer.values.frame import Frame
from tests.parts.detector import PictureDetector, registered
from tracking.types import Detections


class HangingDetector(PictureDetector):
    """Hangs on the frame after `HANG_AFTER` others, the canary included."""

    def __init__(self) -> None:
        self._left = int(os.environ.get("HANG_AFTER", "1000000"))

    def detect(self, frame: Frame) -> Detections:
        """The three boxes, or no answer."""
        self._left -= 1
        if self._left < 0:
            Path(os.environ["HANG_MARK"]).touch()
            threading.Event().wait()
        return super().detect(frame)


if __name__ == "__main__":
    with registered(HangingDetector):
        app()

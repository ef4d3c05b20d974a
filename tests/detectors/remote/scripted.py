"""A model on a server that a test makes reachable and unreachable, and a clock that a test sets."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np

from streamer.errors import DetectorUnreachable
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

GONE = DetectorUnreachable("connection refused")


class Clock:
    """Monotonic seconds that only the test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class ScriptedModel:
    """See `RemoteModel`. Each call takes the next entry of `answers`; the last one stays."""

    labels = LabelTable(("thing",))

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.calls: list[str] = []
        self.limits_s: list[float] = []

    def detect(self, frame: Frame, limit_s: float) -> Detections:
        """Raises the next answer, or finds one box."""
        self._answer(f"frame {frame.index}", limit_s)
        return Detections(np.array([[1, 2, 3, 4]], np.float32), np.array([0.9], np.float32), np.array([0], np.int32))

    def probe(self, limit_s: float) -> None:
        """Raises the next answer."""
        self._answer("probe", limit_s)

    def close(self) -> None:
        self.calls.append("close")

    def _answer(self, call: str, limit_s: float) -> None:
        self.calls.append(call)
        self.limits_s.append(limit_s)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not None:
            raise answer


def live_frame(index: int) -> Frame:
    """A frame of a live source."""
    return replace(frame_of(index), arrival_wall_clock_s=1e9 + index)


def frame_of(index: int) -> Frame:
    """A small grey frame of a file."""
    picture = av.VideoFrame.from_ndarray(np.full((8, 8, 3), 90, np.uint8), "rgb24")
    return Frame(picture, index=index, pts=index, time_base=Fraction(1, 25), captured_s=0.0)

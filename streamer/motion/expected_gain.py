"""What the next detection of a live stream would probably improve on its screen.

Updated by the display thread of the stream, read by any thread (the policy of a detector that several streams share).
Nothing here reads a clock, so it also works on a simulated one.

The share of wrong boxes grows with the age `a` of the last detection, f(a) = 1 - exp(-rate * a). The rate is learned:
each result is compared with what was on screen for its frame. A policy that detects the stream of the largest index
`a * f(a) - integral of f from 0 to a` makes the mean share of wrong boxes on all screens small (Tripathi and Modiano,
"A Whittle Index Approach to Minimizing Functions of Age of Information", Allerton 2019, arXiv:1908.10438). The share
itself would be a worse index: boxes that drift four times as fast deserve twice as many detections, not four times.
What comes into view (a cut, motion outside all boxes) adds to the share at once.
"""

from __future__ import annotations

import math
import threading
from collections import deque

import numpy as np

from streamer.motion.motion_field import MotionField
from streamer.motion.unexplained_motion import UnexplainedMotion
from streamer.values.frame import Frame
from tracking.assignment import assign
from tracking.boxes import Array, overlapping_pairs
from tracking.types import Tracks

# Measured with benchmarks.shared_detector (docs/engineering/accuracy.md).
_SAME_IOU = 0.5
_MEMORY_S = 2.5
"""The rate is a mean over about this time: short, because a scene that was still may begin to move."""
_USUAL_RATE = 0.3
_USUAL_S = 0.5
"""The usual rate counts as much as results with an age of this in total."""
_LEAST_RATE = 0.1
"""Per second: something may appear in any scene."""
_MOST_WRONG = 0.95
_MOST_FRAMES = 600


class ExpectedGain:
    """The index of one stream, in seconds. It grows with time until the next result."""

    def __init__(self) -> None:
        self._motion = UnexplainedMotion()  # this and the next four: display thread only
        self._shown: deque[tuple[int, Array]] = deque(maxlen=_MOST_FRAMES)  # since the frame of the last result
        self._wrong = self._age_s = 0.0
        self._shot = 0  # index of its first frame
        self._lock = threading.Lock()
        self._count = 0  # boxes of the last result; written by the display thread only
        self._since_s: float | None = None  # capture of the last detected frame; of the first, if none is
        self._new = 1.0  # share of the screen that is probably wrong since something new has come into view
        self._rate = _LEAST_RATE + _USUAL_RATE

    def shown(self, frame: Frame, tracks: Tracks) -> None:
        """Display thread: these tracks are on screen from this frame on."""
        self._shown.append((frame.index, tracks.boxes[tracks.confirmed].astype(np.float64)))
        with self._lock:
            if self._since_s is None:
                self._since_s = frame.captured_s

    def moved(self, frame: Frame, field: MotionField | None) -> None:
        """Display thread: the picture moves to the frame that was shown last.

        Args:
            frame: that frame.
            field: the motion; None if a new shot begins with it, so that nothing on screen is right.
        """
        if field is None:
            self._motion.reset()
            self._shot, new = frame.index, 1.0
        else:
            new = self._motion.add(frame, self._shown[-1][1], field) / (self._count + 1)
        with self._lock:
            self._new = max(self._new, new)

    def detected(self, frame: Frame, found: Tracks) -> None:
        """Display thread: the tracks of a detected frame, as they would be shown on it without latency."""
        boxes = found.boxes[found.confirmed].astype(np.float64)
        while len(self._shown) > 1 and self._shown[1][0] <= frame.index:
            self._shown.popleft()
        age_s = 0.0 if self._since_s is None else frame.captured_s - self._since_s
        if age_s > 0 and self._shown and self._shown[0][0] <= frame.index:
            kept = math.exp(-age_s / _MEMORY_S)
            wrong = min(wrong_share(self._shown[0][1], boxes), _MOST_WRONG)
            self._wrong, self._age_s = kept * self._wrong - math.log(1 - wrong), kept * self._age_s + age_s
        self._motion.detected(frame.index)
        is_of_shot, new = frame.index >= self._shot, self._motion.objects / (len(boxes) + 1)
        rate = _LEAST_RATE + (self._wrong + _USUAL_RATE * _USUAL_S) / (self._age_s + _USUAL_S)
        with self._lock:
            self._since_s, self._count, self._rate = frame.captured_s, len(boxes), rate
            self._new = new if is_of_shot else 1.0

    def at(self, now_s: float) -> float:
        """The index at this time, on the clock of `Frame.captured_s`; at least 0."""
        with self._lock:
            age_s = 1.0 if self._since_s is None else max(now_s - self._since_s, 0.0)
            decayed = self._rate * age_s
            return (1 - (1 + decayed) * math.exp(-decayed)) / self._rate + self._new * age_s


def wrong_share(shown: Array, found: Array) -> float:
    """The share of boxes that have no counterpart, 0 to 1; 0 if there is none.

    Args:
        shown, found: float64 `(N, 4)` and `(M, 4)`, x0, y0, x1, y1 in pixels.
    """
    total = len(shown) + len(found)
    pairs = overlapping_pairs(shown, found[np.argsort(found[:, 0], kind="stable")], _SAME_IOU)
    right, _ = assign(pairs.rows, pairs.cols, pairs.iou)
    return (total - 2 * len(right)) / max(total, 1)

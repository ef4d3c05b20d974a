"""What the next detection of a live stream would probably improve on its screen."""

from __future__ import annotations

import math
import threading

import numpy as np

from streamer.motion.motion_field import MotionField
from streamer.values.frame import Frame
from tracking.types import Tracks

LAM0 = 0.3
PRIOR_S = 1.0     # weight of the prior: box seconds
MEMORY_S = 10.0
UNSEEN = 0.5
MEAN_S = 60.0
MODE = 'weight'
LAMMIN = 0.0

class ExpectedGain:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since_s: float | None = None
        self._count = 0.0
        self._wrong = 0.0
        self._exposed = 0.0
        self._mean = 1.0
        self._rate = LAM0

    def moved(self, frame: Frame, tracks: Tracks, field: MotionField | None) -> None:
        with self._lock:
            if self._since_s is None:
                self._since_s = frame.captured_s

    def result(self, frame: Frame, shown: Tracks | None, found: Tracks) -> None:
        with self._lock:
            before_s, self._since_s = self._since_s, frame.captured_s
            n = float(len(found))
            self._count = n
            if before_s is None or shown is None:
                return
            age_s = frame.captured_s - before_s
            if age_s <= 0:
                return
            keep = math.exp(-age_s / MEMORY_S)
            total = len(shown) + len(found)
            wrong = total - 2 * matched(shown.boxes, found.boxes)
            share = wrong / max(total, 1)
            self._wrong = keep * self._wrong - math.log(max(1 - share, .05))
            self._exposed = keep * self._exposed + age_s
            self._rate = LAMMIN + (self._wrong + LAM0 * PRIOR_S) / (self._exposed + PRIOR_S)

    def at(self, now_s: float) -> float:
        with self._lock:
            age_s = 1.0 if self._since_s is None else max(now_s - self._since_s, 0.0)
            x = self._rate * age_s
            w = (1 - (1 + x) * math.exp(-x)) / self._rate
            return w + 1e-6 * age_s


def matched(one, other) -> int:
    if not len(one) or not len(other):
        return 0
    a, b = one.astype(np.float64), other.astype(np.float64)
    shared = np.clip(np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2]), 0, None).prod(axis=2)
    area = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None] + (b[:, 2:] - b[:, :2]).prod(axis=1)[None] - shared
    over = shared >= 0.5 * np.maximum(area, 1e-9)
    return int(min(over.any(axis=0).sum(), over.any(axis=1).sum()))

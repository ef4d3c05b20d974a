"""When frames that arrive in bursts are shown: by their time stamps, a little after their arrival.

Cameras over Wi-Fi and some encoders send several frames at once and then nothing for as long. Shown on arrival, all but
the last frame of a burst are late. Delayed by as long as the first frame of a burst waited at the sender, they move as
they were filmed. Frames that arrive one by one get no delay. Owned by the capture thread; reads no clock but that of
the frames.
"""

from __future__ import annotations

import logging
from collections import deque

import numpy as np

from streamer.values.frame import Frame

log = logging.getLogger(__name__)

MOST_S = 1.0
"""The longest delay that is chosen: a second of frames in one burst."""
_WINDOW_S = 10.0
_MOST_FRAMES = 300  # of the window: ten seconds of most cameras
_LEAST_FRAMES = 8
_BURSTY_PERCENT = 60
"""So many of the frames must be late: a pause now and then is no burst. In bursts of two it is every other frame."""
_BURSTY_INTERVALS = 0.75
_COVERED_PERCENT = 98
_FALLS_BELOW = 0.7
"""The delay falls only where much less is needed: each change is a visible jump."""
_WARNING = "frames arrive in bursts (camera, network or a busy machine): they are shown up to %.2f s after they arrive"


class Playout:
    """The playout delay of a jitter buffer (name and purpose as in RFC 3550, A.8; the measure is its own).

    The transit time of a frame is its arrival minus its media time. The lateness of a frame is its transit time above
    the shortest one of the last 10 s.

    Args:
        jitter_s: the delay; measured if None.

    Attributes:
        delay_s: the delay in use, 0 without bursts.
    """

    def __init__(self, jitter_s: float | None = None) -> None:
        self.delay_s = jitter_s or 0.0
        self._fixed = jitter_s is not None
        self._transits_s: deque[tuple[float, float]] = deque(maxlen=_MOST_FRAMES)  # arrival, transit time
        self._segment = -1
        self._warned = False

    def due_s(self, frame: Frame) -> float:
        """When to show a frame, on the clock of `Frame.captured_s`; called in frame order."""
        if frame.segment != self._segment:
            self._segment = frame.segment
            self._transits_s.clear()
        transit_s = frame.captured_s - frame.time_s
        self._transits_s.append((frame.captured_s, transit_s))
        while self._transits_s[0][0] < frame.captured_s - _WINDOW_S:
            self._transits_s.popleft()
        transits_s = np.fromiter((transit for _, transit in self._transits_s), float, len(self._transits_s))
        shortest_s = float(transits_s.min())
        if not self._fixed:
            self._choose(transits_s - shortest_s)
        due_s = frame.time_s + shortest_s + self.delay_s
        return min(max(due_s, frame.captured_s), frame.captured_s + self.delay_s)

    def _choose(self, late_s: np.typing.NDArray[np.float64]) -> None:
        if len(late_s) < _LEAST_FRAMES:
            return
        first, last = self._transits_s[0], self._transits_s[-1]
        media_s = last[0] - last[1] - (first[0] - first[1])
        interval_s = media_s / (len(late_s) - 1)
        usual_s, covering_s = np.percentile(late_s, (_BURSTY_PERCENT, _COVERED_PERCENT), method="higher").tolist()
        bursty = usual_s >= _BURSTY_INTERVALS * interval_s
        needed_s = min(covering_s, MOST_S) if bursty else 0.0
        if needed_s > self.delay_s or needed_s < _FALLS_BELOW * self.delay_s:
            self.delay_s = needed_s
            if needed_s and not self._warned:
                self._warned = True
                log.warning(_WARNING, needed_s)


class RateMeter:
    """The recent rate of an event, from a running mean of the intervals. Used by one thread.

    Args:
        weight: of the newest interval in the running mean.
    """

    def __init__(self, weight: float = 0.05) -> None:
        self._weight = weight
        self._last_s: float | None = None
        self._interval_s = 0.0

    def tick(self, now_s: float) -> float:
        """The event happened; returns its rate per second, 0 the first time."""
        if self._last_s is not None:
            interval_s, mean_s = now_s - self._last_s, self._interval_s
            self._interval_s = mean_s + self._weight * (interval_s - mean_s) if mean_s else interval_s
        self._last_s = now_s
        return 1 / self._interval_s if self._interval_s > 0 else 0.0

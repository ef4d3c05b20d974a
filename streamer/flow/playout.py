"""When pictures that came together are shown: by their time stamps, a little later than they came.

Cameras over Wi-Fi and some encoders send several pictures at once and then nothing for as long. Shown as they come, all
but the last of a burst are late; held back for as long as the first of a burst waited at the sender, they move as they
were filmed. A camera whose pictures come one by one is shown without a delay. Owned by whoever puts frames into a
route; looks at no clock but that of the frames.
"""

from __future__ import annotations

import logging
from collections import deque

import numpy as np

from streamer.values.frame import Frame

log = logging.getLogger(__name__)

MOST_S = 1.0
"""The longest delay that is chosen: a second of pictures in one burst."""
_WINDOW_S = 10.0
_MOST_FRAMES = 300  # of the window: ten seconds of most cameras
_LEAST_FRAMES = 8
_BURSTY_PERCENT = 60
"""So many of the pictures must be late for it: a pause now and then is no burst. In bursts of two it is every other."""
_BURSTY_INTERVALS = 0.75
_COVERED_PERCENT = 98
_FALLS_BELOW = 0.7
"""The delay falls only where much less is needed: each change is a jump that can be seen."""
_SAID = "pictures come in bursts (camera, network or a busy machine): they are shown up to %.2f s after they came"


class Playout:
    """The jitter buffer's rule (as of RFC 3550, A.8, the name and the purpose; the measure is its own).

    How late a picture is counts from the one of the last 10 s that took the shortest way: arrival minus media time.

    Args:
        jitter_s: the delay; measured if None.

    Attributes:
        delay_s: in use at the moment, 0 without bursts.
    """

    def __init__(self, jitter_s: float | None = None) -> None:
        self.delay_s = jitter_s or 0.0
        self._fixed = jitter_s is not None
        self._ways_s: deque[tuple[float, float]] = deque(maxlen=_MOST_FRAMES)  # arrival, arrival minus media time
        self._segment = -1
        self._said = False

    def due_s(self, frame: Frame) -> float:
        """When to show a frame, on the clock of `Frame.captured_s`; frames are given in their order."""
        if frame.segment != self._segment:
            self._segment = frame.segment
            self._ways_s.clear()
        way_s = frame.captured_s - frame.time_s
        self._ways_s.append((frame.captured_s, way_s))
        while self._ways_s[0][0] < frame.captured_s - _WINDOW_S:
            self._ways_s.popleft()
        ways_s = np.fromiter((way for _, way in self._ways_s), float, len(self._ways_s))
        shortest_s = float(ways_s.min())
        if not self._fixed:
            self._choose(ways_s - shortest_s)
        due_s = frame.time_s + shortest_s + self.delay_s
        return min(max(due_s, frame.captured_s), frame.captured_s + self.delay_s)

    def _choose(self, late_s: np.typing.NDArray[np.float64]) -> None:
        if len(late_s) < _LEAST_FRAMES:
            return
        lasts_s = self._ways_s[-1][0] - self._ways_s[-1][1] - (self._ways_s[0][0] - self._ways_s[0][1])
        interval_s = lasts_s / (len(late_s) - 1)
        usual_s, covering_s = np.percentile(late_s, (_BURSTY_PERCENT, _COVERED_PERCENT), method="higher").tolist()
        bursty = usual_s >= _BURSTY_INTERVALS * interval_s
        needed_s = min(covering_s, MOST_S) if bursty else 0.0
        if needed_s > self.delay_s or needed_s < _FALLS_BELOW * self.delay_s:
            self.delay_s = needed_s
            if needed_s and not self._said:
                self._said = True
                log.warning(_SAID, needed_s)

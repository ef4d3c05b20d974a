"""Leaves frames out, so that viewers get no more than a number per second.

The MJPEG output and the live video of the page use it, on the thread that hands frames to them.
"""

from __future__ import annotations

_EARLY = 0.25


class RateLimit:
    """Chooses frames so that no more than a number per second remain, at distances that are as equal as can be.

    Of 25 frames per second, a limit of 10 takes the first and the third of each five. Frames that come up to a quarter
    of an interval early are in time, because those of a camera do not come at equal distances.

    Args:
        max_fps: the number, positive; None for all frames.
    """

    def __init__(self, max_fps: float | None) -> None:
        self._interval_s = 0.0 if max_fps is None else 1 / max_fps
        self._due_s = 0.0

    def takes(self, at_s: float) -> bool:
        """Whether the frame of this time is one of those that remain.

        A frame after a pause remains, and the next ones are counted from it.

        Args:
            at_s: monotonic, seconds; not before that of the last call.
        """
        if not self._interval_s:
            return True

        if at_s < self._due_s - self._interval_s * _EARLY:
            return False

        # Counted from the due time, unless that is long ago; else only whole fractions of the source's rate were
        # possible.
        late = at_s - self._due_s >= self._interval_s
        self._due_s = (at_s if late else self._due_s) + self._interval_s
        return True

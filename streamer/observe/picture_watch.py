"""Notices a camera whose picture is black or frozen while frames arrive. Owned by the capture thread.

Once a second it looks at every fourth row of the luma, 0.2 to 0.9 ms at 1920x1080.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from streamer.motion.thumbnail import Grey, luma_of
from streamer.values.frame import Frame

_EVERY_S = 1.0
_PAUSE_S = 30.0
"""After so long without frames, watching starts again."""
BLACK_S = 10.0
FROZEN_S = 60.0
_DARK, _BRIGHT_SHARE = 40, 0.002
"""Fewer pixels of a black picture are brighter, in 0 to 255: black is 16 in most video, sensors have noise, and many
cameras write the time into the picture, about 0.15% of its pixels."""
_REMEMBERED = 4
"""More would take a clip that a test server plays in a loop for a frozen picture."""
_EVERY_ROW = 4


@dataclass(slots=True)
class _Condition:
    """Something that is reported once it has lasted, and again when it is over.

    Attributes:
        after_s: how long it lasts before it is reported.
        since_s: when it began; None if it does not hold.
        is_reported: whether it holds and has been reported.
    """

    after_s: float
    since_s: float | None = None
    is_reported: bool = False


@dataclass(frozen=True, slots=True)
class PictureChange:
    """What became of the picture.

    Attributes:
        cause: `black` or `frozen`.
        is_over: the picture is as it should be again.
        lasted_s: how long it has been black or frozen.
    """

    cause: str
    is_over: bool
    lasted_s: float


class PictureWatch:
    """Tells when the picture of a live source becomes black or frozen, and when it is back.

    A picture is frozen if for `FROZEN_S` none was different from the last few before it. The encoder of a frozen camera
    repeats a few pictures, as keyframes differ from the frames after them. A working camera, also one that looks at a
    wall, never repeats the noise of its sensor, and its encoder sends a keyframe in that time. A black picture does not
    count as frozen.
    """

    def __init__(self) -> None:
        self._conditions = {"black": _Condition(BLACK_S), "frozen": _Condition(FROZEN_S)}
        self._seen: OrderedDict[int, None] = OrderedDict()  # checksums of the last pictures
        self._next_s = 0.0
        self._last_s: float | None = None

    def add(self, frame: Frame) -> list[PictureChange]:
        """Look at a frame that was captured at `captured_s`; returns what has changed."""
        now_s = frame.captured_s
        if now_s < self._next_s:
            return []
        if self._last_s is not None and now_s - self._last_s > _PAUSE_S:
            self._forget()
        self._next_s, self._last_s = now_s + _EVERY_S, now_s
        rows = np.ascontiguousarray(luma_of(frame.picture)[::_EVERY_ROW])
        is_black = _is_black(rows)
        holds = {"black": is_black, "frozen": not self._is_new(rows) and not is_black}
        changes = [self._update(cause, holds[cause], now_s) for cause in holds]
        return [change for change in changes if change is not None]

    def _update(self, cause: str, holds: bool, now_s: float) -> PictureChange | None:
        condition = self._conditions[cause]
        if holds:
            if condition.since_s is None:
                condition.since_s = now_s
            lasted_s = now_s - condition.since_s
            if condition.is_reported or lasted_s < condition.after_s:
                return None
            condition.is_reported = True
            return PictureChange(cause, False, lasted_s)
        since_s, condition.since_s = condition.since_s, None
        was_reported, condition.is_reported = condition.is_reported, False
        return PictureChange(cause, True, now_s - since_s) if was_reported and since_s is not None else None

    def _forget(self) -> None:
        self._seen.clear()
        for condition in self._conditions.values():
            if not condition.is_reported:
                condition.since_s = None

    def _is_new(self, rows: Grey) -> bool:
        checksum = zlib.crc32(rows.data)
        is_new = checksum not in self._seen
        self._seen[checksum] = None
        self._seen.move_to_end(checksum)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return is_new


def _is_black(rows: Grey) -> bool:
    return int(np.count_nonzero(rows > _DARK)) < _BRIGHT_SHARE * rows.size

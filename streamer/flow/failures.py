"""Frames that the detector failed on: each is said, and three in a row end the run. Owned by the main thread, where the
order of the frames is known although several detectors work side by side.
"""

from __future__ import annotations

import logging

from streamer.errors import DetectorError
from streamer.values.frame import Frame

log = logging.getLogger(__name__)

IN_A_ROW = 3
_SAID_IN_FULL = 5


class DetectorFailures:
    """Counts the frames that were lost to the detector.

    Args:
        in_a_row: so many, of those that the detector was to look at, are one too many.
    """

    def __init__(self, in_a_row: int = IN_A_ROW) -> None:
        self._in_a_row = in_a_row
        self._row: list[DetectorError] = []
        self._count = 0

    def take(self, frame: Frame, error: DetectorError | None) -> None:
        """The next frame that the detector was to look at, and how it failed; None if it did not."""
        if error is None:
            self._row.clear()
            return
        self._row.append(error)
        self._count += 1
        self._say(frame, error)

    @property
    def fatal(self) -> DetectorError | None:
        """The error that began a row that is too long; None as long as the run can go on."""
        return self._row[0] if len(self._row) >= self._in_a_row else None

    def _say(self, frame: Frame, error: DetectorError) -> None:
        """A line each for the first few, then for the 10th, the 100th, ...: a camera may run for weeks."""
        if self._count > _SAID_IN_FULL and self._count != 10 ** (len(str(self._count)) - 1):
            return
        reason = str(error).partition("\n")[0]
        so_far = f" ({self._count} so far; not every one is said)" if self._count >= _SAID_IN_FULL else ""
        log.warning("frame %d (%.3f s) is lost to detection: %s%s", frame.index, frame.time_s, reason, so_far)

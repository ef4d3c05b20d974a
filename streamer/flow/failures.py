"""Frames on which the detector failed: each failure is logged, and three in a row end the run.

Used by the display thread, where frames are in order although several detectors run in parallel.
"""

from __future__ import annotations

import logging

from streamer.errors import DetectorError, InvalidOutput, ModelError, StreamerError
from streamer.values.delivery import Detected

log = logging.getLogger(__name__)

IN_A_ROW = 3
_LOGGED_IN_FULL = 5


class DetectorFailures:
    """Counts failed detections.

    Args:
        in_a_row: so many consecutive failures end the run.
    """

    def __init__(self, in_a_row: int = IN_A_ROW) -> None:
        self._in_a_row = in_a_row
        self._row: list[DetectorError] = []
        self._count = 0
        self._has_worked = False

    def add(self, result: Detected) -> None:
        """The next result, in frame order."""
        if result.error is None:
            self._row.clear()
            self._has_worked = True
            return
        self._row.append(result.error)
        self._count += 1
        self._log(result, result.error)

    @property
    def fatal(self) -> StreamerError | None:
        """The first error of a row that is too long; None while the run can continue.

        It is a `ModelError` if the model has given invalid outputs only: then the model is at fault, not this run.
        """
        if len(self._row) < self._in_a_row:
            return None
        first = self._row[0]
        return ModelError(str(first)) if isinstance(first, InvalidOutput) and not self._has_worked else first

    def _log(self, result: Detected, error: DetectorError) -> None:
        """One line each for the first failures, then for the 10th, the 100th, ...: a camera may run for weeks."""
        if self._count > _LOGGED_IN_FULL and self._count != 10 ** (len(str(self._count)) - 1):
            return
        frame, reason = result.frame, str(error).partition("\n")[0]
        so_far = f" ({self._count} so far; not every failure is logged)" if self._count >= _LOGGED_IN_FULL else ""
        log.warning("frame %d (%.3f s) is lost to detection: %s%s", frame.index, frame.time_s, reason, so_far)

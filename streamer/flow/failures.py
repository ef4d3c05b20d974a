"""Frames on which the detector failed: each failure is logged, and three in a row end the run.

A detector on another machine may be unreachable for a while. That does not end a live run: its frames are lost until
the server answers again. Used by the display thread, where frames are in order although several detectors run in
parallel.
"""

from __future__ import annotations

import logging

from streamer.errors import DetectorError, DetectorUnreachable, InvalidOutput, ModelError, StreamerError
from streamer.values.delivery import Detected

log = logging.getLogger(__name__)

IN_A_ROW = 3
_LOGGED_IN_FULL = 5


class DetectorFailures:
    """Counts failed detections.

    Args:
        live: the run is live, so an unreachable detector does not end it.
        in_a_row: so many consecutive failures end the run.
    """

    def __init__(self, *, live: bool = False, in_a_row: int = IN_A_ROW) -> None:
        self._outages = _Outages() if live else None
        self._in_a_row = in_a_row
        self._row: list[DetectorError] = []
        self._count = 0
        self._has_worked = False

    def add(self, result: Detected) -> None:
        """The next result, in frame order."""
        error = result.error
        if self._outages is not None:
            self._outages.add(result)
            if isinstance(error, DetectorUnreachable):
                return
        if error is None:
            self._row.clear()
            self._has_worked = True
            return
        self._row.append(error)
        self._count += 1
        if _is_logged(self._count):
            more = f" ({self._count} so far; not every failure is logged)" if self._count >= _LOGGED_IN_FULL else ""
            log.warning("%s%s", _lost(result, error), more)

    @property
    def fatal(self) -> StreamerError | None:
        """The first error of a row that is too long; None while the run can continue.

        It is a `ModelError` if the model has given invalid outputs only: then the model is at fault, not this run.
        """
        if len(self._row) < self._in_a_row:
            return None
        first = self._row[0]
        return ModelError(str(first)) if isinstance(first, InvalidOutput) and not self._has_worked else first


class _Outages:
    """Logs when the detector becomes unreachable, and when it is back."""

    def __init__(self) -> None:
        self._count = 0
        self._frames = 0  # lost in this outage
        self._began_s = 0.0

    def add(self, result: Detected) -> None:
        """The next result."""
        if isinstance(result.error, DetectorUnreachable):
            self._frames += 1
            if self._frames == 1:
                self._count += 1
                self._began_s = result.done_s
                if _is_logged(self._count):
                    log.warning("%s; frames are lost until it answers", _lost(result, result.error))
        elif self._frames:
            if _is_logged(self._count):
                log.warning(
                    "the detector answers again after %.1f s; %d frame%s lost",
                    result.done_s - self._began_s,
                    self._frames,
                    " was" if self._frames == 1 else "s were",
                )
            self._frames = 0


def _is_logged(count: int) -> bool:
    """Whether to log a failure: the first ones, then the 10th, the 100th, ...: a camera may run for weeks."""
    return count <= _LOGGED_IN_FULL or count == 10 ** (len(str(count)) - 1)


def _lost(result: Detected, error: DetectorError) -> str:
    frame, reason = result.frame, str(error).partition("\n")[0]
    return f"frame {frame.index} ({frame.time_s:.3f} s) is lost to detection: {reason}"

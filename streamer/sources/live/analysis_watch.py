"""Reports when no frame of a live source reaches the detector, and why.

The detector gets no damaged frames (`streamer.sources.damage.loss`). If all frames are damaged, the video is shown but
nothing is detected. This is logged once, again when the reason changes, and when it ends. Owned by the capture thread.
The caller passes all times; no clock is read here.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

log = logging.getLogger(__name__)

REPORT_AFTER_S = 10.0
"""Longer than the keyframe interval of nearly all cameras: after one lost packet, frames are damaged for as long."""
COUNT = "not analysed"
"""The name of the counter, by cause."""


class AnalysisWatch:
    """Follows the frames of one source.

    Args:
        name: of the source, without credentials.
        count: called for each report, with `COUNT` and the cause.
        report: gets the log lines.
    """

    def __init__(
        self, name: str, count: Callable[[str, str], None], report: Callable[[str], None] = log.warning
    ) -> None:
        self._name = name
        self._count = count
        self._report = report
        self._intact_s: float | None = None  # time of the last intact frame; before it, of the first damaged one
        self._window_s = 0.0  # start of the tallies
        self._damaged: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._details: dict[str, str] = {}  # the last one of each cause
        self._reported = ""  # the cause that was reported last; "" while frames are analysed

    def connected(self) -> None:
        """Start a new connection. The time without a connection does not count."""
        if not self._reported:
            self._intact_s = None

    def add_frame(self, at_s: float, cause: str, detail: str = "") -> None:
        """Note a frame.

        Args:
            at_s: time of arrival on the monotonic clock.
            cause: why the detector does not get it; "" if it does.
            detail: FFmpeg's message.
        """
        if cause:
            self._add(at_s, self._damaged, cause, 1, detail)
            return
        if self._reported and self._intact_s is not None:
            self._report(f"{self._name}: frames are analysed again after {at_s - self._intact_s:.0f} s")
        self._reported = ""
        self._intact_s = at_s
        self._clear(at_s)

    def add_lost(self, at_s: float, cause: str, frames: int, detail: str = "") -> None:
        """Note frames that could not be decoded; arguments as for `add_frame`."""
        self._add(at_s, self._lost, cause, frames, detail)

    def _add(self, at_s: float, tally: Counter[str], cause: str, frames: int, detail: str) -> None:
        if self._intact_s is None:
            self._intact_s = at_s
            self._clear(at_s)
        tally[cause] += frames
        if detail:
            self._details[cause] = detail
        if at_s - self._window_s >= REPORT_AFTER_S:
            self._report_cause(at_s)
            self._clear(at_s)

    def _report_cause(self, at_s: float) -> None:
        cause = (self._damaged + self._lost).most_common(1)[0][0]
        if cause == self._reported:
            return
        assert self._intact_s is not None
        self._reported = cause
        self._count(COUNT, cause)
        reasons = [*self._reasons(self._damaged, "damaged"), *self._reasons(self._lost, "lost")]
        waited = f"no frame could be analysed for {at_s - self._intact_s:.0f} s"
        self._report(f"{self._name}: {waited}: {', '.join(reasons)}")

    def _reasons(self, tally: Counter[str], kind: str) -> list[str]:
        return [
            f"{number} {kind} ({cause}{': ' * bool(self._details.get(cause))}{self._details.get(cause, '')})"
            for cause, number in tally.most_common()
        ]

    def _clear(self, at_s: float) -> None:
        self._window_s = at_s
        self._damaged.clear()
        self._lost.clear()
        self._details.clear()

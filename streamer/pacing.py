"""Which frame meets which detections. Owned by the main thread.

`Lockstep` is the rule for files: every frame is shown, every N-th is detected, and those between wait for the next
detection so that their boxes come from both sides. A frame that the detector failed on is one of those between. Without
a clock, so that a run is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streamer.frame import Frame
from streamer.overlay.interpolation import interpolate
from tracking.types import Detections, Tracker, Tracks


@dataclass(frozen=True, slots=True, eq=False)
class Paced:
    """A frame that is ready to be shown.

    Attributes:
        frame: the frame.
        tracks: the tracks at its time, confirmed or not.
        state: its state in the ledger: `detected`, `interpolated`, `predicted` or `lost`.
        detections: the detector's own, None where it did not look or failed.
        cause: why it is `lost`.
    """

    frame: Frame
    tracks: Tracks
    state: str
    detections: Detections | None = None
    cause: str = ""


class Lockstep:
    """Every frame is shown, every `every`-th is detected.

    Args:
        tracker: gives the boxes their identity; owned by this from now on.
        every: 1 = each frame. At most `every - 1` frames wait here, and `every` more for each one in a row that the
            detector failed on.
    """

    def __init__(self, tracker: Tracker, every: int = 1) -> None:
        if every < 1:
            raise ValueError("detect every frame (1) or every N-th (N)")
        self._tracker = tracker
        self._every = every
        self._waiting: list[tuple[Frame, str]] = []  # with the cause where the detector failed
        self._last: Paced | None = None

    def wants_detection(self, index: int) -> bool:
        """Whether the detector should look at frame `index`. Called by the capture thread; touches no state."""
        return index % self._every == 0

    def take(self, frame: Frame, detections: Detections | None, lost: str = "") -> Iterator[Paced]:
        """The next frame in order, with its detections if it was looked at; yields what can now be shown.

        Args:
            frame: the frame.
            detections: None if the detector did not look, or failed.
            lost: the cause if it failed.
        """
        if self._last is not None and frame.segment != self._last.frame.segment:
            yield from self.flush()
            self._tracker.reset()
            self._last = None
        if detections is None:
            self._waiting.append((frame, lost))
            return
        tracks = self._tracker.update(detections, frame.time_s)
        now = Paced(frame, tracks, "detected", detections)
        yield from self._between(now)
        self._last = now
        yield now

    def flush(self) -> Iterator[Paced]:
        """The frames after the last detection: nothing comes behind them, so their boxes are predicted."""
        for frame, lost in self._waiting:
            yield _undetected(frame, self._tracker.predict(frame.time_s), "predicted", lost)
        self._waiting.clear()

    def _between(self, after: Paced) -> Iterator[Paced]:
        before = self._last
        for frame, lost in self._waiting:
            if before is None:  # the first detection of a segment comes later: nothing is known yet
                yield _undetected(frame, Tracks.empty(), "predicted", lost)
                continue
            span_s = after.frame.time_s - before.frame.time_s
            fraction = (frame.time_s - before.frame.time_s) / span_s if span_s > 0 else 0.0
            tracks = interpolate(before.tracks, after.tracks, min(1.0, max(0.0, fraction)))
            yield _undetected(frame, tracks, "interpolated", lost)
        self._waiting.clear()


def _undetected(frame: Frame, tracks: Tracks, state: str, lost: str) -> Paced:
    return Paced(frame, tracks, "lost" if lost else state, cause=lost)

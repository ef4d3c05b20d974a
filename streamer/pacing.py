"""Which frame meets which detections. Owned by the main thread.

`Lockstep` is the rule for files: every frame is shown, every N-th is detected, and those between wait for the next
detection so that their boxes come from both sides. A frame that the detector failed on is one of those between.
`Live` is the rule for live sources: frames are shown as they come, with boxes carried to them from the last detection,
or as soon as a detector is done with them. Neither looks at a clock, so that the same frames and detections give the
same boxes on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

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


class Pacing(Protocol):
    """The rule for a run."""

    def take(
        self, frame: Frame, detections: Detections | None, lost: str = "", *, looked: bool = True
    ) -> Iterator[Paced]:
        """What can be shown now that this is known of a frame.

        Args:
            frame: the frame.
            detections: None if no detector looked, or it failed.
            lost: the cause if it failed.
            looked: a detector had the frame, successfully or not.
        """
        ...

    def flush(self) -> Iterator[Paced]:
        """What is left when no more detections come."""
        ...


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

    def take(
        self,
        frame: Frame,
        detections: Detections | None,
        lost: str = "",
        *,
        looked: bool = True,  # noqa: ARG002
    ) -> Iterator[Paced]:
        """The next frame in order, with its detections if it was looked at; yields what can now be shown."""
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


class Live:
    """Frames are shown as they come, or as a detector is done with them; nothing waits.

    Args:
        tracker: gives the boxes their identity and carries them; owned by this from now on.
        every_frame: `overlay: now`, each frame is shown with the boxes of the last detection carried to it; otherwise
            `overlay: detected`, only frames that a detector had are shown.
    """

    def __init__(self, tracker: Tracker, *, every_frame: bool) -> None:
        self._tracker = tracker
        self._every_frame = every_frame
        self._segment = -1
        self._looked_at = -1  # the last frame that a detector was done with

    def take(
        self, frame: Frame, detections: Detections | None, lost: str = "", *, looked: bool = True
    ) -> Iterator[Paced]:
        """A frame that came, or one that a detector is done with."""
        if looked:
            if frame.index < self._looked_at:
                return  # another detector overtook this one, and what came later is known
            self._looked_at = frame.index
        if frame.segment > self._segment:
            self._tracker.reset()
            self._segment = frame.segment
        if detections is None:
            if not (looked and self._every_frame):  # else it was shown when it came
                # A quick detector may be in the next segment before the last frame of this one is shown.
                known = frame.segment == self._segment
                tracks = self._tracker.predict(frame.time_s) if known else Tracks.empty()
                yield _undetected(frame, tracks, "predicted", lost)
        elif frame.segment == self._segment:  # else they are of a stream that is gone
            tracks = self._tracker.update(detections, frame.time_s)
            if not self._every_frame:
                yield Paced(frame, tracks, "detected", detections)

    def flush(self) -> Iterator[Paced]:
        """Nothing waits here."""
        return iter(())


def _undetected(frame: Frame, tracks: Tracks, state: str, lost: str) -> Paced:
    return Paced(frame, tracks, "lost" if lost else state, cause=lost)

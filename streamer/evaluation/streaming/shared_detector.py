"""Streams that share one detector, on one simulated clock, and what is on their screens.

A frame arrives at its media time. The detector takes one frame at a time. Of each stream at most one frame waits, and
the newest wins; a policy decides whose frame is next, as in `streamer.inference.pool`. Nothing depends on the speed of
the machine, so every run of the same input gives the same boxes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np

from streamer.evaluation.streaming.simulation import scaled
from streamer.flow.routes import never
from streamer.inference.policy import Policy
from streamer.inference.turn_record import TurnRecord
from streamer.interfaces import Detector, Source
from streamer.motion.expected_gain import ExpectedGain
from streamer.presentation.delayed import ShowDelayed
from streamer.presentation.frame_path import live_presentation
from streamer.presentation.presentation import Presented
from streamer.values.delivery import Arrived, Delivery, Detected, DisplayDue
from streamer.values.frame import Frame
from streamer.values.states import Overlay
from tracking.types import Tracker, Tracks

_SAME_S = 1e-6
"""Media times are rounded: times that are closer than this are the same."""


class SimulatedStream:
    """One stream: the frame that waits for the detector, and what is on the screen.

    Args:
        record: of its turns.
        source: entered by the caller.
        detector: detects its frames; the time that this takes is not counted.
        tracker: owned by this object from now on.
        overlay: what is shown.
        size: width and height in pixels of the returned boxes.

    Attributes:
        shown: the tracks on screen when each frame arrives, by its index; with `delayed`, those on the frame itself.
        longest_wait_s: the longest time from the beginning of one turn to that of the next, or to the last frame.
    """

    def __init__(
        self,
        record: TurnRecord,
        source: Source,
        detector: Detector,
        tracker: Tracker,
        overlay: Overlay,
        size: tuple[int, int],
    ) -> None:
        self.record = record
        self.gain = ExpectedGain()
        self.shown: dict[int, Tracks] = {}
        self._frames = iter(source)
        self._detector = detector
        self._presentation = live_presentation(tracker, overlay, None, self.gain)
        self._overlay = overlay
        self._share = np.array(size) / (source.info.width, source.info.height)
        self._next = next(self._frames, None)
        self._newest = self._next
        self._waiting: Frame | None = None
        self._on_screen = Tracks.empty()

    @property
    def waits(self) -> bool:
        """Whether a frame waits for the detector."""
        return self._waiting is not None

    @property
    def next_s(self) -> float:
        """When the next frame arrives; infinite at the end."""
        return math.inf if self._next is None else self._next.time_s

    @property
    def due_s(self) -> float:
        """When a frame that was held back is shown; infinite for never."""
        return self._presentation.next_due_s() if isinstance(self._presentation, ShowDelayed) else never()

    @property
    def longest_wait_s(self) -> float:
        now_s = 0.0 if self._newest is None else self._newest.time_s
        return max(self.record.longest_wait_s, self.record.age_s(now_s))

    def arrive(self) -> None:
        """The next frame arrives and waits for the detector."""
        frame = self._next
        assert frame is not None
        self._newest = self._waiting = dataclasses.replace(frame, captured_s=frame.time_s)
        self._next = next(self._frames, None)
        self.record.wait(frame.time_s)

    def take(self) -> Frame:
        """The frame that waits, for the detector."""
        frame, self._waiting = self._waiting, None
        assert frame is not None
        return frame

    def show_newest(self) -> None:
        """The newest frame is displayed, or held back."""
        assert self._newest is not None
        self._deliver(Arrived(self._newest))
        if self._overlay is Overlay.DETECTED:
            self.shown[self._newest.index] = self._on_screen

    def show_due(self) -> None:
        """A frame that was held back is displayed."""
        self._deliver(DisplayDue(self.due_s))

    def detected(self, frame: Frame, began_s: float, done_s: float) -> None:
        """The detector is done with a frame."""
        found = self._detector.detect(frame)
        self._deliver(Detected(frame, found, detect_s=done_s - began_s, done_s=done_s))

    def finish(self) -> None:
        """Show all frames that are held back."""
        self._show(self._presentation.flush())

    def _deliver(self, delivery: Delivery) -> None:
        self._show(self._presentation.take(delivery))

    def _show(self, ready: Iterable[Presented]) -> None:
        for presented in ready:
            confirmed = presented.tracks.select(presented.tracks.confirmed)
            self._on_screen = scaled(confirmed, self._share)
            if self._overlay is not Overlay.DETECTED:
                self.shown[presented.frame.index] = self._on_screen


class SharedRun:
    """Runs streams with one detector.

    Args:
        streams: with different numbers.
        policy: decides whose frame is next.
        latency_s: how long each detection takes.
        max_age_s: the longest time between two turns of a stream that the policy may allow.
    """

    def __init__(
        self, streams: Sequence[SimulatedStream], policy: Policy, *, latency_s: float, max_age_s: float
    ) -> None:
        self._streams = {stream.record.stream: stream for stream in streams}
        self._policy = policy
        self._latency_s = latency_s
        self._max_age_s = max_age_s
        self._turn: _Turn | None = None

    def run(self) -> None:
        """Run all streams to their end."""
        streams = self._streams.values()
        while (next_s := self._next_s()) < math.inf:
            held = min(streams, key=lambda stream: stream.due_s)
            if held.due_s < next_s - _SAME_S:
                held.show_due()
                continue
            self._end_turn(next_s)
            arrived = [stream for stream in streams if stream.next_s <= next_s + _SAME_S]
            for stream in arrived:
                stream.arrive()
            self._begin_turn(next_s)
            for stream in arrived:
                stream.show_newest()
        for stream in streams:
            stream.finish()

    def _next_s(self) -> float:
        """When something happens next; infinite at the end."""
        arrival_s = min(stream.next_s for stream in self._streams.values())
        return arrival_s if self._turn is None else min(arrival_s, self._turn.done_s)

    def _begin_turn(self, now_s: float) -> None:
        """Give the detector to a stream whose frame waits, if it is free."""
        waiting = [stream for stream in self._streams.values() if stream.waits]
        while self._turn is None and waiting:
            candidates = [
                one.record.candidate(now_s, one.gain.at(now_s), self._latency_s, self._max_age_s) for one in waiting
            ]
            stream = self._streams[self._policy.choose(candidates, 1).stream]
            stream.record.begin(now_s)
            waiting.remove(stream)
            self._turn = _Turn(stream, stream.take(), now_s, now_s + self._latency_s)
            self._end_turn(now_s)  # without latency, the result precedes its own frame

    def _end_turn(self, now_s: float) -> None:
        """Deliver the result, if the detector is done."""
        if self._turn is not None and self._turn.done_s <= now_s + _SAME_S:
            turn, self._turn = self._turn, None
            turn.stream.detected(turn.frame, turn.began_s, turn.done_s)


@dataclasses.dataclass(frozen=True, slots=True)
class _Turn:
    """The detector works on a frame of a stream from `began_s` to `done_s`."""

    stream: SimulatedStream
    frame: Frame
    began_s: float
    done_s: float

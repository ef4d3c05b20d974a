"""The frame ledger: every frame that enters a run reaches exactly one final state. Thread-safe."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence

from streamer.flow.observers import RunObserver
from streamer.interfaces import Damage
from streamer.system.suggestions import counted
from streamer.values.states import FrameState

log = logging.getLogger(__name__)


class FrameLedger:
    """Counts frames by final state and cause. A frame without a final state is in flight.

    LOST, DROPPED and CORRUPT frames have a cause.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entered = 0
        self._settled: Counter[tuple[FrameState, str]] = Counter()
        self._observers: tuple[RunObserver, ...] = ()

    def observe(self, observers: Sequence[RunObserver]) -> None:
        """Before the first frame: notify these observers of every entry."""
        self._observers = tuple(observers)

    @property
    def entered(self) -> int:
        """Frames that entered, decodable or not."""
        return self.snapshot()[0]

    def enter(self, frames: int = 1) -> None:
        """Frames entered the run."""
        with self._lock:
            self._entered += frames
        for observer in self._observers:
            observer.frames_entered(frames)

    def settle(self, state: FrameState, cause: str = "", frames: int = 1) -> None:
        """Frames reached their final state.

        Raises:
            ValueError: fewer frames are in flight.
        """
        with self._lock:
            in_flight = self._entered - self._settled.total()
            if frames > in_flight:
                raise ValueError(f"{frames} frames settled as {state} but only {in_flight} are in flight")
            self._settled[state, cause] += frames
        self._notify(state, cause, frames)

    def add_damage(self, damage: Damage, *, warns: bool) -> None:
        """Frames were lost before the route: they enter and are settled. `warns`: this is logged."""
        self.enter(damage.frames)
        self.settle(damage.state, damage.cause, damage.frames)
        if warns:
            detail = damage.detail and f" ({damage.detail})"
            log.warning("%s lost: %s%s", counted(damage.frames, "frame"), damage.cause, detail)

    def settle_rest(self, state: FrameState, cause: str) -> None:
        """The run ended: settle all frames in flight."""
        with self._lock:
            rest = self._entered - self._settled.total()
            if rest:
                self._settled[state, cause] += rest
        if rest:
            self._notify(state, cause, rest)

    def _notify(self, state: FrameState, cause: str, frames: int) -> None:
        for observer in self._observers:
            observer.frames_settled(state, cause, frames)

    def snapshot(self) -> tuple[int, dict[tuple[FrameState, str], int]]:
        """Frames that entered, and frames by `(state, cause)`, at one moment."""
        with self._lock:
            return self._entered, dict(self._settled)

    @property
    def in_flight(self) -> int:
        """Frames without a final state."""
        entered, settled = self.snapshot()
        return entered - sum(settled.values())

    def count(self, state: FrameState) -> int:
        """Frames in a state, of any cause."""
        return sum(n for (name, _), n in self.snapshot()[1].items() if name == state)

    def causes(self, state: FrameState) -> dict[str, int]:
        """Frames in a state, by cause."""
        return {cause: n for (name, cause), n in sorted(self.snapshot()[1].items()) if name == state}

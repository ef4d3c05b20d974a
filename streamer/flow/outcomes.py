"""The final state of each frame of a live source: what the frame ledger records, and when."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.flow.frame_ledger import FrameLedger
from streamer.values.delivery import Detected
from streamer.values.frame import Frame
from streamer.values.states import DropCause, FrameState


@dataclass(slots=True)
class _Pending:
    """A frame without a final state."""

    may_be_shown: bool
    may_be_detected: bool
    drop_cause: DropCause
    shown_as: FrameState | None = None


class FrameOutcomes:
    """Settles each frame once, as soon as its final state is known. Owned by a route, which serializes the calls.

    A detector result settles a frame at once, as detected or lost. Any other frame is settled when it can be neither
    shown nor detected any more: as corrupt if it is damaged, else as it was shown, else as dropped.

    Args:
        ledger: where frames are settled; the route enters them.
    """

    def __init__(self, ledger: FrameLedger) -> None:
        self._ledger = ledger
        self._pending: dict[int, _Pending] = {}

    def add(self, frame: Frame, *, may_be_shown: bool, may_be_detected: bool, drop_cause: DropCause) -> None:
        """A frame arrived; `drop_cause` is recorded if nothing becomes of it."""
        self._pending[frame.index] = _Pending(may_be_shown, may_be_detected, drop_cause)
        self._settle(frame)

    def shown(self, frame: Frame, state: FrameState) -> None:
        """The frame was shown."""
        if frame.index in self._pending:
            self._pending[frame.index].shown_as = state
        self.not_shown(frame)

    def not_shown(self, frame: Frame) -> None:
        """The frame will not be shown (again)."""
        if frame.index in self._pending:
            self._pending[frame.index].may_be_shown = False
            self._settle(frame)

    def not_detected(self, frame: Frame) -> None:
        """No detector will get the frame: a newer one took its place."""
        if frame.index in self._pending:
            self._pending[frame.index].may_be_detected = False
            self._settle(frame)

    def detected(self, result: Detected) -> None:
        """A detector is done with the frame."""
        if self._pending.pop(result.frame.index, None) is not None:
            state = FrameState.DETECTED if result.error is None else FrameState.LOST
            self._ledger.settle(state, result.error_cause)

    def _settle(self, frame: Frame) -> None:
        pending = self._pending[frame.index]
        if pending.may_be_shown or pending.may_be_detected:
            return
        del self._pending[frame.index]
        if frame.damage:
            self._ledger.settle(FrameState.CORRUPT, frame.damage)
        elif pending.shown_as is not None:
            self._ledger.settle(pending.shown_as)
        else:
            self._ledger.settle(FrameState.DROPPED, pending.drop_cause)

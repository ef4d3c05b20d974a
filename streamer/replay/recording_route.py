"""What the threads of a run do with frames, told to the recorder on the way. Each method is called by whom
`streamer.flow.routes.Route` says.
"""

from __future__ import annotations

from collections.abc import Iterator

from streamer.flow.routes import Route
from streamer.flow.stats import FrameLedger
from streamer.replay.log import Arrival, Entered, Failed, Found, Result, Settled
from streamer.replay.recorder import Recorder
from streamer.system.paths import readable
from streamer.system.secrets import SECRETS
from streamer.values.delivery import Arrived, Delivery, Detected
from streamer.values.frame import Frame
from streamer.values.states import FrameState


class RecordingRoute:
    """The run's own way, with notes of what comes and of what the main thread is given in which order.

    Args:
        route: the way.
        recorder: told.
    """

    def __init__(self, route: Route, recorder: Recorder) -> None:
        self._route = route
        self._recorder = recorder

    @property
    def waiting(self) -> int:
        return self._route.waiting

    def put(self, frame: Frame) -> None:
        self._recorder.frame(frame)
        self._route.put(frame)

    def end(self) -> None:
        self._route.end()

    def frames(self) -> Iterator[Frame]:
        return self._route.frames()

    def done(self, result: Detected) -> None:
        self._route.done(result)

    def __iter__(self) -> Iterator[Delivery]:
        for finished in self._route:
            self._recorder.note(_given(finished))
            yield finished

    def shown(self, frame: Frame, state: FrameState, cause: str) -> None:
        self._route.shown(frame, state, cause)

    def close(self) -> None:
        self._route.close()


class RecordingLedger(FrameLedger):
    """A ledger whose entries are noted. Any thread may call any method.

    Args:
        recorder: told.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def enter(self, frames: int = 1) -> None:
        """See `FrameLedger`. Who settles a frame hears of it later, so that its entry is noted first."""
        super().enter(frames)
        self._recorder.note(Entered(frames=frames))

    def settle(self, state: FrameState, cause: str = "", frames: int = 1) -> None:
        """See `FrameLedger`."""
        super().settle(state, cause, frames)
        self._recorder.note(Settled(state=state, cause=cause, frames=frames))

    def settle_rest(self, state: FrameState, cause: str) -> None:
        """See `FrameLedger`."""
        rest = self.in_flight
        super().settle_rest(state, cause)
        if rest:
            self._recorder.note(Settled(state=state, cause=cause, frames=rest))


def _given(finished: Delivery) -> Arrival | Result:
    index, captured_s = finished.frame.index, finished.frame.captured_s
    if isinstance(finished, Arrived):
        return Arrival(index=index, captured_s=captured_s, due_s=finished.due_s, late=finished.late)
    error = finished.error
    return Result(
        index=index,
        captured_s=captured_s,
        detect_s=finished.detect_s,
        done_s=finished.done_s,
        found=None if finished.detections is None else Found.of(finished.detections),
        failed=None if error is None else Failed(cause=error.cause, message=readable(SECRETS.hide(str(error)))),
    )

"""Observing a run from outside, for recordings and statistics. An observer never changes a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from av.packet import Packet
from av.video.stream import VideoStream

from streamer.flow.cadence import Cadence
from streamer.interfaces import Scene, StreamInfo
from streamer.media.packet_tap import PacketTap
from streamer.media.passthrough import Passthrough
from streamer.values.delivery import Delivery
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.recordings import RecordedFile
from streamer.values.states import FrameState, Overlay

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

PacketReceiver = Callable[["Packet[VideoStream]"], None]
"""Gets the packets of one stream in decoding order, before the decoder. It must copy what it keeps."""


@dataclass(frozen=True, slots=True)
class RunSetup:
    """How a run is set up.

    Attributes:
        info: of the source.
        labels: of the detections.
        cadence, overlay, delay_s: as for `streamer.pipeline.Pipeline`.
        simulated: on a simulated clock, where the run can wait for its observers.
    """

    info: StreamInfo
    labels: LabelTable
    cadence: Cadence
    overlay: Overlay
    delay_s: float | None
    simulated: bool


class RunObserver:
    """Base class of observers: every method does nothing.

    Entered before the source is opened, left after the run. Methods must return quickly: a live run does not wait.
    """

    wants_packets: bool = False
    """Whether `stream_opened` is called."""
    wants_exact_decoding: ClassVar[bool] = False
    """Whether the packets must decode to the same frames again. Decoding then uses one thread."""
    destination: str = ""
    """Where it writes, one line for the start of a run; empty if it writes nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        return None

    def collectors(self) -> Sequence[Collector]:
        """Further metrics of the run. Called before `source_opened`."""
        return ()

    def source_opened(self, info: StreamInfo, *, live: bool) -> None:
        """Main thread, before a model is loaded: a source was opened; `live` is true on a simulated clock, too.

        Raises:
            ConfigError: this run cannot be observed.
        """

    def passthrough_opened(self, passthrough: Passthrough) -> None:
        """Main thread, after `source_opened`: the other streams of the source, if it can have any."""

    def source_changed(self, fault: str, at_s: float) -> None:
        """Main or capture thread: a live source lost its connection, or has one that sends frames.

        Called when the first connection fails and is tried again, at the first frame, at each loss and at each return;
        not again at further attempts. It can be called before `source_opened`.

        Args:
            fault: why no frames arrive, one line without credentials; empty if they arrive.
            at_s: monotonic clock. Of a loss: when the last frame arrived, or when the first attempt to connect began.
        """

    def run_started(self, setup: RunSetup) -> None:
        """Display thread, before the first frame. Raises ConfigError if this run cannot be observed."""

    def stream_opened(self, number: int, stream: VideoStream) -> PacketReceiver | None:
        """Reading thread: a decoder was configured for the stream `number` and has no packet yet.

        Returns:
            What gets its packets; None if they are not needed.
        """

    def frame_captured(self, frame: Frame) -> None:
        """Capture thread: a frame was decoded. No other thread has it yet."""

    def delivered(self, delivery: Delivery) -> None:
        """Display thread: the route delivered a frame or a result. The presentation does not have it yet."""

    def frames_entered(self, frames: int) -> None:
        """Any thread: so many frames entered the ledger. No other thread can have settled them yet."""

    def frames_settled(self, state: FrameState, cause: str, frames: int) -> None:
        """Any thread: so many frames reached their final state in the ledger."""

    def scene_shown(self, scene: Scene) -> None:
        """Display thread: a scene was handed to the sinks."""

    def source_closing(self) -> None:
        """Main thread, after the last scene, if the source was opened: it is still open, but not read any more."""

    def events_ended(self, scene: Scene) -> None:
        """Display thread, after the last scene, however the run ends: that scene again, with the final events.

        Its `watched.events` are the ends of the events that lasted. Not called if there are none.
        """

    def stopping(self) -> None:
        """Any thread: the run is to end now. Leaving the observer waits for nothing that can be left out."""

    def file_recorded(self, file: RecordedFile) -> None:
        """Any thread: a continuous recording began, completed or removed a file; also while the sinks are left."""


def packet_tap(observers: Sequence[RunObserver]) -> PacketTap | None:
    """What a source hands its packets to; None if no observer wants them."""
    wanting = [observer for observer in observers if observer.wants_packets]
    return _PacketTap(wanting) if wanting else None


class _PacketTap:
    """Numbers the streams that an observer wants, over all connections of a run. Thread-safe."""

    def __init__(self, observers: Sequence[RunObserver]) -> None:
        self.exact = any(observer.wants_exact_decoding for observer in observers)
        self._observers = observers
        self._lock = threading.Lock()
        self._streams = 0

    def begin(self, stream: VideoStream) -> _StreamTap | None:
        with self._lock:
            found = [observer.stream_opened(self._streams, stream) for observer in self._observers]
            receivers = [receiver for receiver in found if receiver is not None]
            if not receivers:
                return None
            self._streams += 1
            return _StreamTap(self._streams - 1, receivers)


class _StreamTap:
    def __init__(self, number: int, receivers: Sequence[PacketReceiver]) -> None:
        self.number = number
        self._receivers = receivers

    def packet(self, packet: Packet[VideoStream]) -> None:
        for receive in self._receivers:
            receive(packet)

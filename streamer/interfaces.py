"""What a source, detector, annotator and sink must offer; what `Pipeline` relies on, and nothing more.

Each says which thread calls it. The contract suites in `tests/contracts/` run every registered feature through the
expectations written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import av
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.media.passthrough import Passthrough
from streamer.values.drawable import Drawable
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tracking.types import Detections, IdArray, Tracks


@dataclass(frozen=True, slots=True)
class Damage:
    """Input that was lost before it could become a frame.

    Attributes:
        cause: short and stable, fit for a counter's name: `decode error`, `truncated`, `no timestamp`, ...
        frames: how many frames were lost, at least 1; an estimate where the container tells (a truncated file).
        detail: the library's own words for the log.
        state: what the ledger counts it as: `corrupt`, or `dropped` where it was whole but nobody could take it.
    """

    cause: str
    frames: int = 1
    detail: str = ""
    state: FrameState = FrameState.CORRUPT


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What is known of a source once it is open.

    Attributes:
        name: readable, without credentials.
        width, height: of the upright picture, pixels.
        pixel_format: FFmpeg's name of the native format, such as `yuv420p`.
        time_base: of the frames' `pts`.
        average_fps: None where the container does not tell.
        frame_count: None where it is not known beforehand.
        duration_s: None where it is not known beforehand.
        sample_aspect_ratio: of the upright picture; 1 where it is not told.
        live: frames arrive by themselves and are lost when nobody takes them.
        path: the local file that is read.
        start: when the first packet of any stream is presented, seconds; an output begins there.
        constant_rate: frames are equally spaced, as far as the beginning shows.
        bit_rate: of the video stream in bits/s, None where unknown.
        colour: H.273 codes as the stream is tagged: (primaries, transfer, matrix) and FFmpeg's range code.
        field_order: FFmpeg's `AVFieldOrder` code; 0 unknown, 1 progressive.
        jpeg_like: of a webcam, MJPEG or still pictures, which few video players take as they are (full range, 4:2:2,
            4:4:4 or RGB).
        side_data: of the first picture, as `streamer.media.side_data` reads it.
    """

    name: str
    width: int
    height: int
    pixel_format: str
    time_base: Fraction
    average_fps: Fraction | None = None
    frame_count: int | None = None
    duration_s: float | None = None
    sample_aspect_ratio: Fraction = Fraction(1)
    live: bool = False
    path: str | None = None
    start: Fraction = Fraction(0)
    constant_rate: bool = True
    bit_rate: int | None = None
    colour: tuple[int, int, int, int] = (2, 2, 2, 0)
    field_order: int = 0
    jpeg_like: bool = False
    side_data: Mapping[str, bytes] = field(default_factory=dict)


class Source(Protocol):
    """Frames in presentation order. Entered by the main thread, then owned by the capture thread.

    Entering opens it (`SourceUnavailable` if that cannot work) and makes `info` valid. Iterating yields frames with
    `index` 0, 1, 2, ...; returning means that it ended, `SourceLost` that trying again may help. Leaving it twice, or
    before the end, is fine. A source is used once. A subclass needs only `info` and `__iter__`.
    """

    @property
    def info(self) -> StreamInfo: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def __iter__(self) -> Iterator[Frame]: ...

    def take_damage(self) -> list[Damage]:
        """What was lost since the last call; called by the iterating thread after each frame and after the end."""
        return []

    def stop(self) -> None:
        """Any thread: nobody wants more frames. Wakes every wait of the iterating thread, which then ends soon."""
        ...


@runtime_checkable
class PassthroughSource(Protocol):
    """A source whose input may have other streams besides its video; asked once it is entered."""

    @property
    def passthrough(self) -> Passthrough | None:
        """The other streams of the input, for sinks that copy them; None where there can be none."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What it could not give as it was, a line each, for the report; complete once it has ended."""
        ...


class StreamTap(Protocol):
    """Gets the packets of one opened stream, in decoding order. Called by the thread that reads the stream.

    Attributes:
        number: of the stream, from 0, over all connections of a run.
    """

    @property
    def number(self) -> int: ...

    def packet(self, packet: Packet[VideoStream]) -> None:
        """The next packet for the decoder. The caller keeps using it, so the tap must copy what it needs."""
        ...


class PacketTap(Protocol):
    """Gets each stream that is opened, before its first packet."""

    def begin(self, stream: VideoStream) -> StreamTap | None:
        """A stream whose decoder is configured and has no packet yet; returns None if its packets are not needed."""
        ...


class Detector(Protocol):
    """Finds objects on one frame at a time. Built by the main thread, then used by one detector thread."""

    @property
    def labels(self) -> LabelTable: ...

    def detect(self, frame: Frame) -> Detections:
        """Detections of all classes on the frame, by falling score; boxes clipped to the frame.

        Raises:
            DetectorError: the model failed on this frame, which is lost; any other error ends the run.
        """
        ...

    def close(self) -> None:
        """Release the model. Closing twice is fine.

        While `detect` runs too, from another thread: a run that ends does not wait long for a frame in the detector.
        That `detect` may then fail or go on to its end, and `close` may take as long.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One frame with what is on it: what annotators draw and sinks write.

    Attributes:
        frame: the frame that is shown.
        tracks: the tracks at its time; only confirmed ones.
        labels: names of `tracks.labels`.
        state: its state in the frame ledger: `detected`, `interpolated`, `predicted` or `lost` (the detector failed on
            it: boxes as on a frame that it was not to look at).
        detections: the detector's own, None on a frame that it did not see.
        found_pts: int64 `(N,)`, for each track the pts of the frame that it was last found on, at or before this one;
            of one that was carried back from a later frame, that one's. None where nobody keeps count.
        picture: the annotated picture (same format, size, pts and colour as the frame's), None where nobody draws.
        fps: frames a second that the pipeline manages at the moment, for the head-up line; 0 at the start.
    """

    frame: Frame
    tracks: Tracks
    labels: LabelTable
    state: FrameState
    detections: Detections | None = None
    found_pts: IdArray | None = None
    picture: av.VideoFrame | None = None
    fps: float = 0.0

    @property
    def shown(self) -> av.VideoFrame:
        """The annotated picture, or the frame's own where nothing was drawn."""
        return self.frame.picture if self.picture is None else self.picture


class Annotator(Protocol):
    """Draws on a copy of the frame. Used by the main thread."""

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Draw what the scene holds; `canvas` must not be used after the call."""
        ...


@runtime_checkable
class WaitingSink(Protocol):
    """A sink whose `write` may wait for a person."""

    def release(self) -> None:
        """Any thread: the run ends; `write` returns and waits no more."""
        ...


@runtime_checkable
class ConnectedSink(Protocol):
    """What a sink that keeps a connection, or something like it, can tell besides; any thread may ask."""

    @property
    def connected(self) -> bool:
        """Whether scenes get through at this moment."""
        ...

    @property
    def skipped(self) -> int:
        """Scenes that it was given while they did not."""
        ...


class Sink(Protocol):
    """Takes scenes in presentation order. Entered and left by the main thread, written by one thread in between.

    Entering opens it (`SinkUnavailable` if that cannot work; nothing is left behind then). Leaving without an error,
    or with `Interrupted` or `KeyboardInterrupt`, completes the output and moves it to its final name; leaving with any
    other error removes what is unfinished. A subclass needs only `stage` and `write`.
    """

    @property
    def stage(self) -> str:
        """What its time is called in the report: `encode`, `jsonl`, ..."""
        ...

    @property
    def main_thread(self) -> bool:
        """Whether it must be written by the main thread (windows); others get a thread of their own."""
        return False

    @property
    def wants_picture(self) -> bool:
        """Whether `Scene.picture` must be drawn for it."""
        return True

    @property
    def notes(self) -> Sequence[str]:
        """What it could not carry exactly, a line each, for the report; complete once it is left."""
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def write(self, scene: Scene) -> None:
        """Raises SinkError when the output cannot go on (a full disk)."""
        ...

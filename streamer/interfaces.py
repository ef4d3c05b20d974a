"""The interfaces of sources, detectors, annotators and sinks: all that `Pipeline` relies on.

Each names the thread that calls it. The display thread of a stream is the thread that iterates its pipeline; in the
program it is the main thread. The contract suites in `tests/contracts/` check every registered feature against this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import av

from streamer.media.passthrough import Passthrough
from streamer.values.drawable import Drawable
from streamer.values.events import NOTHING_WATCHED, Watched
from streamer.values.frame import BgrArray, Frame, RgbArray, bgr_of
from streamer.values.labels import LabelTable
from streamer.values.objects import Objects
from streamer.values.states import FrameState
from tracking.types import Detections, IdArray, Tracks


@dataclass(frozen=True, slots=True)
class Damage:
    """Input that was lost before it became a frame.

    Attributes:
        cause: short and stable, usable as a metric label: `decode error`, `truncated`, `no timestamp`, ...
        frames: how many frames were lost, at least 1; an estimate if the container declares more than it holds.
        detail: the message of the library, for the log.
        state: in the frame ledger: CORRUPT, or DROPPED if the input was intact but was not taken in time.
    """

    cause: str
    frames: int = 1
    detail: str = ""
    state: FrameState = FrameState.CORRUPT


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """The properties of an open source.

    Attributes:
        name: readable, without credentials.
        width, height: of the upright frame, pixels.
        pixel_format: FFmpeg's name of the native format, such as `yuv420p`.
        time_base: of the frames' `pts`.
        average_fps: None if the container does not declare it.
        frame_count, duration_s: None if unknown.
        sample_aspect_ratio: of the upright frame; 1 if undeclared.
        live: frames arrive in real time and are lost if they are not taken.
        path: the local file that is read.
        start: presentation time of the first packet of any stream, seconds; an output begins there.
        constant_rate: the first frames are equally spaced.
        bit_rate: of the video stream in bits/s, None if unknown.
        colour: H.273 codes of the stream: (primaries, transfer, matrix) and FFmpeg's range code.
        field_order: FFmpeg's `AVFieldOrder` code; 0 unknown, 1 progressive.
        jpeg_like: of webcams, MJPEG or stills (full range, 4:2:2, 4:4:4, RGB); few video players support it directly.
        side_data: of the first frame, as read by `streamer.media.side_data`.
        files: the paths of the pictures that are read, in order; empty for a video.
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
    files: Sequence[str] = ()


class Source(Protocol):
    """Frames in presentation order. Entered by the main thread, then owned by the capture thread.

    Entering opens the source (`SourceUnavailable` if that fails) and makes `info` valid. Iterating yields frames with
    `index` 0, 1, 2, ...; it returns at the end of the stream, and raises `SourceLost` if trying again may help. Leaving
    twice, or before the end, is allowed. A source is used once. A subclass needs only `info` and `__iter__`.
    """

    @property
    def info(self) -> StreamInfo: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        return

    def __iter__(self) -> Iterator[Frame]: ...

    def take_damage(self) -> list[Damage]:
        """Losses since the last call. The iterating thread calls it after each frame and after the last one."""
        return []

    def stop(self) -> None:
        """Any thread: no more frames are needed. Wakes every wait of the iterating thread, which then ends soon."""
        return


@runtime_checkable
class PassthroughSource(Protocol):
    """A source whose input may have other streams besides its video; read after it is entered."""

    @property
    def passthrough(self) -> Passthrough | None:
        """The other streams of the input, for sinks that copy them; None if it cannot have any."""

    @property
    def notes(self) -> Sequence[str]:
        """What it changed or left out, one line each, for the report; complete when the source has ended."""


class Detector(Protocol):
    """Finds objects on one frame at a time. Built by the main thread, then used by one detector thread."""

    @property
    def labels(self) -> LabelTable: ...

    def detect(self, frame: Frame) -> Detections:
        """Detections of all classes on the frame, by falling score; boxes clipped to the frame.

        Raises:
            DetectorError: the model failed on this frame, which is lost; any other error ends the run.
        """

    def close(self) -> None:
        """Release the model. Closing twice is allowed.

        Another thread may still be in `detect`: a run that ends does not wait long for it. That `detect` may then fail
        or complete, and `close` may wait for it.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One frame with the objects on it: what annotators draw and sinks write.

    Attributes:
        frame: the frame that is shown.
        tracks: confirmed tracks at its time.
        labels: names of `tracks.labels`.
        state: DETECTED, INTERPOLATED, PREDICTED or LOST (the detector failed: tracks as on an undetected frame).
        detections: of the detector; None if the frame was not detected.
        found_pts: int64 `(N,)`: for each track, the pts of the last frame at or before this one on which it was
            detected; for a track carried back from a later frame, the pts of that one. None if unknown.
        picture: the annotated picture (format, size, pts and colour of the frame); None if nothing is drawn.
        fps: frames per second for the head-up line: of a file, or as a live source is shown now; 0 if unknown.
        watched: events on the frame, and the counts of lines and zones; empty if the stream has none.
    """

    frame: Frame
    tracks: Tracks
    labels: LabelTable
    state: FrameState
    detections: Detections | None = None
    found_pts: IdArray | None = None
    picture: av.VideoFrame | None = None
    fps: float = 0.0
    watched: Watched = NOTHING_WATCHED

    @property
    def stream(self) -> str:
        """The name of its stream in a program that runs several; else empty."""
        return self.frame.stream

    @property
    def objects(self) -> Objects:
        """The tracks with their class names."""
        return Objects(self.tracks, self.labels)

    @property
    def detected_objects(self) -> Objects:
        """The detections with their class names; none if the frame was not detected."""
        return Objects(self.detections or Detections.empty(), self.labels)

    @property
    def shown(self) -> av.VideoFrame:
        """The annotated frame, or the frame itself where nothing was drawn."""
        return self.frame.picture if self.picture is None else self.picture

    def rgb(self) -> RgbArray:
        """The annotated frame, converted like `Frame.rgb`: uint8 `(height, width, 3)`.

        Raises:
            ValueError: nothing was drawn.
        """
        if self.picture is None:
            raise ValueError("nothing was drawn: open the source with draw=True, or take scene.frame.rgb()")
        return replace(self.frame, picture=self.picture).rgb()

    def bgr(self) -> BgrArray:
        """`rgb` with the channels in the order that OpenCV uses."""
        return bgr_of(self.rgb())


class Annotator(Protocol):
    """Draws on a copy of the frame. Used by the display thread."""

    def draw(self, canvas: Drawable, scene: Scene) -> None:
        """Draw what the scene holds; `canvas` must not be used after the call."""


@runtime_checkable
class WaitingSink(Protocol):
    """A sink whose `write` may wait for a person."""

    def release(self) -> None:
        """Any thread: the run ends; `write` returns and does not wait any more."""


@runtime_checkable
class ConnectedSink(Protocol):
    """A sink with a connection; any thread may read its state."""

    @property
    def connected(self) -> bool:
        """Whether scenes get through at this moment."""

    @property
    def skipped(self) -> int:
        """Scenes that were written while it was not connected."""


@runtime_checkable
class EventSink(Protocol):
    """A sink that writes events. If a run fails, it still gets the scenes with events that wait for it."""

    def write_end(self, scene: Scene) -> None:
        """Display thread, after the last `write`, however the run ends: the last scene again, with the final events.

        Not called if there are none. Raises SinkError as `write` does.
        """


@runtime_checkable
class DescribedSink(Protocol):
    """A sink that says where its results are: not in one file under the name that the user chose."""

    @property
    def destination(self) -> str:
        """One line such as `view at http://127.0.0.1:8080/`, once it is entered; without credentials."""

    @property
    def files(self) -> Sequence[Path]:
        """The files that it has completed, oldest first; read after it is left."""


class Sink(Protocol):
    """Takes scenes in presentation order. Entered and left by the main thread, written by one thread in between.

    Entering opens it (`SinkUnavailable` if that fails; nothing is left behind then). Leaving without an error, or with
    `Interrupted` or `KeyboardInterrupt`, completes the output and moves it to its final name; leaving with any other
    error removes the unfinished output. A subclass needs only `stage` and `write`.
    """

    @property
    def stage(self) -> str:
        """The name of its stage in the report: `encode`, `jsonl`, ..."""

    @property
    def main_thread(self) -> bool:
        """Whether the display thread must write it (windows); other sinks get a thread of their own."""
        return False

    @property
    def wants_picture(self) -> bool:
        """Whether it needs `Scene.picture`."""
        return True

    @property
    def notes(self) -> Sequence[str]:
        """What it could not write exactly, one line each, for the report; complete when it is left."""
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        return

    def write(self, scene: Scene) -> None:
        """Write one scene. Raises SinkError if the output cannot continue (a full disk)."""

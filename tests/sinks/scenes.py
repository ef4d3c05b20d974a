"""Scenes to write, and the content of the written files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from streamer.interfaces import Scene, StreamInfo
from streamer.sinks.video.video import VideoSink
from streamer.sources.file.file import FileSource
from streamer.values.events import Direction, Event, EventKind, Watched
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.states import FrameState
from tests.clips import picture
from tests.sinks.making import video_sink
from tracking.types import Origin, Tracks

LABELS = LabelTable(("person", "car"), ("/m/01g317", ""))
TIME_BASE = Fraction(1, 12800)
CROSSING = Event("gate", EventKind.CROSSING, 1, "person", 1.2345, "front", Direction.IN)


def tracks(count: int) -> Tracks:
    """A number of tracks with known boxes, half of them predicted."""
    k = np.arange(count, dtype=np.int32)
    boxes = np.stack([k + 0.123, k + 1.0, k + 20.5, k + 30.0], axis=1)
    return Tracks(
        ids=k.astype(np.int64) + 1,
        boxes=boxes.astype(np.float32),
        scores=np.full(count, 0.87654, np.float32),
        labels=k % np.int32(2),
        velocities=np.zeros((count, 2), np.float32),
        age_s=np.ones(count, np.float32),
        unseen_s=np.zeros(count, np.float32),
        origin=np.where(k % 2, int(Origin.PREDICTED), int(Origin.DETECTED)).astype(np.uint8),
        confirmed=np.ones(count, np.bool_),
    )


def scene(
    index: int,
    pts: int,
    *,
    size: tuple[int, int] = (64, 48),
    pix_fmt: str = "yuv420p",
    time_base: Fraction = TIME_BASE,
    duration: int = 0,
    count: int = 0,
    segment: int = 0,
) -> Scene:
    """A scene with a picture that shows its index; the first of its tracks crosses a line."""
    shown = av.VideoFrame.from_ndarray(picture(index, size), "rgb24").reformat(format=pix_fmt)
    frame = Frame(shown, index, pts, time_base, 0.0, duration=duration, segment=segment)
    watched = Watched((CROSSING,)) if count else Watched()
    return Scene(frame, tracks(count), LABELS, FrameState.DETECTED, watched=watched)


def info(
    *,
    size: tuple[int, int] = (64, 48),
    pixel_format: str = "yuv420p",
    time_base: Fraction = TIME_BASE,
    average_fps: Fraction | None = Fraction(25),
    **more: Any,
) -> StreamInfo:
    """The stream information of a source of `scene`s."""
    return StreamInfo("made", *size, pixel_format, time_base, average_fps=average_fps, **more)


def annotate(
    source: Path, output: Path, *, frames: int | None = None, copies: bool = True, **options: Any
) -> tuple[list[Scene], VideoSink]:
    """Write the frames of a file. Returns the scenes, and the sink with its notes.

    Args:
        copies: copy the other streams, too.
        frames: interrupt the run after that many.
    """
    scenes = []
    with FileSource(source) as opened:
        sink = video_sink(output, opened.info, passthrough=opened.passthrough if copies else None, **options)
        try:
            with sink:
                for frame in opened:
                    scenes.append(Scene(frame, tracks(0), LABELS, FrameState.DETECTED))
                    sink.write(scenes[-1])
                    if len(scenes) == frames:
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            assert frames is not None
    return scenes, sink


def write_all(sink: VideoSink, scenes: Iterable[Scene]) -> None:
    """Enter the sink and write the scenes."""
    with sink:
        for one in scenes:
            sink.write(one)


def decoded(path: Path) -> list[av.VideoFrame]:
    """All frames of the first video stream."""
    with av.open(str(path)) as container:
        return list(container.decode(container.streams.video[0]))


def times(frames: Iterable[Any]) -> list[Fraction]:
    """Presentation times in seconds, of scenes or of decoded frames."""
    stamped = (one.frame if isinstance(one, Scene) else one for one in frames)
    return [one.pts * one.time_base for one in stamped]


def samples(frame: av.VideoFrame) -> list[npt.NDArray[np.uint8]]:
    """The bytes of each plane without the padding of rows, uint8 `(rows, bytes)`."""
    planes = []
    for plane, part in zip(frame.planes, _row_bytes(frame), strict=True):
        rows = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
        kept = rows[:, :part]
        # The fourth byte of bgr0 means nothing.
        planes.append(np.delete(kept, np.s_[3::4], axis=1) if frame.format.name == "bgr0" else kept)
    return planes


def _row_bytes(frame: av.VideoFrame) -> Iterator[int]:
    for index, plane in enumerate(frame.planes):
        inside = [part for part in frame.format.components if part.plane == index]
        sample_bytes = (inside[0].bits + 7) // 8 * len(inside)
        yield plane.width * (sample_bytes if frame.format.is_planar else frame.format.padded_bits_per_pixel // 8)


def payloads(path: Path, kind: str) -> list[list[tuple[Fraction | None, str]]]:
    """Time and digest of every packet of every stream of a kind; `cover` stands for attached pictures."""
    found: dict[int, list[tuple[Fraction | None, str]]] = {}
    with av.open(str(path)) as container:
        for stream in container.streams:
            cover = bool(int(stream.disposition) & 1024)
            if (stream.type == kind and not cover) or (kind == "cover" and cover):
                found[stream.index] = []
        for packet in container.demux():
            if packet.size and packet.stream_index in found:
                time = None if packet.pts is None else packet.pts * packet.time_base
                found[packet.stream_index].append((time, hashlib.sha256(bytes(packet)).hexdigest()))
    return list(found.values())


def edit_duration(path: Path) -> Fraction:
    """The duration of an MP4's only video track in its edit list (ISO/IEC 14496-12, 8.6.6)."""
    content = path.read_bytes()
    header, edits = content.index(b"mvhd") + 4, content.index(b"elst") + 4
    assert content[header] == content[edits] == 0
    scale = int.from_bytes(content[header + 12 : header + 16], "big")
    count = int.from_bytes(content[edits + 4 : edits + 8], "big")
    last = edits + 8 + 12 * (count - 1)
    return Fraction(int.from_bytes(content[last : last + 4], "big"), scale)

"""Makes the plan of a file with one pass of the demuxer. Main thread.

A part begins at a keyframe, and its decoder one group of pictures earlier: frames of an open group that are shown
before its keyframe (H.264 recovery points, HEVC CRA with RASL pictures) need the group before it. Where a decoder
cannot begin in the middle and have the same frames, the plan says so, and workers read the file from its start.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.config.settings import Settings
from streamer.config.source import SourceSettings
from streamer.detectors.selection import chosen, is_recorded, model_sha256, own_section
from streamer.errors import ConfigError, SourceUnavailable
from streamer.features import SourceContext
from streamer.parts.matching import named_anywhere
from streamer.parts.plan import Plan, PlannedInput
from streamer.parts.splitting.packet_index import PacketIndex, read_index
from streamer.parts.splitting.split import Timeline, split
from streamer.sources.decode.opening import check_file, choose_video
from streamer.sources.decode.packets import PacketReader, passthrough_of, start_of
from streamer.sources.decode.stream_facts import rate_of
from streamer.sources.file.file import FileSource
from streamer.sources.images.files import is_still
from streamer.sources.selection import open_source
from streamer.system import paths
from streamer.system.secrets import redacted

MOST_PARTS = 100_000
"""A part takes about 300 bytes of the plan, which each worker reads."""
_EDGE_BYTES = 1 << 20
_MOST_DECODER_THREADS = 16
"""FFmpeg's MAX_AUTO_THREADS (libavcodec/pthread_internal.h)."""
_UNKNOWN_FPS = Fraction(25)
"""As in `streamer.sources.decode.container`."""
_UNTIMED = "mpegvideo"
"""The format whose time stamps are not used; see `ContainerSource`."""


def make_plan(
    path: Path | str, settings: Settings, parts: int, *, progress: Callable[[int], None] = lambda _: None
) -> Plan:
    """Plan the parts of a file.

    Args:
        path: a video file.
        settings: of the run; source and detector go into the plan. `auto` becomes the detector that it means here.
        parts: how many. A file with fewer frames has one part a frame.
        progress: gets the number of packets read, from time to time.

    Raises:
        SourceUnavailable: the input is no video file, or cannot be read.
        ConfigError: a setting that needs the whole run in one process.
        ModelError: `auto` finds no detector.
    """
    if not 1 <= parts <= MOST_PARTS:
        raise ConfigError(f"a plan has 1 to {MOST_PARTS} parts, not {parts}")
    _check_settings(settings)
    source = _file_source(str(path), settings.source)
    detector = named_anywhere(chosen(settings.detector)[0])
    before = _state(source.path)
    read = _read(source, settings.source, progress)
    planned = identify(source.path)
    if _state(source.path) != before:
        raise SourceUnavailable(f"{path}: changed while it was planned; plan it again when it is complete")
    made = split(read.index, read.timeline, parts)
    if is_recorded(detector):
        # It may go by `Frame.index`, which a worker knows exactly only if it has decoded all frames before.
        made = tuple(part.model_copy(update={"seek": None}) for part in made)
    return Plan(
        input=planned,
        time_base=str(read.timeline.time_base),
        frames=int(read.index.shown.sum()),
        size=read.size,
        source=source_settings(settings.source),
        decoder_threads=settings.source.threads or _automatic_threads(),
        detector=detector,
        extensions=own_section(detector, settings.extensions),
        model_sha256=model_sha256(detector),
        parts=made,
    )


def source_settings(settings: SourceSettings) -> dict[str, str | None]:
    """The settings of the source that change its frames, as a plan has them."""
    return {"fps": None if settings.fps is None else str(settings.fps), "deinterlace": settings.deinterlace}


def identify(path: Path) -> PlannedInput:
    """What identifies a file.

    Raises:
        SourceUnavailable: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            whole = hashlib.file_digest(file, "sha256").hexdigest()
        return PlannedInput(
            path=str(path.absolute()), size_bytes=path.stat().st_size, sha256=whole, edges_sha256=edges_digest(path)
        )
    except OSError as error:
        raise SourceUnavailable(f"{path}: {error.strerror}; check the path") from error


def edges_digest(path: Path) -> str:
    """SHA-256 of the first and the last MiB of a file, which may overlap.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        found = hashlib.sha256(file.read(_EDGE_BYTES))
        file.seek(max(path.stat().st_size - _EDGE_BYTES, 0))
        found.update(file.read(_EDGE_BYTES))
    return found.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What one pass of the demuxer finds."""

    index: PacketIndex
    timeline: Timeline
    size: tuple[int, int]


def _read(source: FileSource, settings: SourceSettings, progress: Callable[[int], None]) -> _Read:
    with source.open() as container:
        video = choose_video(container, str(source.path))
        reader = _reader(container, video, str(source.path), settings)
        index = read_index(reader, video.codec_context.name, progress)
        if not len(index.pts):
            raise SourceUnavailable(f"{source.path}: has a video stream, but no packet; copy the file again")
        time_base = video.time_base or Fraction(1, 1000)
        timeline = Timeline(
            time_base=time_base if settings.fps is None else 1 / settings.fps,
            packet_time_base=time_base,
            step=max(round(1 / (rate_of(video) or _UNKNOWN_FPS) / time_base), 1),
            counted=settings.fps is not None,
            untimed=container.format.name == _UNTIMED,
            continuous=not reader.moved,
            codec=video.codec_context.codec.canonical_name,
        )
        size = video.codec_context.width, video.codec_context.height
    return _Read(index, timeline, size)


def _reader(container: InputContainer, video: VideoStream, name: str, settings: SourceSettings) -> PacketReader:
    """Reads as a run does that copies the audio, which takes part in the correction of the clock."""
    others = passthrough_of(container, video, audio=settings.audio)
    others.begin()
    return PacketReader(container, video, name, others, start_of(container, video), lambda _: None)


def _file_source(uri: str, settings: SourceSettings) -> FileSource:
    source = open_source(uri, settings, SourceContext())
    if paths.is_dir(uri):
        raise SourceUnavailable(f"{uri}: is a folder; a plan is for one video file: name one in it")
    if not isinstance(source, FileSource):
        raise SourceUnavailable(f"{redacted(uri)}: a plan is for a video file; record or download it first")
    check_file(source.path)
    if is_still(source.path):
        raise SourceUnavailable(f"{uri}: is a picture; a plan is for a video file")
    return source


def _check_settings(settings: Settings) -> None:
    if settings.source.live:
        raise ConfigError(
            "source.live plays a file in real time, in one process; a plan needs every frame: leave it out"
        )
    if settings.detector.latency is not None:
        raise ConfigError(
            "detector.latency simulates a live run in one process; a plan needs every frame: leave it out"
        )
    if redacted(settings.detector.name) != settings.detector.name:
        raise ConfigError(
            f"detector.name {redacted(settings.detector.name)} has a login, which the plan would store; leave it out "
            "and set STREAMER_DETECTOR_USER and STREAMER_DETECTOR_PASSWORD for the workers"
        )


def _automatic_threads() -> int:
    """The decoder threads that FFmpeg starts by itself (libavcodec/frame_thread_init)."""
    processors = len(os.sched_getaffinity(0))
    return min(processors + 1, _MOST_DECODER_THREADS) if processors > 1 else 1


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise SourceUnavailable(f"{path}: {error.strerror}; check the path") from error
    return status.st_size, status.st_mtime_ns

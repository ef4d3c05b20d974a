"""The frames of one part, exactly as the source of the whole file has them. Owned by the thread that iterates it.

The decoder begins at the keyframe of the plan, and frames before the part are dropped. Where the file does not behave
as planned (other packets after the seek, an error before the part) it is read from its start: always right, but slower.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Self

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.config.section import validated
from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.interfaces import Damage, StreamInfo
from streamer.parts.plan import Part, Plan, SeekPoint
from streamer.parts.plan_file import check_input
from streamer.parts.splitting.packet_index import digest_of
from streamer.parts.splitting.split import MOST_REORDERED
from streamer.sources.decode.decoding import FrameDecoder
from streamer.sources.decode.opening import choose_video
from streamer.sources.file.file import FileSource
from streamer.values.frame import Frame

log = logging.getLogger(__name__)

_GENERATE_PTS = 1
"""AVFMT_FLAG_GENPTS, which PyAV sets; the planner reads without it."""


class PartSource:
    """A source of the frames of one part; see `streamer.interfaces.Source`.

    A frame has the same `pts`, picture, `interlaced` and `sample_aspect_ratio` as in a run over the whole file. Its
    `index` is that of the whole file if the file is read from its start, or if each packet is one frame. `segment`
    counts from the place where the decoder began.

    Args:
        plan: of the file.
        part: one of its parts.
        path: of the file, if it is not where the plan says.

    Attributes:
        from_start: the file is read from its start, although the plan has a place to seek to.
    """

    def __init__(self, plan: Plan, part: Part, path: Path | None = None) -> None:
        self._plan, self._part, self._path = plan, part, path
        self._source: FileSource | None = None
        self._frames: Iterator[Frame] = iter(())
        self._stopped = threading.Event()
        self.from_start = False

    def __enter__(self) -> Self:
        """Open the file and decode up to the part.

        Raises:
            SourceUnavailable: the file cannot be read.
            ConfigError: it is not the file of the plan.
        """
        path = check_input(self._plan, self._path)
        if self._part.seek is not None and not self._begin(path, self._part.seek):
            self.from_start = True
            log.info("part %d of %s is read from the start of the file", self._part.number, path.name)
        if self._source is None:
            source = self._source = self._whole(path)
            source.__enter__()
            self._frames = iter(source)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if self._source is not None:
            self._source.__exit__(kind, error, traceback)

    @property
    def info(self) -> StreamInfo:
        """The properties of the stream."""
        if self._source is None:
            raise RuntimeError("a source has its info once it is entered")
        return self._source.info

    def __iter__(self) -> Iterator[Frame]:
        part, number, beyond = self._part, 0, 0
        for frame in self._frames:
            if self._stopped.is_set():
                return
            if part.has(frame.pts):
                beyond = 0
                yield replace(frame, index=part.first_index + number) if self._sought else frame
                number += 1
            elif part.end_pts is not None and frame.pts >= part.end_pts:
                beyond += 1  # frames with a lower time may still follow, where times are not in order
                if beyond > MOST_REORDERED:
                    return

    def take_damage(self) -> list[Damage]:
        """The damage since the last call, also of frames before the part."""
        return [] if self._source is None else self._source.take_damage()

    def stop(self) -> None:
        """Any thread: end the iteration, also before the first frame of the part."""
        self._stopped.set()

    @property
    def _sought(self) -> bool:
        return isinstance(self._source, _SoughtFile)

    def _whole(self, path: Path) -> FileSource:
        settings = validated(SourceSettings, self._plan.source)
        return FileSource(path, threads=self._plan.decoder_threads, fps=settings.fps).configure(settings, None)

    def _begin(self, path: Path, seek: SeekPoint) -> bool:
        """Seek and decode up to the part; False if the file must be read from its start."""
        settings = validated(SourceSettings, self._plan.source)
        source = _SoughtFile(path, seek, self._plan.decoder_threads)
        source.configure(settings, None).audio = False
        with ExitStack() as stack:
            try:
                stack.enter_context(source)
            except (SourceUnavailable, _DiffersError):
                return False
            frames = self._up_to_part(source, seek)
            if frames is None:
                return False
            stack.pop_all()
        self._source, self._frames = source, frames
        return True

    def _up_to_part(self, source: _SoughtFile, seek: SeekPoint) -> Iterator[Frame] | None:
        """The frames from the first one of the part; None if those before it are not as in a run over the file."""
        frames, found, checked = iter(source), False, False
        for frame in frames:
            found = found or frame.pts == seek.pts
            if not checked and frame.pts >= seek.checked_to:
                # A decoder may leave out frames until it has recovered, without an error.
                if not found or source.errors > seek.leading:
                    return None
                checked = True
            if not checked and frame.corrupt and frame.pts >= seek.pts:
                return None
            if self._part.start_pts is None or frame.pts >= self._part.start_pts:
                return chain([frame], frames)
        return None


class _DiffersError(Exception):
    """The packets after the seek are not those of the plan."""


class _SoughtFile(FileSource):
    """A video file from a keyframe on.

    Args:
        path: of the file.
        seek: the keyframe.
        threads: decoder threads.
    """

    def __init__(self, path: Path, seek: SeekPoint, threads: int) -> None:
        super().__init__(path, threads=threads)
        self._seek = seek

    @property
    def errors(self) -> int:
        """How many packets have failed until now."""
        return 0 if self._decoder is None else self._decoder.errors

    def _open(self) -> InputContainer:
        container = super()._open()
        try:
            self._go_to_keyframe(container)
        except BaseException as error:
            container.close()
            if isinstance(error, av.error.FFmpegError | IndexError):  # as in `PacketReader`
                raise _DiffersError from error
            raise
        return container

    def _go_to_keyframe(self, container: InputContainer) -> None:
        """Seek, compare the packets with the plan, and seek again.

        Raises:
            _DiffersError: the keyframe is not found, or it is followed by other packets.
            FFmpegError: the container cannot seek.
        """
        container.flags &= ~_GENERATE_PTS
        video = choose_video(container, self._name)
        container.seek(self._seek.target, stream=video)
        packets = (packet for packet in container.demux(video) if packet.size)
        for packet in packets:
            if packet.is_keyframe and packet.pts is not None and packet.pts >= self._seek.pts:
                if packet.pts != self._seek.pts or digest_of(chain([packet], packets)) != self._seek.digest:
                    break
                container.seek(self._seek.target, stream=video)
                return
        raise _DiffersError

    def _make_decoder(
        self, container: InputContainer, stream: VideoStream, start: Fraction, report: Callable[[str], None]
    ) -> FrameDecoder:
        decoder = super()._make_decoder(container, stream, start, report)
        decoder.begin_pts = self._seek.pts
        return decoder

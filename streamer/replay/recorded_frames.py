"""The pictures of a recording: its files decoded as the run decoded them. Owned by the capture thread."""

from __future__ import annotations

import logging
from collections.abc import Generator, Set
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.errors import SourceLost
from streamer.media.ffmpeg_log import reason
from streamer.replay.event_log import Captured, Discarded, Opened
from streamer.replay.pixel_data import crc_of, renamed, tag
from streamer.replay.repeatable_decoder import PlainDecoder

log = logging.getLogger(__name__)

# Packets as they were written: not cut anew, with no times made up.
_DEMUXING = {"fflags": "noparse+nofillin"}


class Pictures:
    """Gives the pictures of frames in the order of the log.

    Args:
        folder: the recording.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._low_delay: dict[str, bool] = {}
        self._discarded: dict[str, set[int]] = {}
        self._names: dict[int, str] = {}
        self._open: dict[str, _Reader] = {}  # by the kind of file
        self._differs = False

    def opened(self, event: Opened) -> None:
        """Packets of a stream follow."""
        self._names[event.stream] = event.file
        self._low_delay[event.file] = event.low_delay
        self._discarded[event.file] = set()

    def discarded(self, event: Discarded) -> None:
        """The picture of one of its packets was left out."""
        self._discarded[self._names[event.stream]].add(event.packet)

    def of(self, event: Captured) -> av.VideoFrame:
        """The picture of a frame, with its time and colour tags.

        Raises:
            SourceLost: it is not there.
        """
        kind = event.file.partition("-")[0]
        reader = self._open.get(kind)
        if reader is None or reader.name != event.file:
            if reader is not None:
                reader.close()
            low_delay, discarded = self._low_delay.get(event.file, False), self._discarded.get(event.file, set())
            reader = self._open[kind] = _Reader(self._folder / event.file, low_delay, discarded)
        picture = renamed(reader.picture(event.number), event.format)
        if crc_of(picture) != event.crc and not self._differs:
            self._differs = True
            log.warning(
                "%s: the picture of frame %d is not the one of the run: carried boxes may differ from here on",
                self._folder,
                event.index,
            )
        tag(picture, event.colour)
        picture.pts, picture.time_base = event.pts, event.time_base
        return picture

    def close(self) -> None:
        """Close all files."""
        for reader in self._open.values():
            reader.close()
        self._open.clear()


class _Reader:
    """Pictures of one file, forwards."""

    def __init__(self, path: Path, low_delay: bool, discarded: Set[int]) -> None:
        self.name = path.name
        self._path = path
        self._discarded = discarded
        try:
            self._container: InputContainer = av.open(f"file:{path}", options=_DEMUXING)
        except (av.error.FFmpegError, OSError) as error:
            raise SourceLost(f"cannot read {path}: {reason(error)}") from error
        self._stream: VideoStream = self._container.streams.video[0]
        self._decoder = PlainDecoder(self._stream, low_delay=low_delay)
        self._pictures = self._decoded()
        self._next = 0

    def picture(self, number: int) -> av.VideoFrame:
        for picture in self._pictures:
            self._next += 1
            if self._next > number:
                return picture
        raise SourceLost(f"{self._path}: has {self._next} pictures, not the one with number {number}")

    def close(self) -> None:
        self._pictures.close()
        self._container.close()

    def _decoded(self) -> Generator[av.VideoFrame]:
        packets = (packet for packet in self._container.demux(self._stream) if packet.size)
        for number, packet in enumerate(packets):
            yield from self._decoder.decode(packet, discarded=number in self._discarded)
        yield from self._decoder.drain()

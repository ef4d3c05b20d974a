"""Decodes the media files of a recording to the frames of its run. Owned by the capture thread."""

from __future__ import annotations

import logging
from collections.abc import Generator, Set
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.errors import SourceLost
from streamer.media.ffmpeg_log import reason
from streamer.replay.event_log import FrameCaptured, PacketDiscarded, StreamOpened
from streamer.replay.pixel_data import crc_of, tag_colour, with_format
from streamer.replay.repeatable_decoder import RepeatableDecoder

log = logging.getLogger(__name__)

# Packets as they were written: not split again, and without computed time stamps.
_DEMUXING = {"fflags": "noparse+nofillin"}


class RecordedFrames:
    """Returns the pictures of captured frames, in the order of the event log.

    Args:
        folder: of the recording.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._low_delay: dict[str, bool] = {}
        self._discarded: dict[str, set[int]] = {}
        self._names: dict[int, str] = {}
        self._readers: dict[str, _Reader] = {}  # by kind of file
        self._differs = False

    def open_stream(self, event: StreamOpened) -> None:
        """A stream was opened."""
        self._names[event.stream] = event.file
        self._low_delay[event.file] = event.low_delay
        self._discarded[event.file] = set()

    def discard(self, event: PacketDiscarded) -> None:
        """The frame of a packet was left out."""
        self._discarded[self._names[event.stream]].add(event.packet)

    def picture(self, event: FrameCaptured) -> av.VideoFrame:
        """The picture of a frame, with its time and colour tags.

        Raises:
            SourceLost: the recording does not contain it.
        """
        kind = event.file.partition("-")[0]
        reader = self._readers.get(kind)
        if reader is None or reader.name != event.file:
            if reader is not None:
                reader.close()
            low_delay, discarded = self._low_delay.get(event.file, False), self._discarded.get(event.file, set())
            reader = self._readers[kind] = _Reader(self._folder / event.file, low_delay, discarded)
        picture = with_format(reader.picture(event.number), event.format)
        if crc_of(picture) != event.crc and not self._differs:
            self._differs = True
            log.warning(
                "%s: frame %d decodes to a picture that differs from the run: carried boxes may differ from here on",
                self._folder,
                event.index,
            )
        tag_colour(picture, event.colour)
        picture.pts, picture.time_base = event.pts, event.time_base
        return picture

    def close(self) -> None:
        """Close all files."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()


class _Reader:
    """Decodes one file, forwards."""

    def __init__(self, path: Path, low_delay: bool, discarded: Set[int]) -> None:
        self.name = path.name
        self._path = path
        self._discarded = discarded
        try:
            self._container: InputContainer = av.open(f"file:{path}", options=_DEMUXING)
        except (av.error.FFmpegError, OSError) as error:
            raise SourceLost(f"cannot read {path}: {reason(error)}") from error
        self._stream: VideoStream = self._container.streams.video[0]
        self._decoder = RepeatableDecoder(self._stream, low_delay=low_delay)
        self._pictures = self._decode()
        self._next = 0

    def picture(self, number: int) -> av.VideoFrame:
        for picture in self._pictures:
            self._next += 1
            if self._next > number:
                return picture
        raise SourceLost(f"{self._path} has {self._next} frames, so frame {number} is missing")

    def close(self) -> None:
        self._pictures.close()
        self._container.close()

    def _decode(self) -> Generator[av.VideoFrame]:
        packets = (packet for packet in self._container.demux(self._stream) if packet.size)
        for number, packet in enumerate(packets):
            yield from self._decoder.decode(packet, discarded=number in self._discarded)
        yield from self._decoder.drain()

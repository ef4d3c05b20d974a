"""Writes the files of a recording. Owned by the recorder's thread."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import av
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.replay.event_log import Event, FrameCaptured, PacketDiscarded, StreamOpened, line_of
from streamer.replay.media_files import FrameFile, PacketFile, shape_of
from streamer.replay.pixel_data import crc_of
from streamer.values.frame import Frame


@dataclass(frozen=True, slots=True, eq=False)
class PacketFileOpened:
    """A stream was opened; its packets go to this file."""

    stream: int
    file: PacketFile
    low_delay: bool


@dataclass(frozen=True, slots=True, eq=False)
class PacketReceived:
    """A copy of a packet for the decoder."""

    stream: int
    packet: Packet[VideoStream]
    discarded: bool


Item = PacketFileOpened | PacketReceived | Frame | Event
"""What is written: packets, captured frames, and other events."""


class Writer:
    """The files of a recording.

    Args:
        folder: of the recording.
        events: its event log, open for writing; closed with the writer.
    """

    def __init__(self, folder: Path, events: TextIO) -> None:
        self._folder = folder
        self._events = events
        self._packets: PacketFile | None = None
        self._stream = -1  # of the packet file
        self._count = 0
        self._frames: FrameFile | None = None
        self._frame_files = 0

    def write(self, item: Item) -> None:
        """Write the next item.

        Raises:
            OSError, FFmpegError: writing to the disk failed.
            ValueError: the pixel format of a frame is not supported.
        """
        if isinstance(item, Frame):
            crc = crc_of(item.picture)
            file, number = self._store(item, crc)
            self._log(FrameCaptured.of(item, file=file, number=number, crc=crc))
        elif isinstance(item, PacketFileOpened):
            self._open(item)
        elif isinstance(item, PacketReceived):
            if item.stream == self._stream:  # else it is from a connection that was abandoned
                self._add_packet(item)
        else:
            self._log(item)

    def close(self) -> None:
        """Complete all files; errors are ignored."""
        with suppress(OSError, av.error.FFmpegError):
            self._events.close()
        for file in (self._packets, self._frames):
            if file is not None:
                with suppress(OSError, av.error.FFmpegError):
                    file.close()

    def _open(self, item: PacketFileOpened) -> None:
        if self._packets is not None:
            self._packets.close()
        self._packets, self._stream, self._count = item.file, item.stream, 0
        self._log(StreamOpened(stream=item.stream, file=packets_name(item.stream), low_delay=item.low_delay))

    def _add_packet(self, item: PacketReceived) -> None:
        assert self._packets is not None  # `_stream` is the number of its stream
        if item.discarded:
            self._log(PacketDiscarded(stream=item.stream, packet=self._count))
        self._packets.write(item.packet, discarded=item.discarded)
        self._count += 1

    def _log(self, event: Event) -> None:
        self._events.write(line_of(event))

    def _store(self, frame: Frame, crc: int) -> tuple[str, int]:
        """The file of a frame and its number there; the frame is written unless the packets decode to it."""
        key = frame.key
        packets = self._packets if key is not None and key.stream == self._stream else None
        if key is not None and packets is not None and packets.gives(key.number, crc):
            return packets_name(key.stream), key.number
        if self._frames is None or self._frames.shape != shape_of(frame.picture):
            if self._frames is not None:
                self._frames.close()
            self._frame_files += 1
            self._frames = FrameFile(self._folder / _frames_name(self._frame_files - 1), frame.picture)
        return _frames_name(self._frame_files - 1), self._frames.write(frame.picture)


def packets_name(number: int) -> str:
    """The name of the file with the packets of a stream."""
    return f"packets-{number:03}.nut"


def _frames_name(number: int) -> str:
    return f"pictures-{number:03}.nut"

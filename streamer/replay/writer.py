"""From what happens in a run to the files of its recording. Owned by the recorder's thread."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import av
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.replay.event_log import Captured, Discarded, Event, Opened, line_of
from streamer.replay.media_files import PacketFile, PictureFile, shape_of
from streamer.replay.pixel_data import colour_of, crc_of
from streamer.values.frame import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Began:
    """A stream was opened."""

    stream: int
    file: PacketFile
    low_delay: bool


@dataclass(frozen=True, slots=True, eq=False)
class Came:
    """A packet of a stream goes to its decoder; `packet` is a copy."""

    stream: int
    packet: Packet[VideoStream]
    discarded: bool


Item = Began | Came | Frame | Event
"""What is written: these, frames that came, and other events."""


class Writer:
    """The files of a recording.

    Args:
        folder: of the recording.
        events: its log, open for writing; closed here.
    """

    def __init__(self, folder: Path, events: TextIO) -> None:
        self._folder = folder
        self._events = events
        self._packets: PacketFile | None = None
        self._stream = -1  # whose packets these are
        self._count = 0
        self._pictures: PictureFile | None = None
        self._picture_files = 0

    def write(self, item: Item) -> None:
        """Add what comes next.

        Raises:
            OSError, FFmpegError: the disk did not take it.
            ValueError: a picture of a format that cannot be kept.
        """
        if isinstance(item, Frame):
            self._say(self._captured(item))
        elif isinstance(item, Began):
            self._begin(item)
        elif isinstance(item, Came):
            if item.stream == self._stream:  # else of a connection that was given up
                self._came(item)
        else:
            self._say(item)

    def close(self) -> None:
        """Complete all files, as far as the disk takes it."""
        with suppress(OSError, av.error.FFmpegError):
            self._events.close()
        for file in (self._packets, self._pictures):
            if file is not None:
                with suppress(OSError, av.error.FFmpegError):
                    file.close()

    def _begin(self, item: Began) -> None:
        if self._packets is not None:
            self._packets.close()
        self._packets, self._stream, self._count = item.file, item.stream, 0
        self._say(Opened(stream=item.stream, file=packets_name(item.stream), low_delay=item.low_delay))

    def _came(self, item: Came) -> None:
        assert self._packets is not None  # it began
        if item.discarded:
            self._say(Discarded(stream=item.stream, packet=self._count))
        self._packets.write(item.packet, discarded=item.discarded)
        self._count += 1

    def _say(self, event: Event) -> None:
        self._events.write(line_of(event))

    def _captured(self, frame: Frame) -> Captured:
        crc = crc_of(frame.picture)
        file, number = self._place_of(frame, crc)
        return Captured(
            index=frame.index,
            pts=frame.pts,
            time_base=frame.time_base,
            captured_s=frame.captured_s,
            segment=frame.segment,
            duration=frame.duration,
            corrupt=frame.corrupt,
            damage=frame.damage,
            raw_pts=frame.raw_pts,
            wall_clock_s=frame.wall_clock_s,
            file=file,
            number=number,
            format=frame.picture.format.name,
            colour=colour_of(frame.picture),
            crc=crc,
        )

    def _place_of(self, frame: Frame, crc: int) -> tuple[str, int]:
        """The file and the number in it of a frame's picture, stored here if no packets give it."""
        key = frame.key
        packets = self._packets if key is not None and key.stream == self._stream else None
        if key is not None and packets is not None and packets.gives(key.number, crc):
            return packets_name(key.stream), key.number
        if self._pictures is None or self._pictures.shape != shape_of(frame.picture):
            if self._pictures is not None:
                self._pictures.close()
            self._picture_files += 1
            self._pictures = PictureFile(self._folder / _pictures_name(self._picture_files - 1), frame.picture)
        return _pictures_name(self._picture_files - 1), self._pictures.write(frame.picture)


def packets_name(number: int) -> str:
    """The file with the packets of a stream."""
    return f"packets-{number:03}.nut"


def _pictures_name(number: int) -> str:
    return f"pictures-{number:03}.nut"

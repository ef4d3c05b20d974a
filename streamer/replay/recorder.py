"""Writes down a run while it runs, on a thread of its own; the threads of the run only say what happened.

Made, entered and left by the main thread. Nobody waits for it in a live run: if the disk is too slow or full, recording
ends with one line, the run goes on, and what was recorded until then can be replayed.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.errors import ConfigError
from streamer.frame import Frame
from streamer.replay.backlog import Backlog
from streamer.replay.log import EVENTS, HEADER, Captured, Discarded, Ended, Event, Header, Opened, line_of
from streamer.replay.samples import colour_of, crc_of, size_bytes
from streamer.replay.streams import PACKET_CODECS, PacketFile, PictureFile, shape_of
from streamer.secrets import SECRETS
from streamer.sources.opening import reason

log = logging.getLogger(__name__)

MOST_BYTES = 256 * 2**20
"""What may wait for the disk: some 7 s of uncompressed 1280x720 at 25 frames/s, much more of packets."""
_LINE_BYTES = 1000
_LIVE_DEADLINE_S = 1.0
"""What the end of a live run waits for the disk."""


@dataclass(frozen=True, slots=True, eq=False)
class _Began:
    stream: int
    file: PacketFile
    low_delay: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Came:
    stream: int
    packet: Packet[VideoStream]
    discarded: bool


_Item = _Began | _Came | Frame | Event


class Recorder:
    """A recording in the making; `streamer.sources.tap.PacketTap` for the source.

    Args:
        folder: made if it is not there.

    Raises:
        ConfigError: on making one: the folder has something in it, or cannot be made.
    """

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._backlog: Backlog[_Item] = Backlog(most_bytes)
        self._lock = threading.Lock()
        self._streams = 0  # under the lock
        self._described = self._made = False  # main thread only
        self._deadline_s: float | None = _LIVE_DEADLINE_S
        self._thread = threading.Thread(target=self._run, name="streamer-recorder", daemon=True)
        _check_empty(folder)

    def __enter__(self) -> Self:
        self._made = not self._folder.exists()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._events = (self._folder / EVENTS).open("x", encoding="utf-8", newline="\n", buffering=1)
        except OSError as error:
            raise ConfigError(f"--record {self._folder}: {error.strerror}; choose another folder") from error
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.note(Ended(state="complete"))
        elif issubclass(kind, Exception):
            self.note(Ended(state="failed", message=SECRETS.hide(str(error))))
        else:
            self.note(Ended(state="interrupted"))
        self._backlog.finish()
        self._thread.join(self._deadline_s)
        if self._thread.is_alive():
            log.warning("%s: the disk did not take the end of the recording in time", self._folder)
        elif not self._described:
            self._discard()

    def describe(self, header: Header, *, waits: bool) -> None:
        """Main thread, before the run: how it is run.

        Args:
            header: that.
            waits: the run may wait for the disk (a virtual clock).

        Raises:
            ConfigError: it cannot be written.
        """
        if waits:
            self._deadline_s = None
            self._backlog.wait_for_room()
        unfinished = self._folder / f".{HEADER}.partial"
        try:
            unfinished.write_text(SECRETS.hide(header.model_dump_json(indent=2)) + "\n", encoding="utf-8")
            unfinished.replace(self._folder / HEADER)
        except OSError as error:
            raise ConfigError(f"--record {self._folder}: {error.strerror}; choose another folder") from error
        self._described = True

    # any thread of the run

    def note(self, event: Event) -> None:
        """Something happened."""
        self._backlog.put(event, _LINE_BYTES)

    def frame(self, frame: Frame) -> None:
        """A frame came; said before anybody else hears of it."""
        self._backlog.put(frame, size_bytes(frame.picture))

    def begin(self, stream: VideoStream) -> _Tap | None:
        """The thread that reads a stream: see `streamer.sources.tap.PacketTap`."""
        if stream.codec_context.name not in PACKET_CODECS or self._backlog.closed:
            return None
        with self._lock:
            number = self._streams
            self._streams += 1
        low_delay = bool(stream.codec_context.flags & int(Flags.low_delay))
        try:
            file = PacketFile(self._folder / _packets_name(number), stream, low_delay=low_delay)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._give_up(reason(error))
            return None
        self._backlog.put(_Began(number, file, low_delay), _LINE_BYTES)
        return _Tap(number, self._backlog)

    # the recorder's thread

    def _run(self) -> None:
        writer = _Writer(self._folder, self._events)
        try:
            for item in self._backlog:
                writer.write(item)
            if self._backlog.overrun:
                self._give_up("the disk is too slow for it")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._give_up(reason(error))
        finally:
            self._backlog.close()
            writer.close()

    def _give_up(self, why: str) -> None:
        if not self._backlog.closed:
            self._backlog.close()
            log.warning(
                "recording to %s ended: %s; the run goes on, and what is there can be replayed", self._folder, why
            )

    def _discard(self) -> None:
        """Nothing was run: leave things as they were."""
        with suppress(OSError):
            for path in self._folder.iterdir():
                path.unlink()
            if self._made:
                self._folder.rmdir()


class _Tap:
    """Hands packets of one stream to the recorder; see `streamer.sources.tap.StreamTap`."""

    def __init__(self, number: int, backlog: Backlog[_Item]) -> None:
        self.number = number
        self._backlog = backlog

    def packet(self, packet: Packet[VideoStream]) -> None:
        """A copy goes to the recorder."""
        copy: Packet[Any] = Packet(bytes(packet))
        copy.is_keyframe = packet.is_keyframe
        self._backlog.put(_Came(self.number, copy, packet.is_discard), packet.size + _LINE_BYTES)


class _Writer:
    """The recording's files. Owned by the recorder's thread."""

    def __init__(self, folder: Path, events: TextIO) -> None:
        self._folder = folder
        self._events = events
        self._packets: PacketFile | None = None
        self._stream = -1  # whose packets these are
        self._count = 0
        self._pictures: PictureFile | None = None
        self._picture_files = 0

    def write(self, item: _Item) -> None:
        if isinstance(item, Frame):
            self._say(self._captured(item))
        elif isinstance(item, _Began):
            self._begin(item)
        elif isinstance(item, _Came):
            if item.stream == self._stream:  # else of a connection that was given up
                self._came(item)
        else:
            self._say(item)

    def close(self) -> None:
        with suppress(OSError, av.error.FFmpegError):
            self._events.close()
        for file in (self._packets, self._pictures):
            if file is not None:
                with suppress(OSError, av.error.FFmpegError):
                    file.close()

    def _begin(self, item: _Began) -> None:
        if self._packets is not None:
            self._packets.close()
        self._packets, self._stream, self._count = item.file, item.stream, 0
        self._say(Opened(stream=item.stream, file=_packets_name(item.stream), low_delay=item.low_delay))

    def _came(self, item: _Came) -> None:
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
            return _packets_name(key.stream), key.number
        if self._pictures is None or self._pictures.shape != shape_of(frame.picture):
            if self._pictures is not None:
                self._pictures.close()
            self._picture_files += 1
            self._pictures = PictureFile(self._folder / _pictures_name(self._picture_files - 1), frame.picture)
        return _pictures_name(self._picture_files - 1), self._pictures.write(frame.picture)


def _packets_name(number: int) -> str:
    return f"packets-{number:03}.nut"


def _pictures_name(number: int) -> str:
    return f"pictures-{number:03}.nut"


def _check_empty(folder: Path) -> None:
    try:
        if next(folder.iterdir(), None) is not None:
            raise ConfigError(f"--record {folder}: the folder is not empty; name a new one")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"--record {folder}: {error.strerror}; name a new folder") from error

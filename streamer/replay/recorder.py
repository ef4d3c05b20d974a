"""Writes down a run while it runs, on a thread of its own; the threads of the run only say what happened.

Made, entered and left by the main thread. Nobody waits for it in a live run: if the disk is too slow or full, recording
ends with one line, the run goes on, and what was recorded until then can be replayed.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.errors import ConfigError, Interrupted
from streamer.media.ffmpeg_log import reason
from streamer.replay.backlog import Backlog
from streamer.replay.log import EVENTS, HEADER, Ended, Event, Header
from streamer.replay.streams import PACKET_CODECS, PacketFile
from streamer.replay.writer import Began, Came, Item, Writer, packets_name
from streamer.system import paths
from streamer.system.secrets import SECRETS
from streamer.values.frame import Frame, held_bytes

log = logging.getLogger(__name__)

MOST_BYTES = 256 * 2**20
"""What may wait for the disk: some 7 s of uncompressed 1280x720 at 25 frames/s, much more of packets."""
_LINE_BYTES = 1000
_END_S, _INTERRUPTED_S = 10.0, 1.0
"""What the end of a live run waits for the disk."""


class Recorder:
    """A recording in the making; `streamer.sources.decode.packet_tap.PacketTap` for the source.

    Args:
        folder: made if it is not there.

    Raises:
        ConfigError: on making one: the folder has something in it, or cannot be made.
    """

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._backlog: Backlog[Item] = Backlog(most_bytes)
        self._lock = threading.Lock()
        self._streams = 0  # under the lock
        self._described = self._made = False  # main thread only
        self._waits = False  # likewise
        self._thread = threading.Thread(target=self._run, name="streamer-recorder", daemon=True)
        _check_empty(folder)

    def __enter__(self) -> Self:
        self._made = not paths.exists(self._folder)
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
        elif issubclass(kind, Exception) and not issubclass(kind, Interrupted):
            self.note(Ended(state="failed", message=paths.readable(SECRETS.hide(str(error)))))
        else:
            self.note(Ended(state="interrupted"))
        self._backlog.finish()
        self._thread.join(None if self._waits else _END_S if kind is None else _INTERRUPTED_S)
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
            self._waits = True
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
        self._backlog.put(frame, held_bytes(frame.picture))

    def begin(self, stream: VideoStream) -> _Tap | None:
        """The thread that reads a stream: see `streamer.sources.decode.packet_tap.PacketTap`."""
        if stream.codec_context.name not in PACKET_CODECS or self._backlog.closed:
            return None
        with self._lock:
            number = self._streams
            self._streams += 1
        low_delay, path = bool(stream.codec_context.flags & int(Flags.low_delay)), self._folder / packets_name(number)
        try:
            file = PacketFile(path, stream, low_delay=low_delay)
        except (av.error.FFmpegError, OSError, ValueError) as error:  # such as a size that is not known yet
            log.warning("%s: cannot be written (%s); pictures are kept without loss instead", path, reason(error))
            path.unlink(missing_ok=True)
            return None
        self._backlog.put(Began(number, file, low_delay), _LINE_BYTES)
        return _Tap(number, self._backlog)

    # the recorder's thread

    def _run(self) -> None:
        writer = Writer(self._folder, self._events)
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
    """Hands packets of one stream to the recorder; see `streamer.sources.decode.packet_tap.StreamTap`."""

    def __init__(self, number: int, backlog: Backlog[Item]) -> None:
        self.number = number
        self._backlog = backlog

    def packet(self, packet: Packet[VideoStream]) -> None:
        """A copy goes to the recorder."""
        copy: Packet[Any] = Packet(bytes(packet))
        copy.is_keyframe = packet.is_keyframe
        self._backlog.put(Came(self.number, copy, packet.is_discard), packet.size + _LINE_BYTES)


def _check_empty(folder: Path) -> None:
    try:
        if next(folder.iterdir(), None) is not None:
            raise ConfigError(f"--record {folder}: the folder is not empty; name a new one")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"--record {folder}: {error.strerror}; name a new folder") from error

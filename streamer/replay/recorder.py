"""Records a live run while it runs.

The threads of the run queue events; the recorder's own thread writes them. A live run never waits for the disk: if the
disk is too slow or full, the recording ends with one warning, the run continues, and the recording can be replayed up
to there. Created, entered and left by the main thread.
"""

from __future__ import annotations

import dataclasses
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Self

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.config.settings import TrackerSettings
from streamer.errors import ConfigError, Interrupted
from streamer.flow.observers import PacketReceiver, RunObserver, RunSetup
from streamer.interfaces import StreamInfo
from streamer.media.ffmpeg_log import reason
from streamer.replay.event_log import (
    EVENTS,
    Event,
    FramesEntered,
    FramesSettled,
    RunEnded,
    event_of,
)
from streamer.replay.header import HEADER, Header
from streamer.replay.media_files import PACKET_CODECS, PacketFile
from streamer.replay.write_queue import WriteQueue
from streamer.replay.writer import Item, PacketFileOpened, PacketReceived, Writer, packets_name
from streamer.system import paths
from streamer.system.secrets import SECRETS, redacted
from streamer.system.threads import Thread
from streamer.values.delivery import Delivery
from streamer.values.frame import Frame, held_bytes
from streamer.values.states import FrameState

log = logging.getLogger(__name__)

MOST_BYTES = 256 * 2**20
"""Limit of the write queue: some 7 s of uncompressed 1280x720 at 25 frames/s, much more of packets."""
_LINE_BYTES = 1000
_END_S, _INTERRUPTED_S = 10.0, 1.0
"""How long the end of a live run waits for the disk."""
_NOT_LIVE = (
    "only live runs are recorded, because a file gives the same result each time; set source.live, or detector.latency "
    "to simulate a live run"
)


class Recorder(RunObserver):
    """Writes a recording of the run that it observes.

    Args:
        folder: of the recording; created if it does not exist.
        source: as the user named it.
        tracker: settings of the run's tracker.
        most_bytes: limit of the write queue.

    Raises:
        ConfigError: the folder is not empty or cannot be read. On entering: it cannot be written.
    """

    wants_packets = True
    wants_exact_decoding: ClassVar[bool] = True

    def __init__(self, folder: Path, source: str, tracker: TrackerSettings, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self.destination = f"recording the run in {folder}; 'streamer replay {folder}' repeats it"
        self._source = source
        self._tracker = tracker
        self._queue: WriteQueue[Item] = WriteQueue(most_bytes)
        self._made = False
        # Display thread, then main thread:
        self._started = False
        self._waits = False
        self._thread = Thread("recorder", self._run)
        _check_empty(folder)

    def __enter__(self) -> Self:
        self._made = not paths.exists(self._folder)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._events = (self._folder / EVENTS).open("x", encoding="utf-8", newline="\n", buffering=1)
        except OSError as error:
            raise self._unwritable(error) from error
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if kind is None:
            self._note(RunEnded(state="complete"))
        elif issubclass(kind, Exception) and not issubclass(kind, Interrupted):
            self._note(RunEnded(state="failed", message=paths.readable(SECRETS.hide(str(error)))))
        else:
            self._note(RunEnded(state="interrupted"))
        self._queue.finish()
        self._thread.join(None if self._waits else _END_S if kind is None else _INTERRUPTED_S)
        if self._thread.is_alive():
            log.warning("%s: the disk did not take the end of the recording in time", self._folder)
        elif not self._started:
            self._discard()

    def source_opened(self, info: StreamInfo, *, live: bool) -> None:  # noqa: ARG002
        if not live:
            raise ConfigError(_NOT_LIVE)

    def run_started(self, setup: RunSetup) -> None:
        if setup.simulated:
            self._waits = True
            self._queue.wait_for_room()
        info = setup.info
        header = Header(
            source=paths.readable(redacted(self._source)),
            overlay=setup.overlay,
            delay_s=setup.delay_s,
            every=setup.cadence.every_of(info.average_fps),
            detection_interval_s=setup.cadence.interval_s(info.average_fps),
            tracker=self._tracker.name,
            tracker_options=self._tracker.options,
            names=setup.labels.names,
            mids=setup.labels.mids,
            info=dataclasses.replace(
                info, name=paths.readable(info.name), path=info.path and paths.readable(info.path), files=()
            ),
        )
        partial = self._folder / f".{HEADER}.partial"
        try:
            partial.write_text(SECRETS.hide(header.model_dump_json(indent=2)) + "\n", encoding="utf-8")
            partial.replace(self._folder / HEADER)
        except OSError as error:
            raise self._unwritable(error) from error
        self._started = True

    def stream_opened(self, number: int, stream: VideoStream) -> PacketReceiver | None:
        if stream.codec_context.name not in PACKET_CODECS or self._queue.closed:
            return None
        low_delay, path = bool(stream.codec_context.flags & int(Flags.low_delay)), self._folder / packets_name(number)
        try:
            file = PacketFile(path, stream, low_delay=low_delay)
        except (av.error.FFmpegError, OSError, ValueError) as error:  # such as a size that is not known yet
            log.warning("%s: cannot be written (%s); frames are stored losslessly instead", path, reason(error))
            path.unlink(missing_ok=True)
            return None
        self._queue.put(PacketFileOpened(number, file, low_delay), _LINE_BYTES)

        def receive(packet: Packet[VideoStream]) -> None:
            copy: Packet[Any] = Packet(bytes(packet))
            copy.is_keyframe = packet.is_keyframe
            self._queue.put(PacketReceived(number, copy, packet.is_discard), packet.size + _LINE_BYTES)

        return receive

    def frame_captured(self, frame: Frame) -> None:
        self._queue.put(frame, held_bytes(frame.picture))

    def delivered(self, delivery: Delivery) -> None:
        self._note(event_of(delivery))

    def frames_entered(self, frames: int) -> None:
        self._note(FramesEntered(frames=frames))

    def frames_settled(self, state: FrameState, cause: str, frames: int) -> None:
        self._note(FramesSettled(state=state, cause=cause, frames=frames))

    def _note(self, event: Event) -> None:
        self._queue.put(event, _LINE_BYTES)

    # the recorder's thread

    def _run(self) -> None:
        writer = Writer(self._folder, self._events)
        try:
            for item in self._queue:
                writer.write(item)
            if self._queue.overrun:
                self._give_up("the disk is too slow for it")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._give_up(reason(error))
        finally:
            self._queue.close()
            writer.close()

    def _give_up(self, why: str) -> None:
        if not self._queue.closed:
            self._queue.close()
            log.warning(
                "recording to %s ended: %s; the run goes on, and what is there can be replayed", self._folder, why
            )

    # main thread

    def _discard(self) -> None:
        """Remove the files of a recording whose run never started."""
        with suppress(OSError):
            for path in self._folder.iterdir():
                path.unlink()
            if self._made:
                self._folder.rmdir()

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(f"cannot record in {self._folder}: {error.strerror}; choose another folder")


def _check_empty(folder: Path) -> None:
    try:
        if next(folder.iterdir(), None) is not None:
            raise ConfigError(f"cannot record in {folder}: the folder is not empty; name a new one")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"cannot record in {folder}: {error.strerror}; name a new folder") from error

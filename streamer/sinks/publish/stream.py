"""Annotated live streams over RTSP, RTMP and MPEG-TS, and live playlists (HLS), with low delay.

The main thread enters and leaves the sink. One thread in between writes it, which encodes. The connection is a separate
process (`streamer.sinks.publish.process`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from streamer.config.output import OutputEntry
from streamer.errors import SinkError, SinkUnavailable
from streamer.features import SinkContext
from streamer.interfaces import Scene
from streamer.network.reachability import CHECK_EVERY_S, answers
from streamer.sinks.outage import Outage, RetryingSink
from streamer.sinks.publish.link import LinkLost
from streamer.sinks.publish.publisher import StreamPublisher
from streamer.sinks.publish.target import parse_target
from streamer.system.backoff import LONGEST_S, Backoff

log = logging.getLogger(__name__)


class StreamSink(RetryingSink):
    """Publishes scenes as they arrive.

    If a server cannot be reached, or accepts no data for `process.STALL_S`, scenes are skipped. The sink tries again
    after growing waits (`Backoff`), or as soon as a server that could not be reached answers. Every connection starts
    with a keyframe at time 0 and continues in media time.

    Args:
        entry: `to` is `rtsp://`, `rtsps://`, `rtmp://`, `rtmps://`, `udp://` (MPEG-TS, also multicast), `hls:folder/`
            or a path that ends in `.m3u8`; user and password as in `rtsp://user:password@host/path`. `codec` is `h264`
            (the default), `hevc`, over RTSP also `vp8`, or an encoder's name such as `h264_nvenc`. `bit_rate_kbps` is
            the target and the maximum; without it, a fixed quality below a limit that follows from size and rate.
            `pixel_format` `auto` is 8 bit 4:2:0. If `required`, a server that cannot be reached is an error.
            `on_change` scales frames of another size, or opens a new connection.
        context: audio of `passthrough` is sent. A change of the audio codec opens a new connection.
        clock: monotonic seconds.
        backoff: waits between attempts.

    Attributes:
        notes: differences from the input, one line each; complete after the sink is left.
        written: number of scenes that were sent; replaced by the writing thread, read by any.

    Raises:
        SinkUnavailable: an unusable address, codec or option; on entering too, and then also for a server that
            cannot be reached if it is `required`.
        SinkError: from `write`, if the encoder fails, or the connection of a `required` sink.
    """

    schemes = ("rtsp", "rtsps", "rtmp", "rtmps", "udp", "srt", "hls")
    stage = "publish"
    main_thread = False
    wants_picture = True

    def __init__(
        self,
        entry: OutputEntry,
        context: SinkContext,
        *,
        clock: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        self.notes: list[str] = []
        self.written = 0
        self._entry = entry
        self._context = context
        self._target = parse_target(entry.to, entry.transport)
        self._clock = clock
        self._outage = Outage(self._target.name, clock, backoff or Backoff())
        self._refusals = Backoff(LONGEST_S / 2, LONGEST_S)
        self._unreachable = False  # nothing answered at the last attempt
        self._probe_s = 0.0  # when to check next whether the server answers
        self._busy = threading.Lock()  # held by the thread that uses the publisher
        self._leaving = threading.Event()
        self._publisher: StreamPublisher | None = None

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """An address of a stream, or a playlist."""
        return super().accepts(entry) or _is_playlist(entry)

    @classmethod
    def keeps_all(cls, entry: OutputEntry) -> bool:
        """True for a playlist, which is a recording; viewers of other streams get the newest frame."""
        return _is_playlist(entry)

    @property
    def destination(self) -> str:
        """The address or playlist, for the start of a run."""
        return f"publishing to {self._target.name}"

    @property
    def files(self) -> Sequence[Path]:
        """The playlist, once it has a scene; empty for an address."""
        return (Path(self._target.url),) if self._target.folder is not None and self.written else ()

    def __enter__(self) -> Self:
        info, passthrough = replace(self._context.info, path=None), self._context.passthrough
        publisher = StreamPublisher(self._target, info, self._entry, passthrough, self._clock, self._report)
        if self._entry.required:
            try:
                publisher.connect()
            except LinkLost as lost:
                publisher.close(ends_playlist=False)
                raise SinkUnavailable(f"cannot publish to {self._target.name}: {_remedy(lost)}") from None
            self._succeed(opened=True)
        self._publisher = publisher
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._leaving.set()
        if not self._busy.acquire(blocking=False):
            # Another thread still waits in `write`; killing the process of the connection ends that wait.
            if self._publisher is not None:
                self._publisher.kill()
            log.warning("%s: the last scenes were cut off, because a write still waited", self._target.name)
            return
        try:
            publisher, self._publisher = self._publisher, None
            if publisher is not None:
                publisher.close(ends_playlist=self.written > 0)
            if self.skipped:
                self.notes.append(f"{self.skipped} scenes were not published: no connection to {self._target.name}")
        finally:
            self._busy.release()

    def write(self, scene: Scene) -> None:
        """Send the scene, or skip it while there is no connection.

        Waits at most `link.CONNECT_S` for an answer of the server, and `process.STALL_S` for it to accept data.
        """
        with self._busy:
            publisher = self._publisher
            if publisher is None or self._leaving.is_set():
                raise SinkError(f"{self._target.name} is not open: enter the sink before writing")
            if not publisher.is_connected and self._waits():
                self._skip(scene, publisher)
                return
            try:
                opened = publisher.send(scene)
            except LinkLost as lost:
                publisher.disconnect(lost=True)
                self._fail(lost)
                self._skip(scene, publisher)
            else:
                self._succeed(opened=opened)
                self.written += 1

    def _waits(self) -> bool:
        """Whether it is too early for another attempt, also because a server that was unreachable still is."""
        if not self._outage.waits:
            return False
        now_s = self._clock()
        if not self._unreachable or now_s < self._probe_s:
            return True
        self._probe_s = now_s + CHECK_EVERY_S
        return not answers(self._target.url)

    def _succeed(self, *, opened: bool) -> None:
        if opened:
            self._outage.opened()
        returned = self._outage.lasts
        if self._outage.succeed() and not returned:
            log.info("%s: publishing", self._target.name)

    def _fail(self, lost: LinkLost) -> None:
        was_connected, self._outage.connected = self._outage.connected, False
        if self._leaving.is_set():
            return
        if self._entry.required:
            raise SinkError(f"cannot publish to {self._target.name}: {_remedy(lost)}")
        why = f"lost ({lost.why})" if was_connected else f"cannot be reached: {_remedy(lost)}"
        if lost.refused:
            why = _remedy(lost)
        wait_s = self._outage.fail(
            f"{self._target.name}: {why}",
            kind="refused" if lost.refused else "lost",
            backoff=self._refusals if lost.refused else None,
        )
        self._probe_s = self._clock() + CHECK_EVERY_S
        self._unreachable = not lost.replied and wait_s > CHECK_EVERY_S and not answers(self._target.url)

    def _skip(self, scene: Scene, publisher: StreamPublisher) -> None:
        publisher.skip(scene)
        self._outage.skip()

    def _report(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)
            log.warning("%s: %s", self._target.name, line)


def _is_playlist(entry: OutputEntry) -> bool:
    return entry.scheme == "hls" or (not entry.scheme and entry.to.lower().endswith(".m3u8"))


def _remedy(lost: LinkLost) -> str:
    if not lost.refused:
        return f"{lost.why} (check host and port, and start the server first)"
    return f"refused ({lost.why}); check user, password and path"

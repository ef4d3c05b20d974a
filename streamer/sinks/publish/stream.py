"""Annotated live streams: publishing over RTSP, RTMP and MPEG-TS, and playlists (HLS), with low delay, for weeks.

Entered and left by the main thread, written by one thread in between, which encodes; the connection is a process of
its own (`stream_process` says why).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from streamer.config.output import OutputEntry
from streamer.errors import SinkError, SinkUnavailable
from streamer.features import SinkContext, SinkFeature
from streamer.interfaces import Scene, StreamInfo
from streamer.network.reachability import KNOCK_EVERY_S, answers
from streamer.sinks.publish import hls
from streamer.sinks.publish.encoder import EncodedPacket, StreamEncoder
from streamer.sinks.publish.link import LinkLost, StreamLink
from streamer.sinks.publish.sound import StreamSound
from streamer.sinks.publish.target import StreamTarget, parse_target
from streamer.system.backoff import LONGEST_S, Backoff

log = logging.getLogger(__name__)

_STABLE_S = 10.0  # a connection that lasts: the next outage begins with short waits again


class StreamSink(SinkFeature):
    """Publishes scenes as they come, the annotated picture where there is one, else the frame's own.

    A server that is away, or that takes nothing for `stream_process.STALL_S`, is left; scenes are skipped, and it is
    tried again after waits that grow (`Backoff`), sooner once somebody answers where nobody did. Every connection
    starts with a key frame at time 0, and goes on in media time.

    Args:
        entry: `to` is `rtsp://`, `rtsps://`, `rtmp://`, `rtmps://`, `udp://` (MPEG-TS, also multicast), `hls:folder/`
            or a path that ends in `.m3u8`; user and password as in `rtsp://user:password@host/path`. `codec` is `h264`
            (the default), `hevc`, over RTSP also `vp8`, or an encoder's name such as `h264_nvenc`. `bit_rate_kbps` is
            the target and the maximum; without it, a fixed quality below a limit that follows from size and rate.
            `pixel_format` `auto` is 8 bit 4:2:0. If `required`, a server that is away is an error. `on_change` scales
            pictures of another size, or opens a new connection.
        context: sound of `passthrough` is sent. Sound of another kind in mid-stream opens a new connection.
        clock: monotonic seconds; for waits between attempts and what is said of them.
        backoff: the waits between attempts.

    Attributes:
        notes: what is not exactly as in the input, one line each; complete after the sink is left.
        written: scenes that were sent.
        skipped: scenes that were not, because there was no connection.
        connected: whether there is one.

    `written`, `skipped` and `connected` are replaced by the writing thread, never changed in place, so that any thread
    may read them.

    Raises:
        SinkUnavailable: an address, codec or option that cannot work; on entering too, and then also for a server that
            is away if it is `required`.
        SinkError: from `write`, when the encoder fails, or the connection of a `required` sink.
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
        self.skipped = 0
        self.connected = False
        self._target = parse_target(entry.to, entry.transport)
        self._info = replace(context.info, path=None)
        self._entry = entry
        self._required = bool(entry.required)
        self._on_change = entry.on_change or "rescale"
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._refusals = Backoff(LONGEST_S / 2, LONGEST_S)
        self._busy = threading.Lock()  # held by whoever may use encoder and link
        self._leaving = threading.Event()
        self._entered = False
        self._passthrough = context.passthrough
        self._sound: StreamSound | None = None  # there between entering and leaving, if there is any
        self._encoder: StreamEncoder | None = None  # of the connection
        self._link: StreamLink | None = None
        self._opened_s = 0.0
        self._sent_s = 0.0  # when the last scene was sent
        self._blank = False  # the connection holds no scene yet
        self._lost_s: float | None = None  # since when there is no connection
        self._retry_s = float("-inf")
        self._knock_s = 0.0
        self._absent = False  # nobody answered when the last try failed
        self._outage = 0  # scenes skipped since then
        self._said: set[bool] = set()  # of this outage: whether "refused" and "lost" were told

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """An address of a stream, or a playlist."""
        return super().accepts(entry) or _is_playlist(entry)

    @classmethod
    def keeps_all(cls, entry: OutputEntry) -> bool:
        """A playlist is recorded; who watches another stream wants the newest frame."""
        return _is_playlist(entry)

    @classmethod
    def from_settings(cls, entry: OutputEntry, context: SinkContext) -> Self:
        """The sink, not yet entered."""
        return cls(entry, context)

    def __enter__(self) -> Self:
        encoder = self._new_encoder(self._info)  # refuses a codec or option that cannot work, connected or not
        if self._target.folder is not None:
            self._target = hls.prepare(self._target, self._info.average_fps)
        if self._passthrough is not None:
            self._sound = StreamSound(self._passthrough, self._target, self._say)
        if self._required:
            try:
                self._open(self._target, encoder, encoder.encode_blank())
            except LinkLost as lost:
                self._disconnect(lost=True)
                raise SinkUnavailable(f"cannot publish to {self._target.name}: {_remedy(lost)}") from None
            self._blank = True
            self._succeed()
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leaving.set()
        if not self._busy.acquire(blocking=False):
            # Another thread still waits in `write`. Its process is the one thing that may be touched, and ending that
            # wakes it.
            link = self._link
            if link is not None:
                link.kill()
            log.warning("%s: still being written when it was left: cut off", self._target.name)
            return
        try:
            self._disconnect()
            if self._target.folder is not None and self.written:
                hls.end(self._target)
            self._entered = False
            if self._sound is not None:
                self._sound.close()
            if self.skipped:
                self.notes.append(f"{self.skipped} scenes were not published: {self._target.name} was away")
        finally:
            self._busy.release()

    def write(self, scene: Scene) -> None:
        """Send the scene's picture, or skip it while there is no connection.

        Waits at most `stream_link.CONNECT_S` for an answer of the server, and `stream_process.STALL_S` for it to take
        data.
        """
        with self._busy:
            if not self._entered or self._leaving.is_set():
                raise SinkError(f"{self._target.name} is not open: enter the sink before writing")
            if self._link is None and self._waits():
                self._skip(scene)
                return
            try:
                self._send(scene)
            except LinkLost as lost:
                self._lose(lost)
                self._skip(scene)
            else:
                self._succeed()
                self.written += 1

    def _waits(self) -> bool:
        """Whether it is too early for the next try: before its time, unless somebody answers where nobody did."""
        now_s = self._clock()
        if now_s >= self._retry_s:
            return False
        if not self._absent or now_s < self._knock_s:
            return True
        self._knock_s = now_s + KNOCK_EVERY_S
        return not answers(self._target.url)

    def _send(self, scene: Scene) -> None:
        picture = scene.picture if scene.picture is not None else scene.frame.picture
        shown = replace(self._info, width=picture.width, height=picture.height, pixel_format=picture.format.name)
        shown = replace(shown, sample_aspect_ratio=scene.frame.sample_aspect_ratio or shown.sample_aspect_ratio)
        if self._encoder is not None and self._on_change == "reopen" and shown != self._encoder.info:
            log.info("%s: pictures are %dx%d now: reopened", self._target.name, shown.width, shown.height)
            self._disconnect()
        if self._sound is not None and self._sound.take(scene.frame.pts * scene.frame.time_base) and self._link:
            log.info("%s: there is other sound now: reopened", self._target.name)
            self._disconnect()
        if self._encoder is not None and self._link is not None:
            try:
                held_s = self._clock() - self._sent_s
                new_key = self._target.folder is not None and held_s > hls.IDLE_S
                self._sent_s = self._clock()
                for packet in self._encoder.encode(scene, self._clock() - self._opened_s, key=new_key):
                    self._link.send(packet)
                if self._sound is not None and self._encoder.offset is not None:
                    for packet in self._sound.packets(self._encoder.offset):
                        self._link.send(packet)
                self._blank = False
                return
            except LinkLost:
                if not self._blank:
                    raise
                # Nothing was lost yet: a server that waited too long for the first scene.
                self._blank = False
                self._disconnect(lost=True)
        encoder = self._new_encoder(shown if self._on_change == "reopen" else self._info)
        self._open(self._target, encoder, encoder.encode(scene))

    def _open(self, target: StreamTarget, encoder: StreamEncoder, first: list[EncodedPacket]) -> None:
        self._link = link = StreamLink(target)
        if self._sound is not None:
            self._sound.choose()
        link.open(encoder, first, self._sound.tracks if self._sound is not None else ())
        self._encoder = encoder
        self._opened_s = self._sent_s = self._clock()

    def _disconnect(self, *, lost: bool = False) -> None:
        link, self._link, self._encoder = self._link, None, None
        if link is None:
            return
        if lost:
            link.kill()
        link.close()

    def _succeed(self) -> None:
        now_s = self._clock()
        if not self.connected:
            if self._lost_s is None:
                log.info("%s: publishing", self._target.name)
            else:
                away_s = now_s - self._lost_s
                log.warning("%s: back after %.1f s, %d scenes skipped", self._target.name, away_s, self._outage)
            self.connected, self._lost_s, self._outage = True, None, 0
            self._said.clear()
        elif now_s - self._opened_s > _STABLE_S:
            self._backoff.reset()

    def _lose(self, lost: LinkLost) -> None:
        self._disconnect(lost=True)
        was_connected, self.connected = self.connected, False
        if self._leaving.is_set():
            return
        if self._required:
            raise SinkError(f"cannot publish to {self._target.name}: {_remedy(lost)}")
        now_s = self._clock()
        self._lost_s = now_s if self._lost_s is None else self._lost_s
        wait_s = (self._refusals if lost.refused else self._backoff).next_s()
        self._retry_s, self._knock_s = now_s + wait_s, now_s + KNOCK_EVERY_S
        self._absent = not lost.replied and wait_s > KNOCK_EVERY_S and not answers(self._target.url)
        if lost.refused not in self._said:
            self._said.add(lost.refused)
            what = "lost" if was_connected else "cannot be reached"
            why = _remedy(lost) if lost.refused else f"{what} ({lost.why})"
            log.warning("%s: %s; trying again, scenes are skipped meanwhile", self._target.name, why)

    def _skip(self, scene: Scene) -> None:
        if self._sound is not None:
            self._sound.drop(scene.frame.pts * scene.frame.time_base)
        self.skipped += 1
        self._outage += 1

    def _new_encoder(self, info: StreamInfo) -> StreamEncoder:
        return StreamEncoder(self._target, info, self._entry, self._say)

    def _say(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)
            log.warning("%s: %s", self._target.name, line)


def _is_playlist(entry: OutputEntry) -> bool:
    return entry.scheme == "hls" or (not entry.scheme and entry.to.lower().endswith(".m3u8"))


def _remedy(lost: LinkLost) -> str:
    if not lost.refused:
        return f"{lost.why}; check host, port and network"
    return f"refused ({lost.why}); check user, password and path"

"""Encodes scenes and sends them over a connection to the target of a stream, which it opens as needed.

Used by the thread that writes the stream sink; any thread may call `kill`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from streamer.config.output import OutputEntry
from streamer.interfaces import Scene, StreamInfo
from streamer.media.passthrough import Passthrough
from streamer.sinks.publish import hls
from streamer.sinks.publish.audio import StreamAudio
from streamer.sinks.publish.encoder import EncodedPacket, StreamEncoder
from streamer.sinks.publish.link import LinkLost, StreamLink
from streamer.sinks.publish.target import StreamTarget

log = logging.getLogger(__name__)


class StreamPublisher:
    """All connections of a stream sink, one after the other. Each starts with a keyframe.

    Args:
        target: of the stream; the folder of a playlist is prepared now.
        info: of the frames.
        entry: settings of the output.
        passthrough: the other streams of the input; None sends the video alone.
        clock: monotonic seconds.
        report: called with a line for everything that differs from the input.

    Attributes:
        is_connected: whether there is a connection.

    Raises:
        SinkUnavailable: an unusable codec, option or folder.
    """

    def __init__(
        self,
        target: StreamTarget,
        info: StreamInfo,
        entry: OutputEntry,
        passthrough: Passthrough | None,
        clock: Callable[[], float],
        report: Callable[[str], None],
    ) -> None:
        self._target, self._info, self._entry = target, info, entry
        self._clock = clock
        self._report = report
        self._new_encoder(info)  # raises now what would fail at every connection
        if target.folder is not None:
            self._target = hls.prepare(target, info.average_fps)
        self._audio = None if passthrough is None else StreamAudio(passthrough, self._target, report)
        self._encoder: StreamEncoder | None = None
        self._link: StreamLink | None = None
        self._opened_s = 0.0
        self._sent_s = 0.0  # time of the last scene
        self._blank = False  # no scene was sent over this connection yet

    @property
    def is_connected(self) -> bool:
        return self._link is not None

    def connect(self) -> None:
        """Open a connection with a black frame, before there is a scene. Raises LinkLost."""
        encoder = self._new_encoder(self._info)
        self._open(encoder, encoder.encode_blank())
        self._blank = True

    def send(self, scene: Scene) -> bool:
        """Send a scene over the connection, which is opened if there is none. Returns whether it was opened.

        Raises:
            LinkLost: the connection failed.
            SinkError: the encoder failed.
        """
        picture = scene.shown
        aspect = scene.frame.sample_aspect_ratio or self._info.sample_aspect_ratio
        shown = replace(
            self._info,
            width=picture.width,
            height=picture.height,
            pixel_format=picture.format.name,
            sample_aspect_ratio=aspect,
        )
        reopens = self._entry.on_change == "reopen"
        if self._encoder is not None and reopens and shown != self._encoder.info:
            log.info("%s: frames are %dx%d now: reconnecting", self._target.name, shown.width, shown.height)
            self.disconnect()
        if self._audio is not None and self._audio.take(scene.frame.pts * scene.frame.time_base) and self._link:
            log.info("%s: the audio of the input changed: reconnecting", self._target.name)
            self.disconnect()
        if self._encoder is not None and self._link is not None:
            try:
                self._send(scene, self._encoder, self._link)
                return False
            except LinkLost:
                if not self._blank:
                    raise
                self.disconnect(lost=True)  # no scene was lost: the server waited too long for the first one
        encoder = self._new_encoder(shown if reopens else self._info)
        self._open(encoder, encoder.encode(scene))
        return True

    def skip(self, scene: Scene) -> None:
        """Discard the audio up to the time of a scene that is not sent."""
        if self._audio is not None:
            self._audio.drop(scene.frame.pts * scene.frame.time_base)

    def disconnect(self, *, lost: bool = False) -> None:
        """End the connection, if there is one: in an orderly way, or at once if it was lost."""
        link, self._link, self._encoder = self._link, None, None
        self._blank = False
        if link is None:
            return
        if lost:
            link.kill()
        link.close()

    def close(self, *, ends_playlist: bool) -> None:
        """End the connection and the use of the input's audio."""
        self.disconnect()
        if self._target.folder is not None and ends_playlist:
            hls.end(self._target)
        if self._audio is not None:
            self._audio.close()

    def kill(self) -> None:
        """End the connection at once, from any thread; a `send` that waits raises LinkLost."""
        link = self._link
        if link is not None:
            link.kill()

    def _send(self, scene: Scene, encoder: StreamEncoder, link: StreamLink) -> None:
        now_s = self._clock()
        new_key = self._target.folder is not None and now_s - self._sent_s > hls.IDLE_S
        self._sent_s = now_s
        for packet in encoder.encode(scene, now_s - self._opened_s, key=new_key):
            link.send(packet)
        if self._audio is not None and encoder.offset is not None:
            for packet in self._audio.packets(encoder.offset):
                link.send(packet)
        self._blank = False

    def _open(self, encoder: StreamEncoder, first: list[EncodedPacket]) -> None:
        self._link = link = StreamLink(self._target)
        if self._audio is not None:
            self._audio.choose()
        link.open(encoder, first, () if self._audio is None else self._audio.tracks)
        self._encoder = encoder
        self._opened_s = self._sent_s = self._clock()

    def _new_encoder(self, info: StreamInfo) -> StreamEncoder:
        return StreamEncoder(self._target, info, self._entry, self._report)

"""A live input that FFmpeg reads: from packets to pictures, with every wait bounded and every loss told.

Opened, read and closed by the thread of its connection.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from streamer.errors import SourceLost
from streamer.interfaces import Damage, PacketTap, StreamInfo
from streamer.media.ffmpeg_log import Line, reason
from streamer.media.passthrough_streams import PassthroughStream, describe_streams, passthrough_packet
from streamer.sources.damage.frame_numbers import FrameNumbers
from streamer.sources.damage.loss import BEFORE_KEY_FRAME, LossWatch
from streamer.sources.damage.nal_units import holds_picture
from streamer.sources.decode.container import describe
from streamer.sources.decode.deinterlacing import Deinterlace, Deinterlacer
from streamer.sources.decode.geometry import Geometry
from streamer.sources.decode.missing_parameters import has_unknown_parameters
from streamer.sources.decode.stream_facts import live_rate_of
from streamer.sources.live.connection import LiveItem, LivePacket, LivePicture
from streamer.sources.live.eras import NO_ERA, Era, Eras
from streamer.sources.live.interrupt import ended_also_by
from streamer.sources.live.paced import Pace
from streamer.sources.live.programme import CHANGED, ProgrammeWatch
from streamer.sources.network.sender_clock import SenderClock
from streamer.values.frame import FrameKey

_UNTIMED = frozenset({"mpjpeg", "mjpeg", "h264", "hevc"})
"""Formats without time stamps: FFmpeg counts pictures at 25 a second, whatever the camera does."""
_MOST_HELD = 32  # packets that a decoder may hold: 16 places of reordering (H.264, A.3.1), twice for fields


class LiveContainerConnection:
    """An open container whose pictures arrive by themselves.

    Args:
        container: opened for reading by this thread, which `streamer.sources.live.interrupt` wakes.
        stream: its video stream.
        name: without credentials.
        pace: of pictures that come in bursts and are played at their own times; None to give them as they come.
        tap: told of the packets.
        audio: give the packets of its sound too.
        said: what FFmpeg logged while it was opened.
        deinterlace: which pictures to make progressive.
        eras: tells the jumps of the sender's clock, which `pace` is to follow.

    Attributes:
        closed: called when the connection is closed.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        name: str,
        pace: Pace | None = None,
        tap: PacketTap | None = None,
        *,
        audio: bool = True,
        said: Sequence[Line] = (),
        deinterlace: Deinterlace = "off",
        eras: Eras | None = None,
    ) -> None:
        self._pace = pace
        self._eras = eras
        self._container = container
        self._stream = stream
        self._name = name
        self._info: StreamInfo | None = None
        self._geometry = Geometry(container, stream, name)
        self._programme = ProgrammeWatch(container, stream)
        self.closed: Callable[[], None] = lambda: None
        self._loss = LossWatch(
            stream.codec_context.codec.name,
            key_frames_only=stream.codec_context.name in ("mjpeg", "rawvideo"),
            said_before=said,
            numbers=FrameNumbers(stream.codec_context.extradata or b"") if stream.codec.name == "h264" else None,
        )
        self._deinterlacer = Deinterlacer(deinterlace)
        self._deinterlaces = deinterlace != "off"
        self._sender = SenderClock(stream)
        self._packets: Any = container.demux()  # a generator, which PyAV's stubs do not tell
        self._held = 0
        # Several pictures at once would each wait for the next ones; and log lines must come from this thread.
        stream.codec_context.thread_type = "SLICE"
        stream.codec_context.thread_count = 1
        # A picture comes out of the decoder when others have gone in: it carries the era of its own packet.
        stream.codec_context.flags |= int(Flags.low_delay | Flags.copy_opaque)
        self._tap = None if tap is None else tap.begin(stream)
        self._pictures = 0
        sound = [one for one in container.streams if one.type == "audio" and audio and not has_unknown_parameters(one)]
        self._sound = dict(zip((one.index for one in sound), describe_streams(sound), strict=True))
        for one in container.streams:
            one.discard = Discard.default if one is stream or one.index in self._sound else Discard.all

    @property
    def streams(self) -> Sequence[PassthroughStream]:
        """See `streamer.sources.live.connection.SoundConnection`."""
        return tuple(self._sound.values())

    @property
    def info(self) -> StreamInfo:
        """See `streamer.sources.live.connection.Connection`."""
        assert self._info is not None, "asked before the first picture"
        return self._info

    def pictures(self) -> Iterator[LiveItem]:
        """See `streamer.sources.live.connection.Connection`."""
        with self._loss.listening():
            failed: BaseException | None = None
            try:
                with ended_also_by(lambda: not self._programme.unchanged()):
                    yield from self._read()
            except (av.error.FFmpegError, OSError) as error:
                failed = error
            yield from self._drain()
        if failed is not None:
            raise SourceLost(f"{self._name}: reading failed: {reason(failed)}") from failed

    def close(self) -> None:
        """Release the connection to the camera."""
        # Else its time-out goes on, and ends the farewell (RTSP's TEARDOWN) of a connection that is given up.
        self._packets.close()
        self._container.close()
        self.closed()

    def _read(self) -> Iterator[LiveItem]:
        """Everything until the end of the stream."""
        while True:
            try:
                self._packets = self._container.demux()
                for packet in self._packets:
                    if not self._programme.unchanged():
                        break
                    sound = self._sound.get(packet.stream_index)
                    if packet.size and packet.stream_index == self._stream.index:
                        yield from self._take(packet, time.monotonic())
                    elif packet.size and sound is not None and (packet.pts is not None or packet.dts is not None):
                        yield LivePacket(sound, passthrough_packet(packet), time.monotonic(), self._era_of(packet))
                self._check_programme()
                return
            except BlockingIOError:
                yield None  # not the end: what comes later can still be read
            except av.error.ExitError:
                self._check_programme()
                yield None  # not wanted any more: whoever asked for this ends here
                raise

    def _check_programme(self) -> None:
        if self._programme.change:
            raise SourceLost(f"{self._name}: {self._programme.change}", CHANGED)

    def _era_of(self, packet: Packet[Any]) -> Era:
        if self._eras is None:
            return NO_ERA
        ticks = packet.pts if packet.dts is None else packet.dts
        return self._eras.of(packet.stream_index, None if ticks is None else float(ticks * packet.time_base))

    def _drain(self) -> Iterator[LivePicture | Damage | None]:
        """What the decoder holds back at the end."""
        with contextlib.suppress(av.error.FFmpegError):
            for picture in self._stream.decode(None):
                self._held -= 1
                yield from self._picture(picture, time.monotonic(), 0.0)
        if self._held > 0:
            yield Damage("decode error", self._held, "never came out of the decoder")

    def _take(self, packet: Packet[Any], arrived_s: float) -> Iterator[LivePicture | Damage | None]:
        self._sender.take(packet)
        if self._eras is not None:
            packet.opaque = self._era_of(packet)
        if not self._loss.admits(packet):
            yield Damage(BEFORE_KEY_FRAME)
            return
        self._held += 1
        if self._tap is not None:
            self._tap.packet(packet)
        started_s = time.perf_counter()
        try:
            pictures = self._stream.decode(packet)
        except av.error.FFmpegError as error:
            self._held -= 1
            if not holds_picture(self._stream.codec_context.name, bytes(packet)):
                yield None
                return
            words = self._loss.decoder_failed(reason(error))
            yield Damage("decode error", 1, words)
            return
        self._loss.decoded(packet)
        if not pictures and not holds_picture(self._stream.codec_context.name, bytes(packet)):
            self._held -= 1
        decode_s = (time.perf_counter() - started_s) / max(len(pictures), 1)
        for picture in pictures:
            self._held -= 1
            yield from self._picture(picture, arrived_s, decode_s)
        if self._held > _MOST_HELD:  # the decoder swallowed it
            self._held -= 1
            yield Damage("decode error", 1, "dropped by the decoder")
        if not pictures:
            yield None

    def _picture(self, picture: av.VideoFrame, arrived_s: float, decode_s: float) -> Iterator[LivePicture | None]:
        time_base = self._stream.time_base or Fraction(1, 1000)
        pts = None if self._container.format.name in _UNTIMED else picture.pts
        damage, words = self._loss.verdict_of(picture)
        upright = self._geometry.upright(self._deinterlacer.progressive(picture), time_base)
        ratio = self._geometry.sample_aspect_ratio
        key = None if self._tap is None or upright is not picture else FrameKey(self._tap.number, self._pictures)
        self._pictures += 1
        self._programme.picture_came()
        if self._info is None:
            info = describe(self._stream, upright, self._name, self._geometry, live=True)
            order = 1 if self._deinterlaces else info.field_order
            self._info = replace(info, average_fps=live_rate_of(self._stream), field_order=order)
        era = picture.opaque if isinstance(picture.opaque, Era) else NO_ERA
        if self._pace is not None and pts is not None:
            yield from self._pace.until(float(pts * time_base), era)
            arrived_s = time.monotonic()
        wall_clock_s = self._sender.wall_clock_s(pts)
        orientation = self._geometry.orientation
        yield LivePicture(
            upright, pts, time_base, arrived_s, decode_s, wall_clock_s, damage, words, key, ratio, orientation, era
        )

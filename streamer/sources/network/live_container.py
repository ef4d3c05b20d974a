"""A live input that FFmpeg reads: from packets to frames. Every wait can be interrupted and every loss is reported.

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

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost
from streamer.interfaces import Damage, StreamInfo
from streamer.media.ffmpeg_log import Line, reason
from streamer.media.packet_tap import PacketTap
from streamer.media.passthrough_streams import PassthroughStream, describe_streams, passthrough_packet
from streamer.sources.damage.frame_numbers import FrameNumbers
from streamer.sources.damage.loss import BEFORE_KEY_FRAME, LossDetector
from streamer.sources.damage.nal_units import holds_picture
from streamer.sources.decode.deinterlacing import Deinterlacer
from streamer.sources.decode.geometry import Geometry
from streamer.sources.decode.missing_parameters import has_unknown_parameters
from streamer.sources.decode.opening import choose_video
from streamer.sources.decode.stream_facts import live_rate_of
from streamer.sources.decode.stream_info import describe
from streamer.sources.live.clock_epochs import NO_EPOCH, ClockEpoch, ClockEpochs
from streamer.sources.live.connection import LiveFrame, LiveItem, LivePacket
from streamer.sources.live.interrupt import ended_also_by
from streamer.sources.live.paced import Pace
from streamer.sources.live.programme import CHANGED, ProgrammeWatch
from streamer.sources.network.sender_clock import SenderClock
from streamer.values.frame import FrameKey

_UNTIMED = frozenset({"mpjpeg", "mjpeg", "h264", "hevc"})
"""Formats without time stamps: FFmpeg numbers their frames at 25 per second, whatever the camera does."""
_MAX_HELD = 32  # packets that a decoder may hold: 16 places of reordering (H.264, A.3.1), twice for fields


class LiveContainerConnection:
    """An open container whose frames arrive in real time; see `streamer.sources.live.connection.Connection`.

    Args:
        container: opened for reading by this thread (see `streamer.sources.live.interrupt`); closed with the connection
            and if it has no video.
        name: without credentials.
        settings: of the source.
        packet_tap: gets the video packets.
        pace: plays frames that arrive in bursts at their own times; None to return each frame as it arrives.
        epochs: finds the jumps of the sender's clock, for `pace`.
        log_lines: what FFmpeg logged while the container was opened.

    Attributes:
        closed: called when the connection is closed.
    """

    def __init__(
        self,
        container: InputContainer,
        name: str,
        settings: SourceSettings,
        packet_tap: PacketTap | None = None,
        *,
        pace: Pace | None = None,
        epochs: ClockEpochs | None = None,
        log_lines: Sequence[Line] = (),
    ) -> None:
        self._container = container
        self._name = name
        self._pace = pace
        self._epochs = epochs
        self._info: StreamInfo | None = None
        self.closed: Callable[[], None] = lambda: None
        self._held = 0
        self._decoded = 0
        try:
            self._stream = choose_video(container, name)
            self._set_up(settings, log_lines)
            self._stream_tap = None if packet_tap is None else packet_tap.begin(self._stream)
        except BaseException:
            container.close()
            raise

    def _set_up(self, settings: SourceSettings, log_lines: Sequence[Line]) -> None:
        container, stream = self._container, self._stream
        self._geometry = Geometry(container, stream, self._name)
        self._programme = ProgrammeWatch(container, stream)
        self._loss = LossDetector(
            stream.codec_context.codec.name,
            key_frames_only=stream.codec_context.name in ("mjpeg", "rawvideo"),
            log_lines=log_lines,
            numbers=FrameNumbers(stream.codec_context.extradata or b"") if stream.codec.name == "h264" else None,
        )
        self._deinterlacer = Deinterlacer(settings.deinterlace)
        self._deinterlaces = settings.deinterlace != "off"
        self._sender = SenderClock(stream)
        self._packets: Any = container.demux()  # a generator, which PyAV's stubs do not say
        # With frame threads each frame waits for the next ones; and log lines must come from this thread.
        stream.codec_context.thread_type = "SLICE"
        stream.codec_context.thread_count = 1
        # The decoder returns a frame after it got later packets: the frame carries the epoch of its own packet.
        stream.codec_context.flags |= int(Flags.low_delay | Flags.copy_opaque)
        audio = [one for one in container.streams.audio if settings.audio and not has_unknown_parameters(one)]
        self._audio = dict(zip((one.index for one in audio), describe_streams(audio), strict=True))
        for one in container.streams:
            one.discard = Discard.default if one is stream or one.index in self._audio else Discard.all

    @property
    def streams(self) -> Sequence[PassthroughStream]:
        """See `streamer.sources.live.connection.AudioConnection`."""
        return tuple(self._audio.values())

    @property
    def info(self) -> StreamInfo:
        """See `streamer.sources.live.connection.Connection`."""
        assert self._info is not None, "asked before the first frame"
        return self._info

    def frames(self) -> Iterator[LiveItem]:
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
        """Close the connection to the camera."""
        # Otherwise its time-out keeps running, and cuts off the TEARDOWN of RTSP.
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
                    audio = self._audio.get(packet.stream_index)
                    if packet.size and packet.stream_index == self._stream.index:
                        yield from self._decode(packet, time.monotonic())
                    elif packet.size and audio is not None and (packet.pts is not None or packet.dts is not None):
                        yield LivePacket(audio, passthrough_packet(packet), time.monotonic(), self._epoch_of(packet))
                self._check_programme()
                return
            except BlockingIOError:
                yield None  # not the end: later data can still be read
            except av.error.ExitError:
                self._check_programme()
                yield None  # the connection is cancelled: the reader stops here
                raise

    def _check_programme(self) -> None:
        if self._programme.change:
            raise SourceLost(f"{self._name}: {self._programme.change}", CHANGED)

    def _epoch_of(self, packet: Packet[Any]) -> ClockEpoch:
        if self._epochs is None:
            return NO_EPOCH
        ticks = packet.pts if packet.dts is None else packet.dts
        return self._epochs.of(packet.stream_index, None if ticks is None else float(ticks * packet.time_base))

    def _drain(self) -> Iterator[LiveFrame | Damage | None]:
        """The frames that the decoder still holds at the end."""
        with contextlib.suppress(av.error.FFmpegError):
            for picture in self._stream.decode(None):
                self._held -= 1
                yield from self._frame(picture, time.monotonic(), 0.0)
        if self._held > 0:
            yield Damage("decode error", self._held, "the decoder returned no frame")

    def _decode(self, packet: Packet[Any], arrived_s: float) -> Iterator[LiveFrame | Damage | None]:
        self._sender.take(packet)
        if self._epochs is not None:
            packet.opaque = self._epoch_of(packet)
        if not self._loss.admits(packet):
            yield Damage(BEFORE_KEY_FRAME)
            return
        self._held += 1
        if self._stream_tap is not None:
            self._stream_tap.packet(packet)
        started_s = time.perf_counter()
        try:
            pictures = self._stream.decode(packet)
        except av.error.FFmpegError as error:
            self._held -= 1
            if not self._holds_picture(packet):
                yield None
                return
            yield Damage("decode error", 1, self._loss.decoder_failed(reason(error)))
            return
        self._loss.decoded(packet)
        if not pictures and not self._holds_picture(packet):
            self._held -= 1
        decode_s = (time.perf_counter() - started_s) / max(len(pictures), 1)
        for picture in pictures:
            self._held -= 1
            yield from self._frame(picture, arrived_s, decode_s)
        if self._held > _MAX_HELD:
            self._held -= 1
            yield Damage("decode error", 1, "dropped by the decoder")
        if not pictures:
            yield None

    def _holds_picture(self, packet: Packet[Any]) -> bool:
        return holds_picture(self._stream.codec_context.name, bytes(packet))

    def _frame(self, picture: av.VideoFrame, arrived_s: float, decode_s: float) -> Iterator[LiveFrame | None]:
        time_base = self._stream.time_base or Fraction(1, 1000)
        pts = None if self._container.format.name in _UNTIMED else picture.pts
        damage, detail = self._loss.verdict_of(picture)
        upright = self._geometry.upright(self._deinterlacer.progressive(picture), time_base)
        is_kept = self._stream_tap is not None and upright is picture
        key = FrameKey(self._stream_tap.number, self._decoded) if self._stream_tap is not None and is_kept else None
        self._decoded += 1
        self._programme.frame_arrived()
        if self._info is None:
            info = describe(self._stream, upright, self._name, self._geometry, live=True)
            order = 1 if self._deinterlaces else info.field_order
            self._info = replace(info, average_fps=live_rate_of(self._stream), field_order=order)
        epoch = picture.opaque if isinstance(picture.opaque, ClockEpoch) else NO_EPOCH
        if self._pace is not None and pts is not None:
            yield from self._pace.until(float(pts * time_base), epoch)
            arrived_s = time.monotonic()
        yield LiveFrame(
            upright,
            pts,
            time_base,
            arrived_s,
            decode_s,
            wall_clock_s=self._sender.wall_clock_s(pts),
            damage=damage,
            damage_detail=detail,
            key=key,
            sample_aspect_ratio=self._geometry.sample_aspect_ratio,
            orientation=self._geometry.orientation,
            epoch=epoch,
        )

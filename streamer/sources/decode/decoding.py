"""Decodes the packets of one video stream and counts lost frames.

Owned by the thread that iterates it; PyAV decoders must not be shared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import av
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.interfaces import Damage
from streamer.media.ffmpeg_log import reason
from streamer.media.packet_tap import StreamTap
from streamer.sources.decode.packets import PacketReader

_IN_FLIGHT = 32
"""Packets that a decoder may hold: 16 threads (FFmpeg's limit) and a reordering of 16 frames (H.264, A.3.1)."""
_MILLISECOND = Fraction(1, 1000)


class FrameDecoder:
    """The frames of one stream in presentation order, as FFmpeg's decoder returns them.

    A packet that fails is counted, and decoding continues with the next one.

    Args:
        reader: of the packets; its damage is included here.
        stream: the video that it reads, not decoded yet.
        threads: decoder threads, 0 for one per processor.
        frame_threads: decode several frames at once (faster, needs the memory of `threads` frames); otherwise slices.

    Attributes:
        reader: as given.
        damage: losses since the owner last emptied the list.
        packets: number of packets from the demuxer.
        frames: number of decoded frames.
        errors: number of failed packets, `errors_since_frame` of those after the last frame.
        lost: total number of frames in `damage`.
        damaged: something failed, or a packet or frame was flagged as corrupt.
        corrupt_times: presentation times of the packets that the demuxer flagged.
        end_position: byte in the file after the last packet, 0 if unknown.
        first_dts: decoding time of the first packet, None if it has none.
        incomplete: the last packet was truncated by the end of the file.
        tap: gets each packet that is decoded, if not None.
        begin_pts: leave out the packets before the keyframe with this presentation time; none if None.
    """

    def __init__(
        self, reader: PacketReader, stream: VideoStream, *, threads: int = 0, frame_threads: bool = True
    ) -> None:
        self.reader = reader
        self._stream = stream
        self.damage: list[Damage] = []
        self.packets = self.frames = self.errors = self.errors_since_frame = self.lost = 0
        self.damaged = False
        self.corrupt_times: set[int | None] = set()
        self.end_position = 0
        self._without_frame = 0
        self._failed: deque[Damage] = deque()
        self._reported = 0
        self.first_dts: int | None = None
        self.incomplete = False
        self.tap: StreamTap | None = None
        self.begin_pts: int | None = None
        stream.codec_context.thread_count = threads
        stream.codec_context.thread_type = av.codec.context.ThreadType.AUTO if frame_threads else "SLICE"

    def __iter__(self) -> Iterator[av.VideoFrame]:
        for packet in self.read():
            yield from self.decode(packet)
        yield from self.decode(None)
        self._count_vanished()

    def read(self) -> Iterator[Packet[VideoStream]]:
        """The packets that contain data."""
        for packet in self.reader:
            if self.begin_pts is not None and not (packet.is_keyframe and packet.pts == self.begin_pts):
                continue
            self.begin_pts = None
            self._take_losses()
            self._count(packet)
            if packet.size:  # an empty packet would drain the decoder
                yield packet
        self._take_losses()

    def _take_losses(self) -> None:
        while self.reader.damage:
            self._lose(self.reader.damage.pop(0))

    def _count(self, packet: Packet[VideoStream]) -> None:
        if not self.packets:
            self.first_dts = packet.dts
        self.packets += 1
        self._without_frame += packet.is_discard or not packet.size
        self.incomplete = packet.is_corrupt
        self.end_position = (packet.pos or 0) + packet.size
        if packet.is_corrupt:
            self.damaged = True
            self.corrupt_times.add(packet.pts)

    def decode(self, packet: Packet[VideoStream] | None) -> list[av.VideoFrame]:
        """The frames that the decoder returns for a packet; None drains it at the end."""
        if self.tap is not None and packet is not None:
            self.tap.packet(packet)
        try:
            frames = self._stream.decode(packet)
        except av.error.EOFError:  # drained already
            return []
        except av.error.FFmpegError as error:
            self.damaged = True
            self.errors += 1
            self.errors_since_frame += 1
            self._failed.append(Damage("decode error", 1, reason(error)))
            return []
        if frames:
            for frame in frames:
                frame.time_base = self._stream.time_base or _MILLISECOND  # missing when the decoder is drained
            self.frames += len(frames)
            self.errors_since_frame = 0
            self.damaged = self.damaged or any(frame.is_corrupt for frame in frames)
            self._report_failed(_IN_FLIGHT)
        return frames

    def idle(self) -> None:
        """Wait until the decoder's threads are idle; call it before the container is closed.

        PyAV frees a decoder while it holds the GIL and waits for its threads, which may need the GIL to log a line.
        """
        self._stream.codec_context.flush_buffers()

    def _count_vanished(self) -> None:
        """Count the frames that vanished without an error, in a stream that is known to be damaged.

        PyAV hides an error that occurs together with a frame of another packet, and frames in the decoder are lost when
        the last packets fail; decoders drop some bad packets silently. Streams with packets that are not frames are
        excluded: VP8 has hidden reference frames, H.264 may have a packet for each field.
        """
        self._report_failed(0)
        missing = self._outstanding()
        if self.damaged and 0 < missing < self.frames // 4 and self._stream.codec_context.name != "vp8":
            self._lose(Damage("decode error", missing, "dropped by the decoder"))

    def _outstanding(self) -> int:
        """The number of packets for which neither a frame nor a loss is counted yet."""
        return self.packets - self._without_frame - self.frames - self._reported

    def _report_failed(self, in_flight: int) -> None:
        """Report failed packets once their frames can no longer appear: decoders return some in spite of an error."""
        while self._failed and self._outstanding() > in_flight:
            self._reported += 1
            self._lose(self._failed.popleft())

    def _lose(self, damage: Damage) -> None:
        self.damaged = True
        self.lost += damage.frames
        self.damage.append(damage)

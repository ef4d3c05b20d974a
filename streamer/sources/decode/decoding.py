"""From the packets of one video stream to its pictures, counting what is lost on the way.

Owned by the thread that iterates it; PyAV decoders must not be shared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import av
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.interfaces import Damage, StreamTap
from streamer.media.ffmpeg_log import reason
from streamer.sources.decode.packets import PacketReader

_IN_FLIGHT = 32
"""Packets that a decoder may hold: 16 threads (FFmpeg's own limit) and 16 places of reordering (H.264, A.3.1)."""
_MILLISECOND = Fraction(1, 1000)


class FrameDecoder:
    """Pictures of one stream in presentation order, as FFmpeg's decoder gives them.

    A packet that fails is counted and decoding goes on with the next.

    Args:
        reader: of the packets; its own losses are told here too.
        stream: the video that it reads, not decoded from before.
        threads: decoder threads, 0 for as many as the machine has processors.
        frame_threads: decode several pictures at once (faster, `threads` pictures of memory); otherwise parts of one.

    Attributes:
        reader: as given.
        damage: what was lost since the owner last emptied the list.
        packets: how many packets the demuxer gave.
        pictures: how many pictures the decoder gave.
        errors: how many packets failed, and `errors_since_picture` those after the last picture.
        lost: how many pictures `damage` has told of altogether.
        damaged: something failed, or a packet or picture was flagged as corrupt.
        corrupt_times: presentation times of the packets that the demuxer flagged.
        end_position: byte in the file after the last packet, 0 where the container does not tell.
        first_dts: decoding time of the first packet, None where the container does not tell.
        incomplete: the last packet was cut off by the end of the file.
        tap: told of each packet that is decoded; None if nobody is to be.
    """

    def __init__(
        self, reader: PacketReader, stream: VideoStream, *, threads: int = 0, frame_threads: bool = True
    ) -> None:
        self.reader = reader
        self._stream = stream
        self.damage: list[Damage] = []
        self.packets = self.pictures = self.errors = self.errors_since_picture = self.lost = 0
        self.damaged = False
        self.corrupt_times: set[int | None] = set()
        self.end_position = 0
        self._without_picture = 0
        self._failed: deque[Damage] = deque()
        self._told = 0
        self.first_dts: int | None = None
        self.incomplete = False
        self.tap: StreamTap | None = None
        stream.codec_context.thread_count = threads
        stream.codec_context.thread_type = av.codec.context.ThreadType.AUTO if frame_threads else "SLICE"

    def __iter__(self) -> Iterator[av.VideoFrame]:
        for packet in self.read():
            yield from self.decode(packet)
        yield from self.decode(None)
        self._settle()

    def read(self) -> Iterator[Packet[VideoStream]]:
        """Packets that have data."""
        for packet in self.reader:
            self._take_losses()
            self._count(packet)
            if packet.size:  # an empty packet would end the decoder
                yield packet
        self._take_losses()

    def _take_losses(self) -> None:
        while self.reader.damage:
            self._lose(self.reader.damage.pop(0))

    def _count(self, packet: Packet[VideoStream]) -> None:
        if not self.packets:
            self.first_dts = packet.dts
        self.packets += 1
        self._without_picture += packet.is_discard or not packet.size
        self.incomplete = packet.is_corrupt
        self.end_position = (packet.pos or 0) + packet.size
        if packet.is_corrupt:
            self.damaged = True
            self.corrupt_times.add(packet.pts)

    def decode(self, packet: Packet[VideoStream] | None) -> list[av.VideoFrame]:
        """The pictures that come out when a packet goes in, None for what is left at the end."""
        if self.tap is not None and packet is not None:
            self.tap.packet(packet)
        try:
            pictures = self._stream.decode(packet)
        except av.error.EOFError:  # drained already
            return []
        except av.error.FFmpegError as error:
            self.damaged = True
            self.errors += 1
            self.errors_since_picture += 1
            self._failed.append(Damage("decode error", 1, reason(error)))
            return []
        if pictures:
            for picture in pictures:
                picture.time_base = self._stream.time_base or _MILLISECOND  # missing where no packet came along
            self.pictures += len(pictures)
            self.errors_since_picture = 0
            self.damaged = self.damaged or any(picture.is_corrupt for picture in pictures)
            self._tell_failed(_IN_FLIGHT)
        return pictures

    def rest(self) -> None:
        """Let the decoder's threads end what they are at; before the container is closed.

        PyAV frees a decoder under the interpreter's lock, and waits for threads that may wait for it to log a line.
        """
        self._stream.codec_context.flush_buffers()

    def _settle(self) -> None:
        """Count pictures that vanished without an error of their own, in a stream that is known to be damaged.

        PyAV hides an error that comes with a picture of another packet, and cannot reach what the decoder still holds
        when the last packets fail; decoders drop some bad packets silently. Streams whose packets are regularly no
        pictures of their own are left out: VP8 has hidden reference frames, H.264 may have a packet for each field.
        """
        self._tell_failed(0)
        unseen = self._outstanding()
        if self.damaged and 0 < unseen < self.pictures // 4 and self._stream.codec_context.name != "vp8":
            self._lose(Damage("decode error", unseen, "dropped by the decoder"))

    def _outstanding(self) -> int:
        """Packets of which neither a picture nor a loss is known yet."""
        return self.packets - self._without_picture - self.pictures - self._told

    def _tell_failed(self, in_flight: int) -> None:
        """Tell of failed packets once their pictures cannot come any more: decoders give some in spite of an error."""
        while self._failed and self._outstanding() > in_flight:
            self._told += 1
            self._lose(self._failed.popleft())

    def _lose(self, damage: Damage) -> None:
        self.damaged = True
        self.lost += damage.frames
        self.damage.append(damage)

"""The files of a recording that hold pictures: packets as they came, and pictures that came without. Written by the
recorder's thread.

Both are NUT, which keeps the bytes of a packet as they are and can be read up to where its writing stopped.
"""

from __future__ import annotations

import time
from collections import deque
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.replay.pixel_data import crc_of, plain_name, renamed
from streamer.replay.repeatable_decoder import PlainDecoder

PACKET_CODECS = frozenset({"h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "vp8", "vp9"})
"""Those of which NUT was seen to give back every byte, and the decoder then every sample."""
_MILLISECOND = Fraction(1, 1000)
# Every packet is on its way to the disk before the line that speaks of its picture.
_MUXING = {"flush_packets": "1"}


def _written(path: Path) -> OutputContainer:
    # The protocol is named because FFmpeg would take what stands before a colon in a file's name for one.
    return av.open(f"file:{path}", "w", format="nut", container_options=_MUXING)


class PacketFile:
    """The packets of one stream. Made by the thread that reads the stream, then used by the recorder's only.

    Args:
        path: of the file.
        stream: whose packets will come.
        low_delay: whether its decoder is set to give pictures at once.
    """

    def __init__(self, path: Path, stream: VideoStream, *, low_delay: bool) -> None:
        self._decoder = PlainDecoder(stream, low_delay=low_delay)
        self._crcs: deque[int] = deque()
        self._first = 0  # the number of the picture that has the first of these
        self._container: OutputContainer = _written(path)
        try:
            self._stream = self._container.add_stream_from_template(stream)
            self._container.start_encoding()
        except BaseException:
            self._container.close()
            raise
        self._began_s = time.monotonic()
        self._last_ms = -1

    def write(self, packet: Packet[VideoStream], *, discarded: bool) -> None:
        """Add a packet of one's own. Its time becomes that of writing: a sender's need not make sense."""
        self._crcs.extend(map(crc_of, self._decoder.decode(packet, discarded=discarded)))
        self._last_ms = max(self._last_ms + 1, round((time.monotonic() - self._began_s) * 1000))
        packet.stream = self._stream
        packet.pts = packet.dts = self._last_ms
        packet.time_base = _MILLISECOND
        self._container.mux_one(packet)

    def gives(self, number: int, crc: int) -> bool:
        """Whether the picture with that number, which is never asked for again, will come out with these samples.

        Of damaged packets decoders may make what their memory happens to hold.
        """
        if number >= self._first + len(self._crcs):
            self._crcs.extend(map(crc_of, self._decoder.drain()))
        while self._crcs and self._first < number:
            self._crcs.popleft()
            self._first += 1
        return bool(self._crcs) and self._first == number and self._crcs[0] == crc

    def close(self) -> None:
        """Complete the file."""
        self._container.close()


class PictureFile:
    """Pictures of one shape and format, without loss: FFV1 where it knows the format, else uncompressed.

    Args:
        path: of the file.
        first: the first picture.
    """

    def __init__(self, path: Path, first: av.VideoFrame) -> None:
        self.shape = shape_of(first)
        self.count = 0
        """Pictures that were written."""
        self._format = plain_name(first.format.name)
        known = {one.name for one in av.Codec("ffv1", "w").video_formats or ()}
        self._container: OutputContainer = _written(path)
        self._stream: VideoStream = self._container.add_stream("ffv1" if self._format in known else "rawvideo", rate=25)
        self._stream.width, self._stream.height = first.width, first.height
        self._stream.pix_fmt = self._format
        self._stream.codec_context.time_base = self._stream.time_base = _MILLISECOND
        self._stream.codec_context.thread_count = 1

    def write(self, picture: av.VideoFrame) -> int:
        """Add a picture; returns its number."""
        copy = renamed(picture, self._format, copies=True)
        copy.pts, copy.time_base = self.count, _MILLISECOND
        for packet in self._stream.encode(copy):
            self._container.mux_one(packet)
        self.count += 1
        return self.count - 1

    def close(self) -> None:
        """Complete the file."""
        try:
            for packet in self._stream.encode(None):
                self._container.mux_one(packet)
        finally:
            self._container.close()


def shape_of(picture: av.VideoFrame) -> tuple[int, int, str]:
    """What pictures of one file have in common."""
    return picture.width, picture.height, picture.format.name

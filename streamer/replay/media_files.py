"""The media files of a recording: packets of streams, and frames that no packets decode to. Written by the recorder's
thread.

Both are NUT, which keeps the bytes of a packet and can be read up to the point where writing stopped.
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

from streamer.replay.pixel_data import crc_of, encodable_format, with_format
from streamer.replay.repeatable_decoder import RepeatableDecoder

PACKET_CODECS = frozenset({"h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "vp8", "vp9"})
"""Codecs for which tests show that NUT returns every byte and the decoder then every sample."""
_MILLISECOND = Fraction(1, 1000)
# A packet is written before the line in the event log that refers to its frame.
_MUXING = {"flush_packets": "1"}


def _create(path: Path) -> OutputContainer:
    # Without the protocol, FFmpeg would take the part of a file name before a colon for one.
    return av.open(f"file:{path}", "w", format="nut", container_options=_MUXING)


class PacketFile:
    """The packets of one stream. Created by the thread that reads the stream, then used by the recorder's thread.

    Args:
        path: of the file.
        stream: the stream of the packets.
        low_delay: its decoder is set to return frames at once.
    """

    def __init__(self, path: Path, stream: VideoStream, *, low_delay: bool) -> None:
        self._decoder = RepeatableDecoder(stream, low_delay=low_delay)
        self._crcs: deque[int] = deque()
        self._first = 0  # the frame number of the first CRC
        self._container: OutputContainer = _create(path)
        try:
            self._stream = self._container.add_stream_from_template(stream)
            self._container.start_encoding()
        except BaseException:
            self._container.close()
            raise
        self._began_s = time.monotonic()
        self._last_ms = -1

    def write(self, packet: Packet[VideoStream], *, discarded: bool) -> None:
        """Add a packet, which is changed: its time becomes that of writing, as a sender's times may be invalid."""
        self._crcs.extend(map(crc_of, self._decoder.decode(packet, discarded=discarded)))
        self._last_ms = max(self._last_ms + 1, round((time.monotonic() - self._began_s) * 1000))
        packet.stream = self._stream
        packet.pts = packet.dts = self._last_ms
        packet.time_base = _MILLISECOND
        self._container.mux_one(packet)

    def gives(self, number: int, crc: int) -> bool:
        """Whether the frame with this number decodes to these samples. Numbers must rise from call to call.

        From damaged packets a decoder may produce whatever its memory holds.
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


class FrameFile:
    """Frames of one size and format, without loss: FFV1 if it supports the format, else uncompressed.

    Args:
        path: of the file.
        first: the first frame.
    """

    def __init__(self, path: Path, first: av.VideoFrame) -> None:
        self.shape = shape_of(first)
        self._count = 0
        self._format = encodable_format(first.format.name)
        known = {one.name for one in av.Codec("ffv1", "w").video_formats or ()}
        self._container: OutputContainer = _create(path)
        self._stream: VideoStream = self._container.add_stream("ffv1" if self._format in known else "rawvideo", rate=25)
        self._stream.width, self._stream.height = first.width, first.height
        self._stream.pix_fmt = self._format
        self._stream.codec_context.time_base = self._stream.time_base = _MILLISECOND
        self._stream.codec_context.thread_count = 1

    def write(self, picture: av.VideoFrame) -> int:
        """Add a frame; returns its number."""
        copy = with_format(picture, self._format, copies=True)
        copy.pts, copy.time_base = self._count, _MILLISECOND
        for packet in self._stream.encode(copy):
            self._container.mux_one(packet)
        self._count += 1
        return self._count - 1

    def close(self) -> None:
        """Complete the file."""
        try:
            for packet in self._stream.encode(None):
                self._container.mux_one(packet)
        finally:
            self._container.close()


def shape_of(picture: av.VideoFrame) -> tuple[int, int, str]:
    """What all frames of a file have in common: width, height and pixel format."""
    return picture.width, picture.height, picture.format.name

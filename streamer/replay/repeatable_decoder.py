"""From the packets of a recorded stream to its pictures, always in the same way: while it is recorded, to see whether
they are those of the run, and when it is played. Owned by the thread that made it.
"""

from __future__ import annotations

from typing import cast

import av
from av.codec.context import CodecContext, Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream


class PlainDecoder:
    """A decoder that has nothing to do with what the stream was used for before.

    Args:
        stream: its codec.
        low_delay: whether the run's decoder was set to give pictures at once.
    """

    def __init__(self, stream: VideoStream, *, low_delay: bool) -> None:
        told = stream.codec_context
        self._context = cast(VideoCodecContext, CodecContext.create(told.name, "r"))
        self._context.extradata = told.extradata
        self._context.codec_tag = told.codec_tag
        self._context.width, self._context.height = told.width, told.height
        if told.pix_fmt is not None:
            self._context.pix_fmt = told.pix_fmt
        # What is made of damaged packets depends on how many are decoded at once.
        self._context.thread_type, self._context.thread_count = "SLICE", 1
        if low_delay:
            self._context.flags |= int(Flags.low_delay)
        self._packets = 0
        self._unwanted: set[int | None] = set()
        self._drained = False

    def decode(self, packet: Packet[VideoStream], *, discarded: bool) -> list[av.VideoFrame]:
        """The pictures that come out when a packet goes in; its time becomes its number.

        Args:
            packet: the next one.
            discarded: its own picture is not wanted.
        """
        packet.pts = packet.dts = self._packets
        if discarded:
            self._unwanted.add(self._packets)
        self._packets += 1
        return self._pictures(packet)

    def drain(self) -> list[av.VideoFrame]:
        """What it holds back at the end."""
        drained, self._drained = self._drained, True
        return [] if drained else self._pictures(None)

    def _pictures(self, packet: Packet[VideoStream] | None) -> list[av.VideoFrame]:
        try:
            pictures = self._context.decode(packet)
        except av.error.FFmpegError:  # as in the run
            return []
        return [picture for picture in pictures if picture.pts not in self._unwanted]

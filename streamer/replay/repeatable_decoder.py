"""Decodes the packets of a recorded stream, always in the same way.

While a run is recorded, this shows whether its packets decode to its frames; in a replay it makes the frames. Owned by
the thread that created it.
"""

from __future__ import annotations

from typing import cast

import av
from av.codec.context import CodecContext, Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream


class RepeatableDecoder:
    """A new decoder whose output depends on the packets alone.

    Args:
        stream: has the codec and its parameters.
        low_delay: the decoder of the run was set to return frames at once.
    """

    def __init__(self, stream: VideoStream, *, low_delay: bool) -> None:
        declared = stream.codec_context
        self._context = cast(VideoCodecContext, CodecContext.create(declared.name, "r"))
        self._context.extradata = declared.extradata
        self._context.codec_tag = declared.codec_tag
        self._context.width, self._context.height = declared.width, declared.height
        if declared.pix_fmt is not None:
            self._context.pix_fmt = declared.pix_fmt
        # With several threads, damaged packets decode differently each time.
        self._context.thread_type, self._context.thread_count = "SLICE", 1
        if low_delay:
            self._context.flags |= int(Flags.low_delay)
        self._packets = 0
        self._discarded: set[int | None] = set()
        self._drained = False

    def decode(self, packet: Packet[VideoStream], *, discarded: bool) -> list[av.VideoFrame]:
        """The frames that come out when a packet goes in. The packet's time is replaced by its number.

        Args:
            packet: the next one.
            discarded: its own frame is left out.
        """
        packet.pts = packet.dts = self._packets
        if discarded:
            self._discarded.add(self._packets)
        self._packets += 1
        return self._frames(packet)

    def drain(self) -> list[av.VideoFrame]:
        """The frames that the decoder still holds at the end."""
        drained, self._drained = self._drained, True
        return [] if drained else self._frames(None)

    def _frames(self, packet: Packet[VideoStream] | None) -> list[av.VideoFrame]:
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError:  # as in the run
            return []
        return [frame for frame in frames if frame.pts not in self._discarded]

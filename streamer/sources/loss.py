"""Which pictures of a live stream are damaged, as far as the network and the decoder let it be known.

A decoder conceals what is missing and rarely says so: of pictures smeared by lost packets one in twenty is flagged. But
FFmpeg's RTP reader logs every gap in the sequence numbers, on the thread that reads, and all pictures from a gap to the
next intact key frame are built on what was lost. Owned by the thread that reads the connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.packet import Packet
from av.video.stream import VideoStream

from streamer import ffmpeg_log

PACKET_LOSS = "packet loss"
DECODER_TOLD = "decoder error"
_DECODERS = ("h264", "hevc", "mjpeg", "av1", "vp8", "vp9", "mpeg4", "mpeg2video")
_HARMLESS = ("deprecated pixel format", "APP fields", "unable to decode APP")


class LossWatch:
    """Follows packets and pictures of one stream and knows which pictures not to trust.

    Args:
        key_frames_only: every picture stands for itself (MJPEG): damage does not outlive its packet.
    """

    def __init__(self, *, key_frames_only: bool) -> None:
        self._key_frames_only = key_frames_only
        self._began = key_frames_only
        self._damage = ""
        self._intact_keys: list[int | None] = []  # pts of key frames that came whole and have not come out yet
        self._lines: list[ffmpeg_log.Line] = []

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the connection is read: collect what FFmpeg logs on this thread."""
        with ffmpeg_log.listening(av.logging.WARNING) as self._lines:
            yield

    def admits(self, packet: Packet[VideoStream]) -> bool:
        """Whether the packet is for the decoder: nothing is before the first key frame. Call for each packet."""
        missed = self._missed()
        if self._key_frames_only:
            # What misses a packet of MJPEG never comes out of FFmpeg's RTP reader: this picture is the next, whole one.
            self._damage, missed = "", False
        if packet.is_corrupt or missed:
            self._damage = PACKET_LOSS
        elif packet.is_keyframe:
            self._intact_keys.append(packet.pts)
        self._began = self._began or packet.is_keyframe
        return self._began

    def decoder_failed(self) -> None:
        """The decoder refused a packet: what is built on it is damaged too."""
        self._damage = self._damage or DECODER_TOLD

    def damage_of(self, picture: av.VideoFrame) -> str:
        """Why a picture that came out of the decoder is not to be trusted; empty if nothing is known against it."""
        if picture.pts in self._intact_keys:
            self._intact_keys.clear()
            self._damage = ""
        if picture.is_corrupt or self._decoder_complained():
            self._damage = self._damage or DECODER_TOLD
        return self._damage

    def _missed(self) -> bool:
        missed = any("missed" in text or "max delay reached" in text for _, _, text in self._lines)
        self._lines.clear()
        return missed

    def _decoder_complained(self) -> bool:
        complained = any(
            level <= av.logging.WARNING and part in _DECODERS and not any(words in text for words in _HARMLESS)
            for level, part, text in self._lines
        )
        self._lines.clear()
        return complained

"""Which pictures of a live stream are damaged, as far as the network and the decoder let it be known.

A decoder conceals what is missing and rarely says so: of pictures smeared by lost packets one in twenty is flagged. But
FFmpeg's RTP reader logs every gap in the sequence numbers, on the thread that reads, and all pictures from a gap to the
next intact key frame are built on what was lost; so are those after a picture that never was sent
(`streamer.sources.damage.frame_numbers`). What a decoder itself complains about is damage only if it concerns
pixels (`streamer.sources.damage.decoder_messages`). Owned by the thread that reads the connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import av
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.media import ffmpeg_log
from streamer.sources.damage.decoder_messages import means_damage
from streamer.sources.damage.frame_numbers import FrameNumbers

PACKET_LOSS = "packet loss"
DECODER_ERROR = "decoder error"
BEFORE_KEY_FRAME = "before key frame"
PICTURE_MISSING = "picture missing"
_MOST_PENDING = 64
"""Packets whose pictures may still come out: 16 places of reordering (H.264, A.3.1), and many that never come."""


class Verdict(NamedTuple):
    """What is known against a picture: a short and stable cause, empty if nothing is, and FFmpeg's words for it."""

    cause: str = ""
    words: str = ""


class _Decoded(NamedTuple):
    """What was known of a packet once it was decoded, and the how manieth group of pictures it is part of."""

    group: int
    opens: bool
    verdict: Verdict


class LossDetector:
    """Follows packets and pictures of one stream and knows which pictures not to trust.

    Damage begins with a packet, in the order of decoding, and lasts until the next key frame that came whole. Pictures
    that were decoded before it and come out later are sound; those that come out before that key frame, though decoded
    after it, may be built on what was damaged. Where a camera makes no key frames, but refreshes a part of each picture
    (H.264), damage ends with the first refresh that was complete and undamaged.

    Args:
        decoder: FFmpeg's name of the decoder, with which it signs what it logs.
        key_frames_only: every picture stands for itself (MJPEG): damage does not outlive its packet.
        said_before: what FFmpeg logged while the input was opened, which reads packets already. What was missed then
            is missing somewhere in the first group of pictures.
        numbers: of the pictures of a stream that counts them.
    """

    def __init__(
        self,
        decoder: str,
        *,
        key_frames_only: bool,
        said_before: Sequence[ffmpeg_log.Line] = (),
        numbers: FrameNumbers | None = None,
    ) -> None:
        self._decoder = decoder
        self._numbers = numbers
        self._key_frames_only = key_frames_only
        self._began = key_frames_only
        self._now = self._before = Verdict()  # of the group that is decoded, and of the one before it
        self._group = self._shown_group = 0
        self._opens = False
        self._refresh: int | None = None  # pictures until a refresh that has begun, and was not damaged, is complete
        self._pending: dict[int | None, _Decoded] = {}  # by pts
        self._lines: list[ffmpeg_log.Line] = list(said_before)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the connection is read: collect what FFmpeg logs on this thread."""
        with ffmpeg_log.capture_log(av.logging.WARNING) as lines:
            lines += self._lines
            self._lines = lines
            yield

    def admits(self, packet: Packet[VideoStream]) -> bool:
        """Whether the packet is for the decoder: nothing is before the first key frame. Call for each packet."""
        missed = self._missed()
        if self._key_frames_only:
            # What misses a packet of MJPEG never comes out of FFmpeg's RTP reader: this picture is the next, whole one.
            self._now, missed = Verdict(), ""
        gap = "" if self._numbers is None else self._numbers.gap(bytes(packet))
        refresh = FrameNumbers.refresh(bytes(packet)) if packet.is_keyframe and self._numbers is not None else 0
        if packet.is_corrupt or missed:
            self._damaged(PACKET_LOSS, missed)
            self._spread_to_last()
            self._opens = False
        else:
            if gap and self._began:
                self._damaged(PICTURE_MISSING, gap)
            if refresh and not self._began:
                self._damaged(BEFORE_KEY_FRAME, f"the picture is whole {refresh} pictures after the first")
            self._opens = self._is_whole_from(packet, refresh)
        self._began = self._began or packet.is_keyframe
        return self._began

    def _is_whole_from(self, packet: Packet[VideoStream], refresh: int) -> bool:
        """Whether damage ends with a packet: with a key frame, or so many pictures after one that only begins to."""
        if packet.is_keyframe and not refresh:
            self._refresh = None
            return True
        if self._refresh is not None:
            self._refresh -= 1
            if self._refresh <= 0:
                self._refresh = None
                return True
        elif packet.is_keyframe:
            self._refresh = refresh
        return False

    def decoded(self, packet: Packet[VideoStream]) -> None:
        """Call when the decoder has had the packet, before `verdict_of` the pictures that came out."""
        said = [text for _, part, text in self._lines if part == self._decoder and means_damage(part, text)]
        self._lines.clear()
        if said:
            self._damaged(DECODER_ERROR, said[-1])
        elif self._opens:
            self._group += 1
            self._before, self._now = self._now, Verdict()
        self._pending[packet.pts] = _Decoded(self._group, self._opens and not said, self._now)
        if len(self._pending) > _MOST_PENDING:
            del self._pending[next(iter(self._pending))]

    def decoder_failed(self, reason: str) -> str:
        """Call instead when it refused the packet: what is built on it is damaged too. Returns the decoder's words."""
        said = [
            text.strip(". \n") for _, part, text in self._lines if part == self._decoder and means_damage(part, text)
        ]
        self._lines.clear()
        words = said[-1] if said else reason
        self._damaged(DECODER_ERROR, words)
        return words

    def verdict_of(self, picture: av.VideoFrame) -> Verdict:
        """What is known against a picture that came out of the decoder."""
        known = self._pending.pop(picture.pts, None)
        verdict = self._now if known is None else known.verdict
        if known is None or known.opens or known.group == self._shown_group:
            self._shown_group = self._group if known is None else known.group
        elif known.group > self._shown_group:
            verdict = verdict if verdict.cause else self._before
        if picture.is_corrupt and not verdict.cause:
            verdict = Verdict(DECODER_ERROR, "the picture is flagged as corrupt")
            self._spread(verdict, self._group if known is None else known.group)
        return verdict

    def _spread_to_last(self) -> None:
        """A gap may be told only with the packet behind the one that it hit, whose picture is perhaps not out yet."""
        if self._pending:
            pts, last = self._pending.popitem()
            self._pending[pts] = last if last.verdict.cause else last._replace(verdict=self._now)

    def _spread(self, verdict: Verdict, group: int) -> None:
        """What is decoded, and not out yet, is built on a picture that turned out to be damaged."""
        self._pending = {
            pts: one._replace(verdict=verdict) if one.group == group and not one.verdict.cause else one
            for pts, one in self._pending.items()
        }
        if group == self._group and not self._now.cause:
            self._now = verdict
            self._refresh = None

    def _damaged(self, cause: str, words: str) -> None:
        self._refresh = None
        words = words.strip(". \n")
        if not self._now.cause or (cause == self._now.cause and words):
            self._now = Verdict(cause, words)

    def _missed(self) -> str:
        """What FFmpeg's reader says of packets that did not come."""
        missed = [text for _, _, text in self._lines if "missed" in text or "max delay reached" in text]
        self._lines.clear()
        return missed[-1] if missed else ""

"""Which frames of a live stream are damaged, as far as the network and the decoder show it.

A decoder conceals missing data and rarely reports it: it flags one of twenty frames that are smeared after packet loss.
But FFmpeg's RTP reader logs every gap in the sequence numbers, on the thread that reads, and all frames from a gap to
the next intact keyframe depend on lost data. So do the frames after a frame that was never sent
(`streamer.sources.damage.frame_numbers`). A message of the decoder is damage only if it concerns pixels
(`streamer.sources.damage.decoder_messages`). Owned by the thread that reads the connection.
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
_MAX_PENDING = 64
"""Packets whose frames may still be decoded: 16 places of reordering (H.264, A.3.1), and some without a frame."""


class Verdict(NamedTuple):
    """Why a frame is damaged: a short and stable cause, "" for an intact frame, and FFmpeg's message."""

    cause: str = ""
    detail: str = ""


class _Decoded(NamedTuple):
    """State of a packet when it was decoded, and the number of its group of pictures."""

    group: int
    opens: bool
    verdict: Verdict


class LossDetector:
    """Follows the packets and frames of one stream and finds damaged frames.

    Damage begins with a packet, in decoding order, and lasts until the next intact keyframe. Frames that were decoded
    before the damage and are returned later are intact; those that are returned before that keyframe, though decoded
    after it, may depend on damaged data. If a camera sends no keyframes, but refreshes a part of each frame
    (H.264), damage ends with the first refresh that was complete and undamaged.

    Args:
        decoder: FFmpeg's name of the decoder, which is part of its log lines.
        key_frames_only: every frame is a keyframe (MJPEG): damage ends with its packet.
        log_lines: what FFmpeg logged while the input was opened, which reads packets already. What was missed then
            is missing somewhere in the first group of pictures.
        numbers: frame numbers of a stream that has them.
    """

    def __init__(
        self,
        decoder: str,
        *,
        key_frames_only: bool,
        log_lines: Sequence[ffmpeg_log.Line] = (),
        numbers: FrameNumbers | None = None,
    ) -> None:
        self._decoder = decoder
        self._numbers = numbers
        self._key_frames_only = key_frames_only
        self._began = key_frames_only
        self._now = self._before = Verdict()  # of the group that is being decoded, and of the previous one
        self._group = self._shown_group = 0
        self._opens = False
        self._refresh: int | None = None  # frames until an undamaged refresh is complete
        self._pending: dict[int | None, _Decoded] = {}  # by pts
        self._lines: list[ffmpeg_log.Line] = list(log_lines)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the connection is read: collect the log lines of this thread."""
        with ffmpeg_log.capture_log(av.logging.WARNING) as lines:
            lines += self._lines
            self._lines = lines
            yield

    def admits(self, packet: Packet[VideoStream]) -> bool:
        """Whether the packet goes to the decoder; none does before the first keyframe. Call for each packet."""
        missed = self._missed()
        if self._key_frames_only:
            # FFmpeg's RTP reader drops an incomplete MJPEG frame: this packet is the next, intact frame.
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
                self._damaged(BEFORE_KEY_FRAME, f"frames are intact {refresh} frames after the first")
            self._opens = self._is_whole_from(packet, refresh)
        self._began = self._began or packet.is_keyframe
        return self._began

    def _is_whole_from(self, packet: Packet[VideoStream], refresh: int) -> bool:
        """Whether damage ends with a packet: with a keyframe, or when a gradual refresh is complete."""
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
        """Call after the packet was decoded, before `verdict_of` its frames."""
        messages = self._take_decoder_messages()
        if messages:
            self._damaged(DECODER_ERROR, messages[-1])
        elif self._opens:
            self._group += 1
            self._before, self._now = self._now, Verdict()
        self._pending[packet.pts] = _Decoded(self._group, self._opens and not messages, self._now)
        if len(self._pending) > _MAX_PENDING:
            del self._pending[next(iter(self._pending))]

    def decoder_failed(self, reason: str) -> str:
        """Call instead if decoding failed: frames that depend on the packet are damaged too. Returns the message."""
        messages = self._take_decoder_messages()
        detail = messages[-1].strip(". \n") if messages else reason
        self._damaged(DECODER_ERROR, detail)
        return detail

    def _take_decoder_messages(self) -> list[str]:
        messages = [text for _, part, text in self._lines if part == self._decoder and means_damage(part, text)]
        self._lines.clear()
        return messages

    def verdict_of(self, picture: av.VideoFrame) -> Verdict:
        """Whether a frame that the decoder returned is damaged."""
        known = self._pending.pop(picture.pts, None)
        verdict = self._now if known is None else known.verdict
        if known is None or known.opens or known.group == self._shown_group:
            self._shown_group = self._group if known is None else known.group
        elif known.group > self._shown_group:
            verdict = verdict if verdict.cause else self._before
        if picture.is_corrupt and not verdict.cause:
            verdict = Verdict(DECODER_ERROR, "the frame is flagged as corrupt")
            self._spread(verdict, self._group if known is None else known.group)
        return verdict

    def _spread_to_last(self) -> None:
        """Mark the last packet too: a gap may be logged one packet late, before its frame is returned."""
        if self._pending:
            pts, last = self._pending.popitem()
            self._pending[pts] = last if last.verdict.cause else last._replace(verdict=self._now)

    def _spread(self, verdict: Verdict, group: int) -> None:
        """Mark decoded frames that have not been returned yet: they depend on a frame that is damaged."""
        self._pending = {
            pts: one._replace(verdict=verdict) if one.group == group and not one.verdict.cause else one
            for pts, one in self._pending.items()
        }
        if group == self._group and not self._now.cause:
            self._now = verdict
            self._refresh = None

    def _damaged(self, cause: str, detail: str) -> None:
        self._refresh = None
        detail = detail.strip(". \n")
        if not self._now.cause or (cause == self._now.cause and detail):
            self._now = Verdict(cause, detail)

    def _missed(self) -> str:
        """FFmpeg's log line about missing packets; "" if there is none."""
        missed = [text for _, _, text in self._lines if "missed" in text or "max delay reached" in text]
        self._lines.clear()
        return missed[-1] if missed else ""

"""A stream of an input that is copied to an output: its packets, their times, and gaps between them.

Used by the thread that owns the sink.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet

from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.sinks.muxing.adts import without_header
from streamer.sinks.muxing.compatibility import JITTER, SYNC, Fit, check_stream
from streamer.sinks.muxing.timing import MonotonicTicks, Timeline

# ITU-T G.711 codes of the level 0, which is 0 in other uncompressed audio.
_SILENCE = {"pcm_alaw": b"\xd5", "pcm_mulaw": b"\xff", "pcm_u8": b"\x80"}
_NO_SILENCE = ("pcm_u16", "pcm_u24", "pcm_u32", "pcm_bluray", "pcm_dvd")


class CopiedStream:
    """A copied stream in an output container.

    Args:
        kind: FFmpeg's name of the container.
        stream: of the input.
        added: PyAV's stream of the output.
        fit: how the container holds it.
        note: called with a line when the rest of the stream is left out.
        strip: remove the ADTS headers of its packets.

    Attributes:
        added: as given.
        lost: packets that the container refused.
    """

    def __init__(
        self,
        kind: str,
        stream: PassthroughStream,
        added: Any,
        fit: Fit,
        note: Callable[[str], None],
        *,
        strip: bool = False,
    ) -> None:
        self.added = added
        self.lost = 0
        self._kind = kind
        self._stream = stream
        self._fit = fit
        self._note = note
        self._strip = strip
        self._timeline = Timeline(jump=round(1 / stream.time_base), step=0)
        self._rising: MonotonicTicks | None = None  # once the header is written
        self._step = 0  # from one packet to the next, in ticks of the input
        self._end: Fraction | None = None  # of the last packet, seconds
        self._end_known = False  # the last packet has a duration
        self._behind = Fraction(0)  # how much too early packets play in a container without gaps
        self._ended = False

    @property
    def moved(self) -> int:
        """Packets whose times went back and were moved."""
        return self._timeline.moved + self._timeline.restarts

    def try_with(self, packets: Sequence[PassthroughPacket]) -> None:
        """Check the first packets, if there were none before the header was written."""
        if self._fit.tried or not packets or self._stream.is_cover:
            return
        self._fit = check_stream(self._kind, self._stream, packets)
        if not self._fit.holds:
            self._ended = True
            self._note(f"{self._kind} cannot hold the {self._stream.description} of the input: left out")

    def write(self, container: Any, packet: PassthroughPacket, shift: Fraction) -> None:
        """Mux one packet, `shift` seconds later than in the input.

        Raises:
            OSError: the disk refuses.
        """
        if self._ended:
            return
        if self._strip:
            packet = without_header(packet)
        tick = self._stream.time_base
        placed = self._timeline.place(packet.ticks, packet.duration)
        duration = packet.duration or self._step
        time = placed * tick + shift
        if not self._fits_at(container, time, packet):
            return
        later = Fraction(0) if packet.pts is None else (packet.pts - packet.ticks) * tick
        self._mux(container, packet.packet(), time, later, duration * tick)
        if self._end is not None and not packet.duration:
            self._step = max(round((time - self._end) / tick) + self._step, 0)
        self._end, self._end_known = time + duration * tick, duration > 0

    def finish(self, container: Any, shift: Fraction) -> None:
        """Do nothing: no packet is held back."""

    def write_cover(self, container: Any, packet: PassthroughPacket) -> None:
        """Mux a cover picture."""
        self._mux(container, packet.packet(), Fraction(0), Fraction(0), Fraction(0))

    def _fits_at(self, container: Any, time: Fraction, packet: PassthroughPacket) -> bool:
        """Whether a packet plays at its time, perhaps after uncompressed silence that fills the gap before it."""
        began = self._end is not None
        if self._end is None:
            self._behind = Fraction(0) if self._fit.late else time
        elif not self._fit.gaps and packet.duration and self._end_known and abs(time - self._end) > JITTER:
            self._behind += time - self._end
        if self._behind <= SYNC or self._fill(container, time, packet):
            return True
        what = f"cannot hold a gap of {float(self._behind):.3f} s at" if began else "cannot hold a late start at"
        self._ended = True
        description = self._stream.description
        self._note(f"{self._kind} {what} {float(time):.3f} s: the {description} is left out from there on")
        return False

    def _fill(self, container: Any, time: Fraction, like: PassthroughPacket) -> bool:
        """Write silence between the last packet and `time`; whether the codec allows it."""
        stream = self._stream
        samples = round(like.duration * stream.time_base * stream.sample_rate_hz)
        if not stream.codec.startswith("pcm_") or stream.codec.startswith(_NO_SILENCE) or not samples:
            return False
        silence = _SILENCE.get(stream.codec, b"\0") * round(len(like.data) / samples)
        while self._behind > 0:
            piece = min(self._behind, Fraction(1))
            made: Packet[Any] = Packet(silence * round(piece * stream.sample_rate_hz))
            self._mux(container, made, time - self._behind, Fraction(0), piece)
            self._behind -= piece
        return True

    def _mux(self, container: Any, packet: Packet[Any], time: Fraction, later: Fraction, duration: Fraction) -> None:
        """Write a packet with its decoding time, presentation delay and duration in seconds."""
        if self._rising is None:
            self._rising = MonotonicTicks(self.added)
        tick = self._rising.time_base
        packet.dts = ticks = self._rising.place(time)
        packet.pts = ticks + round(later / tick)
        packet.duration = round(duration / tick)
        packet.time_base = tick
        packet.stream = self.added
        try:
            container.mux(packet)
        except av.error.FFmpegError:  # an error of the muxer; one of the file is an OSError
            self.lost += 1

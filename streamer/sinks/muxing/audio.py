"""Transcodes audio for outputs that cannot hold its codec. Samples keep the times of the input's packets.

Used by the thread that writes the sink.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.bitstream import BitStreamFilterContext
from av.packet import Packet

from streamer.errors import SinkError
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream

MOST_OFFSET_S = Fraction(30, 1000)
"""Audio with a larger offset from its times is moved back; ITU-R BT.1359 finds 45 ms noticeable."""
_LONGEST_SILENCE_S = 1
"""A longer gap gets no packets."""
_BITS_PER_CHANNEL = 64_000
"""At this rate, FFmpeg's AAC encoder is hard to distinguish from its input."""
_RATES_HZ = (48_000, 44_100, 32_000)
"""Rates that all players support; a lower rate would also make packets, and so the delay, longer."""
_VARIABLE_FRAME = 1024
# Codecs that browsers and phones play in these containers; AAC in all others.
_ENCODERS = {"webm": "libopus", "ogg": "libopus", "avi": "libmp3lame"}
# AAC has configurations for these (ISO/IEC 14496-3, table 1.19); other layouts become stereo.
_LAYOUTS = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1")


class Transcoder:
    """Decodes one audio stream and encodes it for one output.

    Times of the input are exact to a sample. Short gaps become silence, long ones stay gaps; overlapping samples are
    dropped; a clock that drifts from its samples is followed in steps of `MOST_OFFSET_S`.

    Args:
        container: an output before its header is written; it gets the stream.
        stream: of the input.
        encoder: FFmpeg's name; None for the container's default.
        most_channels: more channels are mixed down to two.

    Attributes:
        stream: of the output, with the encoder.
        codec: its name.
        time_base: seconds per tick of the encoded packets: one sample.
        lost: packets that could not be decoded.

    Raises:
        ValueError: it cannot be decoded, or the output has no audio codec.
    """

    def __init__(
        self, container: Any, stream: PassthroughStream, *, encoder: str | None = None, most_channels: int = 6
    ) -> None:
        self._input = stream
        self._parameters = av.open(io.BytesIO(parameters_of(stream.template)), format="nut")
        # FFmpeg places samples that a decoder skips by the time base of the stream that it was made for.
        self._clock: Fraction = self._parameters.streams.audio[0].time_base or self._input.time_base
        self._decoder: Any = self._parameters.streams.audio[0].codec_context
        source_rate, channels = self._decoder.sample_rate, self._decoder.layout.nb_channels
        if not source_rate or not channels:
            raise ValueError("its rate and channels are not known")
        if channels <= 2:
            self._decoder.layout = _LAYOUTS[channels - 1]  # some PCM formats have no channel layout
        encoder = encoder or _ENCODERS.get(container.format.name, "aac")
        layout = self._decoder.layout.name.removesuffix("(side)")
        if layout not in _LAYOUTS or channels > (most_channels if encoder == "aac" else 2):
            layout = "stereo"
        self._rate = source_rate if source_rate in _RATES_HZ and encoder != "libopus" else _RATES_HZ[0]
        bits = _BITS_PER_CHANNEL * min(channels, _LAYOUTS.index(layout) + 1)
        self.stream: Any = container.add_stream(encoder, rate=self._rate, layout=layout, bit_rate=bits)
        self.codec: str = self.stream.codec_context.codec.canonical_name
        self.time_base = Fraction(1, self._rate)
        self.lost = 0
        self._resampler = AudioResampler(self.stream.codec_context.format, layout, self._rate)
        self._fifo = AudioFifo()
        self._next: int | None = None  # of the first sample in the fifo, in samples since time 0
        self._expected = Fraction(0)  # the time of the next decoded sample, seconds
        self._drop = 0  # overlapping samples that are still to be dropped

    def encode(self, packet: PassthroughPacket) -> list[Packet[Any]]:
        """Encoded packets, in ticks of `time_base`, with the times of the input."""
        made = packet.packet()
        ticks = packet.ticks if packet.pts is None else packet.pts
        made.pts = made.dts = round(ticks * self._input.time_base / self._clock)
        made.time_base = self._clock
        try:
            frames = self._decoder.decode(made)
        except av.error.FFmpegError:
            self.lost += 1
            return []
        return [out for frame in frames for out in self._take(frame)]

    def finish(self) -> list[Packet[Any]]:
        """The last packets."""
        if self._next is None:
            return []
        for frame in self._resampler.resample(None):
            self._write(frame)
        found = list(self._ready())
        rest = self._fifo.read()
        if rest is not None:
            found += self._send(rest)
        return found + list(self.stream.encode(None))

    def _take(self, frame: AudioFrame) -> Iterator[Packet[Any]]:
        at = self._expected if frame.pts is None else frame.pts * self._clock
        if self._next is None:
            self._next, self._expected = round(at * self._rate), at
        late = at - self._expected
        if abs(late) > MOST_OFFSET_S:
            yield from self._step(late)
            self._expected = at
        self._expected += Fraction(frame.samples, frame.sample_rate)
        frame.pts = None
        for resampled in self._resampler.resample(frame):
            self._write(resampled)
        yield from self._ready()

    def _step(self, late: Fraction) -> Iterator[Packet[Any]]:
        """Fill a gap, or drop samples that overlap."""
        samples = round(late * self._rate)
        if samples < 0:
            # After a restart of the clock, times continue from here.
            self._drop -= samples if late > -_LONGEST_SILENCE_S else 0
            return
        assert self._next is not None
        size = self._frame_size
        if late > _LONGEST_SILENCE_S:
            target = self._next + self._fifo.samples + samples
            self._write(self._silence(-self._fifo.samples % size))
            yield from self._ready()
            samples = (target - self._next) % size
            self._next = target - samples
        self._write(self._silence(samples))

    def _write(self, frame: AudioFrame) -> None:
        frame.pts, frame.time_base = None, self.time_base
        if self._drop:
            scratch = AudioFifo()
            scratch.write(frame)
            dropped = scratch.read(self._drop, partial=True)
            self._drop -= dropped.samples if dropped is not None else 0
            kept = scratch.read()
            if kept is None:
                return
            frame = kept
            frame.pts, frame.time_base = None, self.time_base
        self._fifo.write(frame)

    def _ready(self) -> Iterator[Packet[Any]]:
        while (frame := self._fifo.read(self._frame_size)) is not None:
            yield from self._send(frame)

    def _send(self, frame: AudioFrame) -> Iterator[Packet[Any]]:
        assert self._next is not None
        frame.pts, frame.time_base = self._next, self.time_base
        self._next += frame.samples
        yield from self.stream.encode(frame)

    @property
    def _frame_size(self) -> int:
        # 0 until the encoder is open.
        return self.stream.codec_context.frame_size or _VARIABLE_FRAME

    def _silence(self, samples: int) -> AudioFrame:
        context = self.stream.codec_context
        frame = AudioFrame(context.format.name, context.layout.name, samples)
        frame.sample_rate = self._rate
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        return frame


def spill_failure(error: OSError) -> SinkError:
    """The error to raise when packets that wait in a temporary file cannot be read."""
    why = f"cannot read the temporary file of audio packets that wait for their frames: {error.strerror}"
    return SinkError(f"{why}; set TMPDIR to another folder")


def parameters_of(template: Any) -> bytes:
    """The codec parameters of a stream, as a small NUT file with one stream and one packet.

    The stream of that file can be decoded, or be the template of an output stream (`add_with_parameters`).

    Raises:
        ValueError: the parameters are incomplete.
    """
    written = io.BytesIO()
    try:
        container: Any = av.open(written, "w", format="nut")
        added = add_described(container, template)
        added.time_base = Fraction(1, 1000)
        container.start_encoding()
        packet: Packet[Any] = Packet(bytes(16))
        packet.pts = packet.dts = 0
        packet.time_base, packet.stream, packet.is_keyframe = added.time_base, added, True
        container.mux(packet)
        container.close()
    except (av.error.FFmpegError, TypeError) as error:
        raise ValueError(f"its codec parameters are incomplete ({error})") from error
    return written.getvalue()


def add_with_parameters(container: Any, parameters: bytes) -> Any:
    """Add a stream for encoded packets to an output container."""
    with av.open(io.BytesIO(parameters), format="nut") as known:
        # Without NUT's codec tag, which FLV refuses.
        holder = av.open(io.BytesIO(), "w", format="null")
        return add_described(container, holder.add_stream_from_template(known.streams[0], opaque=True))


def add_described(container: Any, template: Any) -> Any:
    """Add an audio stream for encoded packets, with the codec parameters of a template, to an output container.

    PyAV checks FFmpeg's table of codecs, which lacks some that the container holds, such as G.711 in Matroska. So the
    stream is added with a codec of that table, and then gets the parameters of the template.
    """
    name = container.default_audio_codec
    added = container.add_mux_stream("aac" if name == "none" else name, rate=template.codec_context.sample_rate or None)
    BitStreamFilterContext("null", in_stream=template, out_stream=added)
    added.time_base = template.time_base
    return added

"""Videos of one second with audio of many codecs, and the audio of a file."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from streamer.media.passthrough_streams import describe_streams

RATES_HZ = {
    "pcm_alaw": 8000,
    "pcm_mulaw": 8000,
    "g726": 8000,
    "g722": 16000,
    "libopencore_amrnb": 8000,
    "wmav2": 44100,
    "adpcm_ms": 44100,
    "adpcm_ima_wav": 44100,
}
"""Sample rates of codecs that do not use 48 kHz."""
_OPTIONS = {"libopencore_amrnb": {"b": "12200"}, "g726": {"b": "32000"}, "wmav2": {"b": "96000"}}
_MONO = ("g722", "g726", "libopencore_amrnb", "pcm_alaw", "pcm_mulaw")


@dataclass(frozen=True)
class Heard:
    """One audio stream of a file.

    Attributes:
        codec: FFmpeg's name.
        start, end: of its packets, seconds.
        samples: decoded ones, of one channel.
        digest: of all its packets, joined.
    """

    codec: str
    start: Fraction
    end: Fraction
    samples: int
    digest: str


def write_sounds(path: Path, *codecs: str, late_s: Fraction = Fraction(0), gap_s: Fraction = Fraction(0)) -> Path:
    """A video with an audio stream of each encoder, a tone of a second.

    PyAV's own way into a container asks FFmpeg's table of codecs, which denies G.711 and others in Matroska.

    Args:
        late_s: how much later than the picture it begins.
        gap_s: nothing for so long after half of it.
    """
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        encoders = [_encoder(codec) for codec in codecs]
        streams = [_add(output, encoder) for encoder in encoders]
        output.start_encoding()
        packets = []
        for encoder, stream in zip(encoders, streams, strict=True):
            for packet in _encoded(encoder, late_s, gap_s):
                packet.stream = stream
                packets.append(packet)
        for number in range(25 + round((late_s + gap_s) * 25)):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            packets += video.encode(frame)
        packets += video.encode(None)
        for packet in sorted(packets, key=lambda one: one.dts * one.time_base):
            output.mux(packet)
    return path


def _encoder(codec: str) -> Any:
    holder = av.open(io.BytesIO(), "w", format="null")
    options = {"strict": "-2", **_OPTIONS.get(codec, {})}
    stream: Any = holder.add_stream(codec, rate=RATES_HZ.get(codec, 48000), options=options)
    stream.layout = "mono" if codec in _MONO else "stereo"
    stream.time_base = Fraction(1, stream.codec_context.sample_rate)
    holder.start_encoding()
    return stream


def _add(output: Any, encoder: Any) -> Any:
    added = output.add_data_stream()
    BitStreamFilterContext("null", in_stream=encoder, out_stream=added)
    added.time_base = encoder.time_base
    return added


def _encoded(stream: Any, late_s: Fraction, gap_s: Fraction) -> list[Any]:
    context = stream.codec_context
    rate = context.sample_rate
    samples = (np.sin(np.arange(rate) * (2 * np.pi * 440 / rate)) * 8000).astype(np.int16)
    tone = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    tone.sample_rate, tone.pts, tone.time_base = rate, 0, Fraction(1, rate)
    resampler = av.AudioResampler(context.format.name, context.layout.name, rate, context.frame_size or 1000)
    frames = [*resampler.resample(tone), *resampler.resample(None)]
    packets: list[Any] = [packet for frame in [*frames, None] for packet in stream.encode(frame) if packet.size]
    for packet in packets:
        later = late_s + (gap_s if packet.dts * packet.time_base >= Fraction(1, 2) else 0)
        packet.pts += round(later / packet.time_base)
        packet.dts += round(later / packet.time_base)
    return packets


def heard(path: Path) -> list[Heard]:
    """All audio of a file, in the order of its streams."""
    found = []
    with av.open(str(path)) as container:
        described = [one for one in describe_streams(list(container.streams)) if one.kind == "audio"]
        packets: list[Any] = [packet for packet in container.demux() if packet.size]
    for stream in described:
        own = [packet for packet in packets if packet.stream_index == stream.index]
        digest = hashlib.sha256(b"".join(bytes(packet) for packet in own)).hexdigest()
        first, last = (own[0], own[-1]) if own else (None, None)
        start = first.pts * first.time_base if first else Fraction(0)
        end = (last.pts + (last.duration or 0)) * last.time_base if last else Fraction(0)
        found.append(Heard(stream.codec, start, end, _decoded_samples(path, stream.index), digest))
    return found


def _decoded_samples(path: Path, index: int) -> int:
    with av.open(str(path)) as container:
        frames: Any = container.decode(container.streams[index])
        return sum(frame.samples for frame in frames)

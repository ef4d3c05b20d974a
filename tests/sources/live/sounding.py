"""Clips whose audio packets can be identified, and the offset between audio and video in an output."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.values.frame import Frame
from tests.clips import picture, read_number

FPS = 25


def write_sounding(path: Path, *, seconds: int = 8, codec: str = "aac", rate_hz: int = 48000) -> Path:
    """A clip with noise: no two audio packets are equal, and every frame shows its number."""
    generator = np.random.default_rng(1)
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "tune": "zerolatency"})
        video.width, video.height, video.pix_fmt, video.gop_size = 320, 240, "yuv420p", FPS
        sound: Any = output.add_stream(codec, rate=rate_hz)
        sound.layout = "mono"
        step = 1024 if codec == "aac" else rate_hz // 50
        for number in range(seconds * FPS):
            frame = av.VideoFrame.from_ndarray(picture(number, (320, 240)), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            output.mux(video.encode(frame))
            begun, ended = (k * rate_hz // FPS // step for k in (number, number + 1))
            for block in range(begun, ended):
                noise = generator.normal(0, 0.1, step)
                kind = "fltp" if codec == "aac" else "s16"
                values = noise.astype(np.float32) if codec == "aac" else (noise * 32767).astype(np.int16)
                heard = av.AudioFrame.from_ndarray(values[None, :], format=kind, layout="mono")
                heard.sample_rate, heard.pts = rate_hz, block * step
                heard.time_base = Fraction(1, rate_hz)
                output.mux(sound.encode(heard))
        output.mux(sound.encode(None))
        output.mux(video.encode(None))
    return path


def times_of_sound(path: Path) -> Callable[[bytes], Fraction | None]:
    """Maps the bytes of an audio packet to its time in the clip, seconds."""
    with av.open(str(path)) as container:
        (sound,) = container.streams.audio
        packets = [packet for packet in container.demux(sound) if packet.size and packet.pts is not None]
        times = {bytes(packet): (packet.pts or 0) * packet.time_base for packet in packets}
        if not sound.codec_context.name.startswith("pcm_"):
            return times.get
        # Servers split these differently; a sample is a byte.
        samples, rate_hz = b"".join(times), sound.codec_context.sample_rate

    def find(data: bytes) -> Fraction | None:
        at = samples.find(data)
        return None if at < 0 else Fraction(at, rate_hz)

    return find


def steps_s(
    clip: Path, frames: Iterable[Frame], packets: Iterable[tuple[PassthroughStream, PassthroughPacket]]
) -> list[float]:
    """The change of the offset between audio and video compared with the clip, seconds per packet."""
    original = times_of_sound(clip)
    shown = [(frame.pts * frame.time_base, Fraction(read_number(frame.picture), FPS)) for frame in frames]
    found = []
    for stream, packet in packets:
        at = packet.ticks * stream.time_base
        heard = original(packet.data)
        if heard is None:
            continue
        media, own = min(shown, key=lambda one: abs(one[1] - heard))
        found.append(float((at - media) - (heard - own)))
    return found

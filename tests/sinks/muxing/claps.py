"""Flashes and clicks at the same times, with which the sync of frames and audio is measured in an output."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from streamer.interfaces import Scene
from streamer.media.passthrough import Passthrough
from streamer.media.passthrough_streams import (
    PassthroughPacket,
    PassthroughStream,
    describe_streams,
    passthrough_packet,
)
from streamer.sinks.muxing.audio import add_described
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tests.sinks.scenes import LABELS, TIME_BASE, tracks

STEP = 512  # ticks of a scene at 25 frames a second
SIZE = (160, 120)
CLAP_EVERY = 25
CLAP_FIRST = 12
"""The scenes with a clap: once a second, not at the boundaries of files of whole seconds."""
_FIRST_S = CLAP_FIRST * 0.04
_CONTAINERS = {"pcm_mulaw": "mov", "pcm_alaw": "mov", "aac": "mp4"}
"""The container from which a codec's packets are read; Matroska for others."""
_LOUD = 0.1
_SHORT_S = 0.01
_BRIGHT = 128


def click_track(
    codec: str, duration_s: float, *, rate_hz: int = 48_000, layout: str = "mono", container: str | None = None
) -> tuple[PassthroughStream, list[PassthroughPacket]]:
    """An audio stream, as from a source, with a click for each clap of `clap_scene`."""
    wave = np.zeros(round(duration_s * rate_hz), np.int16)
    click = (np.sin(np.arange(round(_SHORT_S * rate_hz)) * (2 * np.pi * 1000 / rate_hz)) * 20_000).astype(np.int16)
    for second in range(math.floor(duration_s - _FIRST_S) + 1):
        start = round((second + _FIRST_S) * rate_hz)
        wave[start : start + len(click)] = click
    written = io.BytesIO()
    with av.open(written, "w", format=container or _CONTAINERS.get(codec, "matroska")) as output:
        stream: Any = output.add_stream(codec, rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    written.seek(0)
    opened: Any
    with av.open(written) as opened:
        (described,) = describe_streams(opened.streams.audio)
        packets = [passthrough_packet(packet) for packet in opened.demux(audio=0) if packet.size]
    # Cameras send 20 ms at a time.
    return described, list(_split(packets, rate_hz // 50)) if codec.startswith("pcm") else packets


def _split(packets: Iterable[PassthroughPacket], samples: int) -> Iterable[PassthroughPacket]:
    whole = b"".join(packet.data for packet in packets)
    for at in range(0, len(whole), samples):
        yield PassthroughPacket(whole[at : at + samples], at, at, samples)


def clap_scene(number: int, *, pts: int | None = None, size: tuple[int, int] = SIZE) -> Scene:
    """A white frame at each clap, black frames otherwise."""
    shown = av.VideoFrame(*size, "yuv420p")
    for plane, level in zip(shown.planes, (235 if number % CLAP_EVERY == CLAP_FIRST else 16, 128, 128), strict=True):
        plane.update(bytes([level]) * plane.buffer_size)
    frame = Frame(shown, number, number * STEP if pts is None else pts, TIME_BASE, 0.0, duration=STEP)
    return Scene(frame, tracks(0), LABELS, FrameState.DETECTED)


def write_claps(path: Path, codec: str, duration_s: float = 3.0, **options: Any) -> Path:
    """A file with claps, with audio in a codec."""
    stream, packets = click_track(codec, duration_s, **options)
    output: Any
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4", rate=25)
        video.width, video.height = SIZE
        sound = add_described(output, stream.template)
        for given in packets:
            packet = given.packet()
            packet.time_base, packet.stream = stream.time_base, sound
            output.mux(packet)
        for number in range(round(duration_s * 25)):
            picture = clap_scene(number).frame.picture
            picture.pts, picture.time_base = number, Fraction(1, 25)
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
    return path


class Feed:
    """The other streams of a live input; packets come at their times plus `late_s`."""

    def __init__(
        self, *given: tuple[PassthroughStream, Sequence[PassthroughPacket]], late_s: float = 0.0, live: bool = True
    ) -> None:
        self.passthrough = Passthrough([stream for stream, _ in given], live=live)
        self._late_s = late_s
        self._waiting = [(stream, iter(packets)) for stream, packets in given]
        self._next = [(stream, next(packets, None), packets) for stream, packets in self._waiting]

    def come(self, scene: Scene) -> Scene:
        """Put the packets that have come when a scene is written."""
        now = float(scene.frame.pts * scene.frame.time_base) - self._late_s
        for index, (stream, packet, packets) in enumerate(self._next):
            while packet is not None and (packet.ticks + packet.duration) * stream.time_base <= now:
                self.passthrough.put(stream, packet)
                packet = next(packets, None)
            self._next[index] = stream, packet, packets
        return scene


def moments(times: Iterable[float]) -> list[float]:
    """The first of each group of adjacent times."""
    found: list[float] = []
    last = float("-inf")
    for time in times:
        if time - last > 0.3:
            found.append(time)
        last = time
    return found


def loud_times(frame: Any) -> list[float]:
    """The times at which decoded audio is loud, seconds."""
    begin = float(frame.pts * frame.time_base)
    return [begin + float(k) / frame.sample_rate for k in np.flatnonzero(_level(frame) > _LOUD)]


def is_bright(frame: Any) -> bool:
    """Whether a decoded picture is white."""
    return bool(frame.reformat(format="gray").to_ndarray().mean() > _BRIGHT)


def _level(frame: Any) -> Any:
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    scale = 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)
    return np.abs(samples[0] / scale)


def clicks(frames: Iterable[Any]) -> list[float]:
    """The begin of each click in decoded audio, seconds."""
    return moments(time for frame in frames for time in loud_times(frame))


def claps_in(path: Path | str) -> tuple[list[float], list[float]]:
    """Flashes and clicks of a file, seconds."""
    bright: list[float] = []
    loud: list[float] = []
    container: Any
    with av.open(str(path)) as container:
        for frame in container.decode(video=0, audio=0):
            if isinstance(frame, av.AudioFrame):
                loud += loud_times(frame)
            elif is_bright(frame):
                bright.append(float(frame.pts * frame.time_base))
    return moments(bright), moments(loud)


def steps(path: Path | str) -> list[float]:
    """The delay of each click after its flash, seconds; all must be paired."""
    seen, heard = claps_in(path)
    assert len(seen) == len(heard), (seen, heard)
    return [click - flash for flash, click in zip(seen, heard, strict=True)]


def receive(url: str, container: str | None, options: dict[str, str]) -> None:
    """Print a live stream as JSON lines: its codecs, then each frame, and when the audio is loud."""
    with av.open(url, format=container, options=options) as opened:
        codecs = [stream.codec_context.name for stream in opened.streams.video + opened.streams.audio]
        print(json.dumps({"codecs": codecs}), flush=True)
        for packet in opened.demux():
            with suppress(av.error.InvalidDataError):  # joined between two key frames
                for frame in packet.decode():
                    print(json.dumps(_told(frame)), flush=True)


def _told(frame: Any) -> dict[str, Any]:
    if frame.pts is None:  # at first over RTSP
        return {"picture": None}
    if isinstance(frame, av.AudioFrame):
        return {"sound": float(frame.pts * frame.time_base), "loud": loud_times(frame)[:1]}
    return {"picture": float(frame.pts * frame.time_base), "bright": is_bright(frame)}

"""Media files of any structure: packets that were encoded once, put into a container at any time and in any order.

A `FilePlan` says which streams there are, when each of their packets is shown, how long it claims to last and where it
stands in the file. `build` makes the file; `contents` tells what a plain demuxer finds in any file.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

from tests.clips import picture, read_number

SIZE = (80, 48)
FPS = 25
PART_NUMBERS = 100
"""How far the numbers in the pictures of one part are from those of the next."""
SOUND_SAMPLES = {
    "aac": 1024, "mp2": 1152, "mp3": 1152, "opus": 960, "pcm_s16le": 960, "flac": 4608, "ac3": 1536,
}  # fmt: skip
"""How many samples one packet of each codec holds."""
_SOUND_HZ = 48000
_TICKS = 14_400_000
"""A second, for packets on their way to a container: what 25 fps, 48 kHz and 90 kHz have in common."""
_NEVER_NEGATIVE = (".flv", ".mpg", ".avi", ".webm", ".mkv", ".mp4", ".mov")
"""Containers that have no times below 0, or hide what is there."""
_VIDEO_OPTIONS = {
    "libx264": {"preset": "ultrafast", "mbtree": "0", "g": "10"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}
_VIDEO_NAMES = {"h264": "libx264", "reordered": "libx264", "vp9": "libvpx-vp9"}
_SOUND_NAMES = {"mp3": "libmp3lame", "opus": "libopus"}


@dataclass(frozen=True, slots=True)
class Encoded:
    """One packet, with times in seconds from the start of its stream."""

    data: bytes
    pts: Fraction
    dts: Fraction
    duration: Fraction
    is_key: bool


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """The packets of one stream and what a container must know of it; `keep` holds what that belongs to."""

    template: Any
    packets: tuple[Encoded, ...]
    keep: Any


@functools.cache
def video_material(codec: str, frames: int, part: int = 0, size: tuple[int, int] = SIZE) -> Material:
    """Pictures 1/25 s apart that show `part * PART_NUMBERS` and up; `reordered` is H.264 with B-frames."""
    name = _VIDEO_NAMES.get(codec, codec)
    held = io.BytesIO()
    with av.open(held, "w", format="nut") as output:
        stream: Any = output.add_stream(name, rate=FPS, options=_VIDEO_OPTIONS.get(name, {}))
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        context = stream.codec_context
        context.thread_count, context.time_base, stream.time_base = 1, Fraction(1, FPS), Fraction(1, FPS)
        if codec == "reordered":
            context.options = context.options | {"bf": "2", "preset": "veryfast"}
            context.max_b_frames = 2
        if codec == "mpeg2video":
            context.max_b_frames = 2
        for number in range(frames):
            shown = av.VideoFrame.from_ndarray(picture(part * PART_NUMBERS + number, size), "rgb24")
            frame = shown.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return _material(held, Fraction(1, FPS))


@functools.cache
def sound_material(codec: str, seconds: Fraction, seed: int = 0) -> Material:
    """Noise, so that no two packets are alike."""
    held = io.BytesIO()
    kind = "ogg" if codec == "flac" else "matroska"
    with av.open(held, "w", format=kind) as output:
        stream: Any = output.add_stream(_SOUND_NAMES.get(codec, codec), rate=_SOUND_HZ)
        stream.layout = "mono"
        count = round(seconds * _SOUND_HZ)
        noise = np.random.default_rng(seed).integers(-3000, 3000, count).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(noise[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _SOUND_HZ, 0, Fraction(1, _SOUND_HZ)
        for piece in _pieces(frame, codec):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return _material(held, Fraction(SOUND_SAMPLES[codec], _SOUND_HZ))


def _pieces(frame: av.AudioFrame, codec: str) -> list[av.AudioFrame]:
    if not codec.startswith("pcm"):
        return [frame]
    samples, pieces = frame.to_ndarray(), []
    for start in range(0, samples.shape[1], 960):
        piece = av.AudioFrame.from_ndarray(samples[:, start : start + 960], format="s16", layout="mono")
        piece.sample_rate, piece.pts, piece.time_base = _SOUND_HZ, start, Fraction(1, _SOUND_HZ)
        pieces.append(piece)
    return pieces


def _material(held: io.BytesIO, step: Fraction) -> Material:
    container: Any = av.open(io.BytesIO(held.getvalue()))
    stream = container.streams[0]
    packets = [packet for packet in container.demux(stream) if packet.size]
    if stream.type == "audio":
        shown = [k * step for k in range(len(packets))]
    else:
        first = min(packet.pts for packet in packets if packet.pts is not None)
        shown = [((packet.pts or 0) - first) * packet.time_base for packet in packets]
    # Decoding times as an encoder counts them: as early as the picture that has to wait longest asks for.
    delay = max(even - time for even, time in zip(sorted(shown), shown, strict=True))
    made = [
        Encoded(bytes(packet), time, even - delay, step, packet.is_keyframe)
        for packet, time, even in zip(packets, shown, sorted(shown), strict=True)
    ]
    return Material(stream, tuple(made), container)


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One stream of a file.

    Attributes:
        codec: of `video_material` or `sound_material`, `subtitle` or `data`.
        length_s: how long it lasts without its gaps.
        start_s: when its first packet is shown.
        gaps: `(k, seconds)`: so much is missing before packet k.
        durations: `right`, `missing` or `absurd`, as the packets claim.
        stretch: every packet lasts so many times as long as it should: slow, sparse video.
    """

    codec: str
    length_s: Fraction = Fraction(1)
    start_s: Fraction = Fraction(0)
    gaps: tuple[tuple[int, Fraction], ...] = ()
    durations: str = "right"
    stretch: int = 1

    @property
    def kind(self) -> str:
        """`video`, `audio`, `subtitle` or `data`."""
        if self.codec in ("subtitle", "data"):
            return self.codec
        return "audio" if self.codec in SOUND_SAMPLES else "video"


@dataclass(frozen=True, slots=True)
class FilePlan:
    """One file, or several that are joined byte by byte.

    Attributes:
        suffix: of the container.
        streams: of every part, the first of them the video.
        offset_s: added to all times.
        lag_s: how far in the file everything but the video stands behind it; before it where that is negative.
        parts: how often the whole is written anew, with other pictures and sound.
        part_starts_s: where the clock of the second and later parts starts, of MPEG-TS.
        options: of the muxer.
    """

    suffix: str
    streams: tuple[StreamPlan, ...]
    offset_s: Fraction = Fraction(0)
    lag_s: Fraction = Fraction(0)
    parts: int = 1
    part_starts_s: tuple[Fraction, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


def build(plan: FilePlan, path: Path) -> Path:
    """Write the file.

    Raises:
        av.error.FFmpegError, ValueError: the container does not take it.
    """
    written = b""
    for part in range(plan.parts):
        start_s = plan.offset_s if part == 0 or not plan.part_starts_s else plan.part_starts_s[part - 1]
        _write_part(plan, path, part, start_s)
        written += path.read_bytes()
    path.write_bytes(written)
    return path


def _write_part(plan: FilePlan, path: Path, part: int, offset_s: Fraction) -> None:
    options = {"max_interleave_delta": "1", "avoid_negative_ts": "disabled"} | dict(plan.options)
    if path.suffix in (".ts", ".mpg"):
        options["muxdelay"] = options["muxpreload"] = "0"
    with av.open(str(path), "w", container_options=options) as output:
        packets: list[tuple[Fraction, int, Any, StreamPlan, Encoded]] = []
        for slot, planned in enumerate(plan.streams):
            stream, encoded = _added(output, planned, part, slot)
            lag_s = Fraction(0) if planned is plan.streams[0] else plan.lag_s
            packets += [(one.dts + lag_s, slot, stream, planned, one) for one in encoded]
        output.start_encoding()
        if path.suffix in _NEVER_NEGATIVE:
            offset_s = max(offset_s, -min(one.dts for *_, one in packets))
        for _, _, stream, planned, one in sorted(packets, key=lambda each: each[:2]):
            output.mux(_packet(stream, planned, one, offset_s))


def _added(output: Any, planned: StreamPlan, part: int, slot: int) -> tuple[Any, list[Encoded]]:
    if planned.kind == "video":
        frames = max(round(planned.length_s * FPS), 1)
        material = video_material(planned.codec, frames, part, SIZE if slot == 0 else (48, 32))
    elif planned.kind == "audio":
        material = sound_material(planned.codec, planned.length_s, part * 10 + slot)
    else:
        return _added_text(output, planned, part, slot)
    return output.add_stream_from_template(material.template, opaque=True), _placed(planned, material.packets)


def _placed(planned: StreamPlan, packets: Sequence[Encoded]) -> list[Encoded]:
    placed = []
    gaps = dict(planned.gaps)
    ranks = {one.pts: rank for rank, one in enumerate(sorted(packets, key=lambda each: each.pts))}
    for k, one in enumerate(packets):
        # A gap moves what is shown after it, wherever that stands.
        shown = sum((s for at, s in gaps.items() if ranks[one.pts] >= at), planned.start_s)
        read = sum((s for at, s in gaps.items() if k >= at), planned.start_s)
        placed.append(
            Encoded(
                one.data,
                one.pts * planned.stretch + shown,
                min(one.dts * planned.stretch + read, one.pts * planned.stretch + shown),
                one.duration * planned.stretch,
                one.is_key,
            )
        )
    return placed


def _added_text(output: Any, planned: StreamPlan, part: int, slot: int) -> tuple[Any, list[Encoded]]:
    if planned.codec == "data":
        stream = output.add_data_stream("klv" if output.format.name == "mpegts" else None)
    else:
        framed = output.format.name in ("mp4", "mov")
        stream = output.add_mux_stream("mov_text" if framed else "subrip")
    stream.time_base = Fraction(1, 1000)
    made = []
    for second in range(max(int(planned.length_s), 1)):
        line = f"{planned.codec} {part} {slot} {second}".encode()
        if planned.codec == "subtitle" and output.format.name in ("mp4", "mov"):
            line = len(line).to_bytes(2, "big") + line
        at = planned.start_s + second
        made.append(Encoded(line, at, at, Fraction(1, 2), True))
    return stream, made


def _packet(stream: Any, planned: StreamPlan, one: Encoded, offset_s: Fraction) -> Any:
    packet: Any = av.Packet(one.data)
    base = packet.time_base = Fraction(1, _TICKS)
    packet.stream = stream
    packet.pts, packet.dts = round((one.pts + offset_s) / base), round((one.dts + offset_s) / base)
    lasts = {"right": one.duration, "missing": Fraction(0), "absurd": Fraction(3600)}[planned.durations]
    packet.duration, packet.is_keyframe = round(lasts / base), one.is_key
    return packet


@dataclass(slots=True)
class Contents:
    """What a plain demuxer and decoder find in a file.

    Attributes:
        numbers: in the pictures of the video.
        times: of those pictures, seconds, None where the file has none.
        step_s: of the clock of the video.
        streams: the other streams in their order, covers and attachments left out.
    """

    numbers: list[int] = field(default_factory=list)
    times: list[Fraction | None] = field(default_factory=list)
    step_s: Fraction = Fraction(0)
    streams: list[OtherStream] = field(default_factory=list)


@dataclass(slots=True)
class OtherStream:
    """A stream besides the video: its index, codec, clock, and each packet's time and bytes."""

    index: int
    kind: str
    codec: str
    step_s: Fraction
    packets: list[tuple[Fraction | None, bytes]] = field(default_factory=list)


def contents(path: Path, *, best: bool = True) -> Contents:
    """What is in a file, in the order in which it stands there; of the best video, or of the first."""
    found = Contents()
    with av.open(str(path)) as container:
        container.flags &= ~1  # no invented times
        video: Any = container.streams.best("video") if best else container.streams.video[0]
        found.step_s = video.time_base
        others: dict[int, OtherStream] = {}
        for stream in container.streams:
            if (
                stream is not video
                and stream.type != "attachment"
                and not stream.disposition & Disposition.attached_pic
            ):
                context: Any = stream.codec_context
                codec = context.name if context is not None else ""
                others[stream.index] = OtherStream(stream.index, stream.type, codec, stream.time_base or Fraction(1))
        for packet in container.demux():
            if packet.stream_index == video.index and packet.size:
                _show(video.decode(packet), video.time_base, found)
            elif packet.stream_index in others and _payload(packet, others[packet.stream_index].codec):
                ticks = packet.dts if packet.pts is None else packet.pts
                time = None if ticks is None else ticks * packet.time_base
                others[packet.stream_index].packets.append((time, _payload(packet, others[packet.stream_index].codec)))
        _show(video.decode(None), video.time_base, found)
    found.streams = list(others.values())
    return found


def _show(frames: Sequence[av.VideoFrame], time_base: Fraction, found: Contents) -> None:
    found.numbers += [read_number(frame) for frame in frames]
    found.times += [None if frame.pts is None else frame.pts * time_base for frame in frames]


def _payload(packet: Any, codec: str) -> bytes:
    """The bytes without what belongs to the container."""
    data = bytes(packet)
    if codec == "aac" and data[:1] == b"\xff" and data[1] & 0xF6 == 0xF0:
        return data[7 if data[1] & 1 else 9 :]  # an ADTS header (ISO/IEC 13818-7, 6.2)
    if codec == "h264":
        return b"".join(_slices(data))
    return b"" if codec == "mov_text" and data == b"\0\0" else data  # which fills a gap


def _slices(data: bytes) -> list[bytes]:
    """The pictures' own NAL units of H.264, whether start codes or lengths part them (ISO/IEC 14496-10, annex B)."""
    if data.startswith((b"\0\0\1", b"\0\0\0\1")):
        units = [unit.rstrip(b"\0") for unit in data.split(b"\0\0\1")]
    else:
        units, at = [], 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            units.append(data[at + 4 : at + 4 + size].rstrip(b"\0"))
            at += 4 + size
    return [unit for unit in units if unit and unit[0] & 0x1F in (1, 5)]

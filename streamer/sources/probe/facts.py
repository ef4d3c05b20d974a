"""The results of a probe, as values that print as short lines or as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from streamer.sources.probe.h273 import UNKNOWN


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """One video stream. Sizes in pixels, colour by FFmpeg's names of the H.273 codes.

    Attributes:
        used: this stream is decoded; for other streams the facts that need decoding are unknown.
        width, height: of the upright frame.
        coded_width, coded_height: as stored, before any rotation.
        frame_rate: `constant`, `variable` or `unknown`, measured on the presentation times.
        rotation: degrees clockwise by which the stored frame is turned; `mirrored` is applied afterwards.
    """

    used: bool
    width: int
    height: int
    coded_width: int
    coded_height: int
    pixel_format: str | None
    bit_depth: int | None
    average_fps: Fraction | None
    frame_rate: str
    frames: int | None
    rotation: int
    mirrored: bool
    sample_aspect_ratio: Fraction
    primaries: str
    transfer: str
    matrix: str
    range: str
    field_order: str


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """One audio stream."""

    sample_rate_hz: int
    channels: int
    layout: str
    sample_format: str | None


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One stream; `video` or `audio` has the rest."""

    index: int
    type: str
    codec: str | None = None
    profile: str | None = None
    language: str | None = None
    title: str | None = None
    disposition: tuple[str, ...] = ()
    bit_rate: int | None = None
    start_s: float | None = None
    duration_s: float | None = None
    video: VideoFacts | None = None
    audio: AudioFacts | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter."""

    title: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Probe:
    """The properties of a source.

    Attributes:
        source: as the user named it.
        container: FFmpeg's short name of the format; `pictures` for a folder or pattern.
        container_name: FFmpeg's long name.
        bit_rate: of all streams, bits/s.
    """

    source: str
    container: str
    container_name: str
    duration_s: float | None = None
    start_s: float | None = None
    bit_rate: int | None = None
    chapters: tuple[Chapter, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    streams: tuple[StreamFacts, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; exact fractions as text such as `30000/1001`."""
        return {key: _plain(value) for key, value in dataclasses.asdict(self).items()}

    def lines(self) -> list[str]:
        """A few short lines for a terminal."""
        parts = [self.container_name, _seconds(self.duration_s), _bit_rate(self.bit_rate)]
        if self.start_s:
            parts.append(f"starts at {self.start_s:g} s")
        lines = [f"{self.source}: {_joined(parts)}"]
        lines += [f"  #{stream.index} {_joined(_stream_parts(stream))}" for stream in self.streams]
        lines += [f"  chapter {part.title!r} {part.start_s:g} to {part.end_s:g} s" for part in self.chapters]
        return lines


def _stream_parts(stream: StreamFacts) -> Iterator[str]:
    codec = " ".join(filter(None, [stream.codec, stream.profile]))
    yield f"{stream.type}: {codec}" if codec else stream.type
    if stream.video is not None:
        yield from _video_parts(stream.video)
    if stream.audio is not None:
        yield f"{stream.audio.sample_rate_hz} Hz"
        yield stream.audio.layout
        yield stream.audio.sample_format or ""
    yield _seconds(stream.duration_s)
    yield _bit_rate(stream.bit_rate)
    yield stream.language or ""
    yield repr(stream.title) if stream.title else ""
    yield " ".join(stream.disposition)


def _video_parts(video: VideoFacts) -> Iterator[str]:
    yield f"{video.width}x{video.height}"
    if video.rotation or video.mirrored:
        mirrored = " and mirrored" if video.mirrored else ""
        yield f"stored {video.coded_width}x{video.coded_height}, turned {video.rotation}°{mirrored}"
    turned = (video.coded_width, video.coded_height)[:: -1 if video.rotation % 180 else 1]
    if turned != (video.width, video.height):
        yield f"cropped from {turned[0]}x{turned[1]}"
    if video.sample_aspect_ratio != 1:
        yield f"pixels {video.sample_aspect_ratio.numerator}:{video.sample_aspect_ratio.denominator}"
    yield f"{video.pixel_format or 'unknown format'} {video.bit_depth or '?'} bit"
    if video.average_fps:
        yield f"{float(video.average_fps):.5g} fps {'' if video.frame_rate == UNKNOWN else video.frame_rate}".strip()
    yield f"{video.frames} frames" if video.frames else ""
    tags = dict.fromkeys(tag for tag in (video.primaries, video.transfer, video.matrix) if tag != UNKNOWN)
    yield " ".join([*("/".join(tags).split()), *([f"{video.range} range"] if video.range != UNKNOWN else [])])
    yield "" if video.field_order == UNKNOWN else video.field_order
    yield "" if video.used else "not used"


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(filter(None, parts))


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f} s"


def _bit_rate(rate: int | None) -> str:
    return f"{rate / 1e6:.3g} Mbit/s" if rate and rate >= 1e6 else f"{rate / 1e3:.3g} kbit/s" if rate else ""


def _plain(value: object) -> object:
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

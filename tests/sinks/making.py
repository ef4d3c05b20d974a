"""Sinks from keyword arguments: those of `OutputEntry`, of `SinkContext`, and of the sink's own constructor."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from streamer.config.output import OutputEntry
from streamer.features import SinkContext
from streamer.interfaces import StreamInfo
from streamer.sinks.mjpeg.mjpeg import MjpegSink
from streamer.sinks.publish.stream import StreamSink
from streamer.sinks.segments.recording import RecordingSink
from streamer.sinks.text.csv_rows import CsvSink
from streamer.sinks.text.json_lines import JsonLinesSink
from streamer.sinks.text.mot_text import MotSink
from streamer.sinks.video.video import VideoSink
from streamer.sinks.window.window import WindowSink

INFO = StreamInfo("made", 64, 48, "yuv420p", Fraction(1, 12800), average_fps=Fraction(25))
S = TypeVar("S")


def made(kind: type[S], to: str | Path, info: StreamInfo = INFO, **options: Any) -> S:
    """A sink, not yet entered."""
    context = {field.name: options.pop(field.name) for field in fields(SinkContext) if field.name in options}
    settings = {name: options.pop(name) for name in OutputEntry.model_fields if name in options}
    return kind(OutputEntry(to=str(to), **settings), SinkContext(info, **context), **options)  # type: ignore[call-arg]


def video_sink(to: str | Path, info: StreamInfo, **options: Any) -> VideoSink:
    return made(VideoSink, to, info, **options)


def recording_sink(to: str | Path, info: StreamInfo, **options: Any) -> RecordingSink:
    return made(RecordingSink, to, info, **options)


def stream_sink(to: str, info: StreamInfo, **options: Any) -> StreamSink:
    return made(StreamSink, to, info, **options)


def mjpeg_sink(to: str, **options: Any) -> MjpegSink:
    return made(MjpegSink, to, **options)


def json_lines_sink(to: Path, **options: Any) -> JsonLinesSink:
    return made(JsonLinesSink, to, **options)


def csv_sink(to: Path, **options: Any) -> CsvSink:
    return made(CsvSink, to, **options)


def mot_sink(to: Path, **options: Any) -> MotSink:
    return made(MotSink, to, **options)


def window_sink(info: StreamInfo = INFO, **options: Any) -> WindowSink:
    return made(WindowSink, "window", info, **options)

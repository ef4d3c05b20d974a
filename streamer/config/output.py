"""Settings of one output. Any thread may read them."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from av.video import format as video_format
from pydantic import Field, field_validator, model_validator

from streamer.config.section import Section, ffmpeg_text
from streamer.errors import ConfigError
from streamer.registry import SINKS
from streamer.system.secrets import redacted, split_credentials
from streamer.system.suggestions import did_you_mean, nearest


class OutputSettings(Section):
    """An annotated video: a file, a recording in segments, a stream, or JPEG frames over HTTP."""

    required: bool | None = None
    """Whether its failure ends a live run; null: true for a file, false for outputs that are tried again."""
    keep: Literal["all", "newest"] | None = None
    """Of a live source: `all` frames, which wait while the machine is slow, or the `newest`, so that some are dropped;
    null: all in files, recordings and HLS, the newest in other streams and over HTTP."""
    codec: str | None = None
    """`h264`, `hevc`, `av1`, `vp9`, `ffv1`, ... or an encoder's name; null: the container's default."""
    crf: float | None = Field(default=None, ge=0)
    preset: str | None = None
    pixel_format: str = "auto"
    """Of the encoded frames: `auto`, `source` for the nearest to the input, or FFmpeg's name of a format. auto: frames
    of webcams, MJPEG and still pictures become 8 bit 4:2:0 in limited range, which browsers, phones and QuickTime
    show, except in .mkv; other sources keep their format; streams are always 8 bit 4:2:0."""
    options: dict[str, str] = {}
    """Further options of the encoder by FFmpeg's names, and `movflags` of the muxer."""
    copy_streams: bool = True
    """Copy audio, subtitles, chapters and metadata of the input; a stream gets the audio only."""
    threads: int = Field(default=0, ge=0)
    """Of the encoder; 0: the encoder's default."""
    bit_rate_kbps: int | None = Field(default=None, gt=0)
    """Of a stream."""
    transport: Literal["tcp", "udp"] = "tcp"
    """Of a stream over RTSP."""
    on_change: Literal["rescale", "reopen"] | None = None
    """When the frame size changes: scale to the first size, or open a new file or connection; null: a recording opens a
    new file, other outputs scale."""
    segment_s: float | None = Field(default=None, gt=0)
    """Length of a recording's segments in seconds; null: 600 for a name with %, else one file."""
    keep_gb: float | None = Field(default=None, gt=0)
    """Delete the oldest segments of a recording beyond this size."""
    keep_days: float | None = Field(default=None, gt=0)
    """Delete older segments of a recording."""
    quality: int | None = Field(default=None, ge=1, le=100)
    """Of JPEG and WebP pictures; null: 80 over HTTP, 97 in files."""
    max_fps: float | None = Field(default=None, gt=0)
    """Of JPEG frames over HTTP."""

    @field_validator("options", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return {key: ffmpeg_text(item) for key, item in value.items()} if isinstance(value, dict) else value

    @field_validator("pixel_format")
    @classmethod
    def _is_pixel_format(cls, value: str) -> str:
        # PyAV's stubs do not have the set of all names.
        known = ("auto", "source", *sorted(vars(video_format)["names"]))
        if value not in known:
            otherwise = "give auto, source or a name such as yuv420p"
            # Several names are often equally similar.
            raise ValueError(f"no pixel format {value!r}; {did_you_mean(value, known, otherwise=otherwise, most=3)}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _pix_fmt(cls, values: object) -> object:
        """Take `options.pix_fmt`, FFmpeg's own name of the setting, for `pixel_format`."""
        options = values.get("options") if isinstance(values, dict) else None
        if not isinstance(values, dict) or not isinstance(options, dict) or "pix_fmt" not in options:
            return values
        options = dict(options)
        named = str(options.pop("pix_fmt"))
        if values.get("pixel_format", named) not in (named, "auto"):
            raise ValueError("options.pix_fmt and pixel_format name two formats; give pixel_format alone")
        return {**values, "options": options, "pixel_format": named}

    def entry(self, to: str) -> OutputEntry:
        """The output `to` with these settings."""
        return OutputEntry(to=to, **self.model_dump())


class OutputEntry(OutputSettings):
    """One of several outputs."""

    to: str
    """A video or a picture, a folder of pictures (shots/), a pattern such as rec/%Y%m%d-%H%M%S.mp4 or shots/%06d.jpg,
    an HLS playlist, or an address (rtsp, rtmp, udp, http)."""
    sink: str | None = None
    """The sink by name (`video`, `images`, `recording`, `stream`, `mjpeg`, `jsonl`, `csv`, `mot`, `events`,
    `crossings`, `window`, or one of another package); null: the one that `to` calls for."""

    @model_validator(mode="before")
    @classmethod
    def _is_entry(cls, values: object) -> object:
        if not isinstance(values, dict | OutputSettings):
            raise ValueError("an output looks like {to: out.mp4, crf: 23}")
        return values

    @field_validator("to")
    @classmethod
    def _names_something(cls, value: str) -> str:
        # A constraint on the field would also refuse names that are not UTF-8.
        if not value:
            raise ValueError("give a file or an address")
        return value

    @field_validator("sink")
    @classmethod
    def _is_sink(cls, value: str | None) -> str | None:
        if value is not None and value not in SINKS:
            raise ValueError(f"no sink {value!r}{nearest(value, SINKS)}")
        return value

    @property
    def scheme(self) -> str:
        """The scheme of an address in lower case, such as `rtsp`; empty for a path.

        Raises:
            ConfigError: a malformed address.
        """
        if not re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", self.to):
            return ""
        try:
            parts = urlsplit(split_credentials(self.to)[0])
            if "://" in self.to:
                _ = parts.port  # raises ValueError if it is no number
        except ValueError as error:
            raise ConfigError(f"{redacted(self.to)} is no address of an output: {error}") from error
        return parts.scheme.lower()

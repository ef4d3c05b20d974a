"""Settings of the source. Any thread may read them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from streamer.config.section import Section, ffmpeg_text


class SourceSettings(Section):
    """How frames are read."""

    uri: str | None = None
    """The source, if it is not named on the command line: a file, a camera, an address."""
    fps: Fraction | None = Field(default=None, gt=0)
    """Of pictures and raw streams (25 if null), in place of a file's own times, and what a camera is asked for."""
    threads: int = Field(default=0, ge=0)
    """Decoder threads for files; 0 = as many as there are cores."""
    live: bool | None = None
    """true: play a file at its own pace, as a camera would; false: what is behind an http address is a recording."""
    size: str | None = Field(default=None, pattern=r"^\d{1,5}x\d{1,5}$")
    """What a camera is asked for, 1280x720; its own choice if null."""
    pixel_format: str | None = None
    """What a camera is asked for: YUYV, MJPG, ...; its own choice if null."""
    transport: Literal["tcp", "udp", "prefer_tcp"] = "tcp"
    """Of RTSP."""
    user: str = ""
    """Login of a network source, if it is not in the address; else STREAMER_SOURCE_USER of the environment."""
    password: SecretStr = SecretStr("")
    """Likewise; else STREAMER_SOURCE_PASSWORD. Better kept there or in a file."""
    password_file: Path | None = None
    """A file whose first line is the password; else STREAMER_SOURCE_PASSWORD_FILE."""
    low_latency: bool = True
    """Look at a network stream as shortly as possible before its first picture."""
    options: dict[str, str] = {}
    """Further options of FFmpeg for a network address."""
    verify: bool = True
    """Check the certificate of a server that is asked over TLS (https, rtsps, rtmps); false: trust whoever answers."""
    poll_fps: float = Field(default=1.0, ge=1 / 3600, le=30)
    """How often a server that gives one picture a request is asked, a second."""
    deinterlace: Literal["auto", "on", "off"] = "auto"
    """Make progressive pictures of interlaced ones. auto: of live sources those that are marked as interlaced and show
    a comb; of files only what the detector sees, the output keeps both fields. on: every picture. off: none."""
    max_height: int | None = Field(default=None, gt=0)
    """Of the variants of an HLS playlist the best one that is not taller, pixels; the tallest if null. No other one is
    downloaded."""
    audio: bool = True
    """Copy the sound of the source to outputs that can hold it."""
    open_timeout_s: float = Field(default=5.0, gt=0)
    """Opening a network address takes no longer."""
    jitter_ms: Literal["auto"] | float = "auto"
    """How long pictures of a live source are held back, so that those which come in bursts are shown by their time
    stamps, up to 10 s; auto: what is measured, up to 1 s, and nothing where they come one by one."""
    stall_s: float = Field(default=5.0, ge=0.5)
    """A live source from which nothing came for so long is connected anew; a slow one after three of its gaps."""
    retry_for_s: float | None = Field(default=None, ge=0)
    """How long a lost live source is tried again; for ever if null."""
    retry_at_start: bool = False
    """Try again also if the very first connection fails; otherwise that ends the program."""
    longest_wait_s: float = Field(default=30.0, ge=0.5)
    """Between two tries to connect; the first comes after 0.5 s."""

    @field_validator("jitter_ms", mode="before")
    @classmethod
    def _bounded(cls, value: object) -> object:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value != "auto" and not (is_number and 0 <= value <= 10_000):  # type: ignore[operator]
            raise ValueError("give auto, or 0 to 10000 milliseconds")
        return value

    @field_validator("uri", mode="before")
    @classmethod
    def _camera(cls, value: object) -> object:
        # YAML reads the 0 of the first camera as a number.
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("options", mode="before")
    @classmethod
    def _ffmpeg_text(cls, value: object) -> object:
        return {key: ffmpeg_text(item) for key, item in value.items()} if isinstance(value, dict) else value

    @field_validator("fps", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        # 29.97 as YAML reads it is a binary fraction; its decimal text is what the user meant.
        if not isinstance(value, (int, float, str)):
            return value
        try:
            return Fraction(str(value))
        except (ValueError, ZeroDivisionError) as error:
            raise ValueError("a frame rate looks like 25, 29.97 or 30000/1001") from error

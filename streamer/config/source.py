"""Settings of the source. Immutable; any thread may read them."""

from __future__ import annotations

import os
from collections.abc import Collection
from fractions import Fraction
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from streamer.config.section import Section, ffmpeg_text, first_line
from streamer.errors import ConfigError
from streamer.system.secrets import redacted

Transport = Literal["tcp", "udp", "prefer_tcp"]


_TAKEN_BY = {"size": "cameras", "pixel_format": "cameras", "fps": "files, pictures and cameras"}
"""Settings that only some sources use, and the kinds of these sources."""


class SourceSettings(Section):
    """How frames are read."""

    uri: str | None = None
    """The source, if it is not named on the command line: a file, a camera, a URL or an image folder."""
    fps: Fraction | None = Field(default=None, gt=0)
    """Frame rate of pictures and raw streams (25 if null). It replaces a file's own time stamps, and it is requested
    from a camera."""
    threads: int = Field(default=0, ge=0)
    """Decoder threads for files; 0 = one per core."""
    live: bool | None = None
    """true: play a file at its own pace, as a camera would; false: an http address is a recording."""
    size: str | None = Field(default=None, pattern=r"^\d{1,5}x\d{1,5}$")
    """Frame size that is requested from a camera, such as 1280x720; chosen by the program if null."""
    pixel_format: str | None = None
    """Pixel format that is requested from a camera: YUYV, MJPG, ...; chosen by the program if null."""
    transport: Transport = "tcp"
    """Transport of RTSP."""
    user: str = ""
    """User of a network source, if the address has none; default: STREAMER_SOURCE_USER of the environment."""
    password: SecretStr = SecretStr("")
    """Its password; default: STREAMER_SOURCE_PASSWORD. The environment or a file is a safer place for it."""
    password_file: Path | None = None
    """A file whose first line is the password; default: STREAMER_SOURCE_PASSWORD_FILE."""
    low_latency: bool = True
    """Analyse a network stream as briefly as possible before its first frame."""
    options: dict[str, str] = {}
    """Further FFmpeg options for a network address."""
    verify: bool = True
    """Check the certificate of a TLS server (https, rtsps, rtmps); false: accept any certificate."""
    poll_fps: float = Field(default=1.0, ge=1 / 3600, le=30)
    """Requests per second to a camera that sends one picture per request."""
    deinterlace: Literal["auto", "on", "off"] = "auto"
    """Deinterlace frames. auto: live frames that are flagged as interlaced and show combing; of files only the frames
    that the detector gets, the output keeps both fields. on: every frame. off: none."""
    max_height: int | None = Field(default=None, gt=0)
    """Read the best variant of an HLS playlist that is not taller, pixels; the tallest if null. Other variants are not
    downloaded."""
    audio: bool = True
    """Copy the source's audio to outputs that can hold it."""
    open_timeout_s: float = Field(default=5.0, gt=0)
    """Time limit for opening a network address."""
    jitter_ms: Literal["auto"] | float = "auto"
    """How long live frames are buffered, so that frames that arrive in bursts are shown by their time stamps; up to
    10 s. auto: as measured, up to 1 s; 0 where frames arrive evenly."""
    stall_s: float = Field(default=5.0, ge=0.5)
    """Reconnect a live source that sends nothing for this long; a slow source after three of its frame intervals."""
    retry_for_s: float | None = Field(default=None, ge=0)
    """How long the program tries to reconnect a lost live source; indefinitely if null."""
    retry_at_start: bool = False
    """Retry the first connection too; otherwise its failure ends the program."""
    first_wait_s: float = Field(default=0.5, gt=0)
    """Wait before the first reconnection attempt; later waits grow."""
    longest_wait_s: float = Field(default=30.0, ge=0.5)
    """Longest wait between two reconnection attempts."""

    def refuse_unused(self, uri: str, takes: Collection[str]) -> None:
        """Refuse a setting that a source does not use.

        Args:
            uri: the source as the user typed it.
            takes: the settings of `size`, `pixel_format` and `fps` that it uses.

        Raises:
            ConfigError: such a setting is given.
        """
        for name, kinds in _TAKEN_BY.items():
            if name not in takes and getattr(self, name) is not None:
                raise ConfigError(f"source.{name} is for {kinds} only; {redacted(uri)} has its own")

    @property
    def frame_size(self) -> tuple[int, int] | None:
        """`size` as width and height, pixels."""
        if self.size is None:
            return None
        width, _, height = self.size.partition("x")
        return int(width), int(height)

    def login(self) -> tuple[str, str]:
        """User and password from the settings, or else from the environment; "" where neither has one.

        The first of these is the password: `password`, `password_file`, the password and the password file of the
        environment.

        Raises:
            ConfigError: the password file cannot be read.
        """
        user = self.user or os.environ.get("STREAMER_SOURCE_USER", "")
        password = self.password.get_secret_value()
        if self.password_file is None:
            password = password or os.environ.get("STREAMER_SOURCE_PASSWORD", "")
        file = self.password_file or os.environ.get("STREAMER_SOURCE_PASSWORD_FILE")
        return user, password if password or not file else first_line(file, "source.password_file")

    @field_validator("jitter_ms", mode="before")
    @classmethod
    def _bounded(cls, value: object) -> object:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value != "auto" and not (is_number and 0 <= value <= 10_000):  # type: ignore[operator]
            raise ValueError("give auto, or 0 to 10000 milliseconds")
        return value

    @field_validator("transport", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("uri", mode="before")
    @classmethod
    def _camera(cls, value: object) -> object:
        # YAML reads the 0 of the first camera as a number.
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("deinterlace", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        # YAML reads on and off without quotes as true and false.
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else value

    @field_validator("options", mode="before")
    @classmethod
    def _ffmpeg_text(cls, value: object) -> object:
        return {key: ffmpeg_text(item) for key, item in value.items()} if isinstance(value, dict) else value

    @field_validator("fps", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        # YAML reads 29.97 as a binary float; the user means the decimal text.
        if not isinstance(value, (int, float, str)):
            return value
        try:
            return Fraction(str(value))
        except (ValueError, ZeroDivisionError) as error:
            raise ValueError("a frame rate looks like 25, 29.97 or 30000/1001") from error

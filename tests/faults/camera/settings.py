"""The settings of a camera, shared by its process and the process that controls it. Immutable."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast, get_args

Codec = Literal["h264", "h265", "mjpeg", "audio"]
Scheme = Literal["basic", "digest", "sha256", "both"]
SLOPPY = {
    "sei": bytes.fromhex("0605ffffff64") + b"camera user data " * 49 + b"\x80",
    "data partition": b"\x03camera\x80",
    "garbage unit": b"\x9e\x80camera",
    "timing": b"\x06\x01\x01\xff\x80",
}
"""A unit before each frame: an SEI message shorter than its length field, types that H.264 does not use (a data
partition without its slice; the forbidden bit set), a picture timing SEI without a matching sequence parameter set."""
CODECS: tuple[Codec, ...] = get_args(Codec)


class Login(NamedTuple):
    """The required login; `basic` sends the password itself, the others a hash of it: `digest` (RFC 2617) with MD5,
    `sha256` (RFC 7616) with SHA-256, `both` with either.
    """

    scheme: Scheme
    user: str
    password: str


@dataclass(frozen=True)
class Settings:
    """The settings of a camera, which survive a restart.

    Attributes:
        codec: `audio` has one PCMU stream and no video.
        size: `(width, height)` of the frame in pixels, both even.
        fps: frames per second.
        login: None for no login.
        key_frame_every_s: seconds from one keyframe to the next.
        key_frame_on_play: send one when a client starts to play, as some cameras do.
        path: of the stream; all others are not found.
        sloppy: broken data beside every frame, one of `SLOPPY` (H.264 only); empty for none.
        interlaced: two fields per frame (H.264 only).
        burst: send this many frames at once, when the last of them was captured.
    """

    codec: Codec = "h264"
    size: tuple[int, int] = (640, 360)
    fps: float = 25.0
    login: Login | None = None
    key_frame_every_s: float = 1.0
    key_frame_on_play: bool = False
    path: str = "/live"
    sloppy: str = ""
    interlaced: bool = False
    burst: int = 1

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise ValueError(f"a camera has one of {', '.join(CODECS)}, not {self.codec}")
        if any(length % 2 or length < 90 for length in self.size):
            raise ValueError(f"a picture has even sides of at least 90 pixels, not {self.size}")
        if self.sloppy and (self.sloppy not in SLOPPY or self.codec != "h264"):
            raise ValueError(f"an H.264 camera can have one of {', '.join(SLOPPY)}, not {self.sloppy}")
        if self.interlaced and self.codec != "h264":
            raise ValueError("only an H.264 camera can be interlaced")
        if self.fps <= 0 or self.key_frame_every_s <= 0:
            raise ValueError("rate and keyframe interval must be above 0")

    def arguments(self) -> list[str]:
        """The command line that `parse` reads."""
        words = ["--codec", self.codec, "--size", "{}x{}".format(*self.size), "--fps", str(self.fps)]
        words += ["--key-frame-every", str(self.key_frame_every_s), "--path", self.path, "--burst", str(self.burst)]
        words += ["--sloppy", self.sloppy] if self.sloppy else []
        words += ["--interlaced"] if self.interlaced else []
        words += ["--key-frame-on-play"] if self.key_frame_on_play else []
        return words + (["--login", ":".join(self.login)] if self.login else [])


def login(text: str) -> Login:
    """`digest:user:password`, as on the command line."""
    scheme, user, password = text.split(":", 2)
    if scheme not in get_args(Scheme):
        raise ValueError(f"one of {', '.join(get_args(Scheme))}, not {scheme}")
    return Login(cast("Scheme", scheme), user, password)


def size(text: str) -> tuple[int, int]:
    """`1280x720`, as on the command line."""
    width, height = text.split("x")
    return int(width), int(height)


def parse(words: list[str]) -> tuple[Settings, int, str | None]:
    """The settings, the port (0 selects one) and the path of the shot list from a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.camera",
        description="An RTSP camera on 127.0.0.1. Reads one JSON command per line, ends with its standard input.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add, default = parser.add_argument, Settings()
    add("--port", type=int, default=0, help="of RTSP; 0 selects a free one")
    add("--codec", choices=CODECS, default=default.codec, help="audio has no video")
    add("--size", type=size, default="{}x{}".format(*default.size), metavar="WIDTHxHEIGHT", help="even, in pixels")
    add("--fps", type=float, default=default.fps, help="frames per second")
    add("--login", type=login, metavar="SCHEME:USER:PASSWORD", help=f"scheme: {', '.join(get_args(Scheme))}")
    add("--key-frame-every", type=float, default=default.key_frame_every_s, metavar="SECONDS", help="keyframe interval")
    add("--key-frame-on-play", action="store_true", help="send a keyframe when a client starts to play")
    add("--sloppy", choices=("", *SLOPPY), default=default.sloppy, help="broken data beside every frame (H.264 only)")
    add("--interlaced", action="store_true", help="two fields per frame (H.264 only)")
    add("--path", default=default.path, help="of the stream; all others are not found")
    add("--burst", type=int, default=default.burst, help="number of frames sent at once")
    add("--shots", metavar="FILE", help="file with the times at which each frame was drawn and sent")
    read = parser.parse_args(words)
    settings = Settings(
        codec=read.codec,
        size=read.size,
        fps=read.fps,
        login=read.login,
        key_frame_every_s=read.key_frame_every,
        key_frame_on_play=read.key_frame_on_play,
        path=read.path,
        sloppy=read.sloppy,
        interlaced=read.interlaced,
        burst=read.burst,
    )
    return settings, read.port, read.shots

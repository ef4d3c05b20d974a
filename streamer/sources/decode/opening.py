"""Opens containers and chooses the video stream; every failure is one line.

Called by the main thread while a source is entered, and by the probe.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from streamer.errors import SourceUnavailable
from streamer.media.ffmpeg_log import reason

# FFmpeg renders plain text as a video of a terminal, which is never intended.
_NOT_VIDEO = frozenset({"tty", "bin", "xbin", "adf", "idf"})
_REMEDIES = {
    errno.ENOENT: "no such file; check the path",
    errno.EACCES: "not allowed to read it; check its permissions",
}


def check_file(path: Path) -> None:
    """Check that `path` can be a video file before FFmpeg opens it.

    Raises:
        SourceUnavailable: it is missing, a directory, empty or not readable.
    """
    try:
        status = path.stat()
    except ValueError as error:  # a null character in the name
        raise SourceUnavailable(f"{str(path)!r}: no such file; check the path") from error
    except OSError as error:
        raise SourceUnavailable(f"{path}: {_REMEDIES.get(error.errno or 0, error.strerror)}") from error
    if stat.S_ISDIR(status.st_mode):
        raise SourceUnavailable(f"{path}: is a directory, not a video file")
    if not os.access(path, os.R_OK):
        raise SourceUnavailable(f"{path}: {_REMEDIES[errno.EACCES]}")
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        raise SourceUnavailable(f"{path}: the file is empty (0 bytes); copy it again from its origin")


def open_file(path: Path) -> InputContainer:
    """Open a local file with the demuxer that recognizes it.

    Raises:
        SourceUnavailable: it cannot be read or is not a media file.
    """
    check_file(path)
    try:
        # With an explicit protocol FFmpeg does not interpret a colon in the file name.
        container = av.open(f"file:{path}", metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise SourceUnavailable(
            f"{path}: not a video that can be read, or truncated before its index ({reason(error)}); "
            "check whether it plays elsewhere, or copy it again"
        ) from error
    if container.format.name in _NOT_VIDEO:
        container.close()
        raise SourceUnavailable(f"{path}: is a text file, not a video")
    return container


def choose_video(container: InputContainer, name: str) -> VideoStream:
    """The best video stream that is not cover art.

    Args:
        container: an open container.
        name: of the input, for errors.

    Raises:
        SourceUnavailable: there is none, or no decoder for it.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        kinds = sorted({"cover art" if stream.type == "video" else stream.type for stream in container.streams})
        has = f"only {' and '.join(kinds)}" if kinds else "no stream at all"
        raise SourceUnavailable(f"{name}: has no video ({has})")
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise SourceUnavailable(f"{name}: its video codec has no decoder here; convert it to H.264 first")
    if container.format.name == "hls":  # the same content in several sizes
        return max(decodable, key=lambda stream: stream.width * stream.height)
    best = container.streams.best("video")
    if best is not None and best.disposition & Disposition.dependent:
        raise SourceUnavailable(f"{name}: an image of tiles must be a local file; download it first")
    return next((stream for stream in decodable if best is not None and stream.index == best.index), decodable[0])

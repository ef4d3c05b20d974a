"""An output container over a file that this project opens itself, so that it can be closed whatever happens.

FFmpeg keeps its own file open when a header cannot be written, and would write an ending into a file that is given up.
Used by the thread that owns the video sink.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av

from streamer.errors import SinkError, SinkUnavailable
from streamer.ffmpeg_log import listening, reason

SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi")
"""The containers that are tested; others work as far as FFmpeg writes them."""
_BUFFER_BYTES = 1 << 18


class WholeFile(io.FileIO):
    """A file whose `write` writes all that it is given: FFmpeg takes a short write for a complete one."""

    def write(self, data: Any, /) -> int:
        """All of `data`, or the error that stopped it."""
        view = memoryview(data)
        written = 0
        while written < len(view):
            written += super().write(view[written:]) or 0
        return written


class Muxer:
    """An output container and its file.

    Args:
        path: where to write; the suffix picks the container.
        name: what to call it in errors, if it is not to stay under `path`.

    Attributes:
        container: PyAV's output container.
        kind: FFmpeg's name of its format.

    Raises:
        SinkUnavailable: no container goes by that suffix, or the file cannot be opened.
    """

    def __init__(self, path: Path, name: Path | None = None) -> None:
        self._name = name or path
        try:
            self._file = WholeFile(path, "wb")
        except OSError as error:
            raise SinkUnavailable(f"cannot write {self._name}: {error.strerror}; choose another output") from error
        try:
            self.container: Any = av.open(self._file, "w", buffer_size=_BUFFER_BYTES)
            if self.container.format.no_file:
                raise ValueError("not a container")
        except (ValueError, av.error.FFmpegError) as error:
            self._file.close()
            remedy = f"end the name in one of {' '.join(SUFFIXES)}"
            raise SinkUnavailable(f"cannot write {self._name}: no video container has that suffix; {remedy}") from error
        self.kind: str = self.container.format.name

    def start(self, options: Mapping[str, str]) -> None:
        """Write the header. Call it once: FFmpeg crashes on a second try after a failure.

        Raises:
            SinkUnavailable: the container refuses one of the streams, or the disk the first bytes.
        """
        self.container.container_options.update(options)
        with listening(av.logging.ERROR) as lines:
            try:
                self.container.start_encoding()
            except (av.error.FFmpegError, OSError, ValueError) as error:
                why = reason(error, lines)
                raise SinkUnavailable(f"cannot start {self._name}: {why}; choose another output or codec") from error

    def finish(self) -> None:
        """Write the ending and close the file.

        Raises:
            SinkError: it could not be written.
        """
        try:
            self.container.close()
            self._file.close()
        except (av.error.FFmpegError, OSError) as error:
            raise write_failure(self._name, error) from error

    def abandon(self) -> None:
        """Close the file as it is. Fine after `finish`."""
        # PyAV writes no ending into a file that is closed already, now or when the container is collected.
        self._file.close()
        self.container.close()


def write_failure(name: Path, error: BaseException) -> SinkError:
    """The error to raise for what FFmpeg or the disk said while the output `name` was being written."""
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    remedy = "free some space or choose another output" if full else "choose another output or codec"
    return SinkError(f"cannot write {name}: {reason(error)}; {remedy}")

"""An output container over a file that this project opens itself, so that it can be closed whatever happens.

FFmpeg keeps its own file open when a header cannot be written, and would write an ending into a file that is given up.
Used by the thread that owns the video sink.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av

from streamer.errors import SinkError, SinkUnavailable
from streamer.media.ffmpeg_log import capture_log, reason
from streamer.sinks.muxing.crash_safe import FRAGMENTED, CrashSafeFile, WholeFile, crash_safe_options, second_pass

SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi")
"""The containers that are tested; others work as far as FFmpeg writes them."""
_BUFFER_BYTES = 1 << 18


class Muxer:
    """An output container and its file.

    Args:
        path: where to write; the suffix picks the container.
        name: what to call it in errors, if it is not to stay under `path`.
        survives: it is to be readable at any moment (`streamer.sinks.muxing.crash_safe`).

    Attributes:
        container: PyAV's output container.
        kind: FFmpeg's name of its format.
        index_first: of one that survives: do not wait for the first packet of all streams with the index. What can be
            read of it then does not tell when a stream began; the complete file does. To be set before `start`.
        second_pass: options for writing it once more when it is complete (`leftovers.rewrite`); None where that is
            not wanted.

    Raises:
        SinkUnavailable: no container goes by that suffix, or the file cannot be opened.
    """

    def __init__(self, path: Path, name: Path | None = None, *, survives: bool = False) -> None:
        self._name = name or path
        self.second_pass: Mapping[str, str] | None = None
        self.index_first = False
        self._header_bytes = 0
        try:
            self._file: WholeFile = CrashSafeFile(path) if survives else WholeFile(path, "wb")
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

    @property
    def begun(self) -> bool:
        """Whether more than the header went to a file that survives: all streams that its index waits for are there."""
        return isinstance(self._file, CrashSafeFile) and self._file.bytes_written > self._header_bytes

    def start(self, options: Mapping[str, str]) -> None:
        """Write the header. Call it once: FFmpeg crashes on a second try after a failure.

        Raises:
            SinkUnavailable: the container refuses one of the streams, or the disk the first bytes.
        """
        survives = isinstance(self._file, CrashSafeFile)
        self.second_pass = second_pass(self.kind, options) if survives else None
        if survives:
            options = crash_safe_options(self.kind, options, index_first=self.index_first)
        self.container.container_options.update(options)
        with capture_log(av.logging.ERROR) as lines:
            try:
                self.container.start_encoding()
            except (av.error.FFmpegError, OSError, ValueError) as error:
                why = reason(error, lines)
                raise SinkUnavailable(f"cannot start {self._name}: {why}; choose another output or codec") from error
        if isinstance(self._file, CrashSafeFile):
            self._header_bytes = self._file.bytes_written

    @property
    def is_fragmented(self) -> bool:
        """Whether it survives in fragments, which its ending hides."""
        return isinstance(self._file, CrashSafeFile) and self.kind in FRAGMENTED

    def finish(self) -> None:
        """Write the ending and close the file; one that gets a second pass stays in fragments.

        Raises:
            SinkError: it could not be written.
        """
        try:
            if isinstance(self._file, CrashSafeFile):
                self._file.begin_ending()
            self.container.close()
            if isinstance(self._file, CrashSafeFile) and self.second_pass is None:
                self._file.seal()
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
    room = "free some space or choose another output"
    if isinstance(error, av.error.PyAVCallbackError):  # what the file itself said went to another call
        return SinkError(f"cannot write {name}: the disk did not take it; {room}")
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return SinkError(f"cannot write {name}: {reason(error)}; {room if full else 'choose another output or codec'}")

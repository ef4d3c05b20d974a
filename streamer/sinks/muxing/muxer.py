"""An output container and its file, which this project opens itself to be able to close it in any case.

FFmpeg keeps a file of its own open when it cannot write the header, and would write a trailer into an abandoned file.
Used by the thread that owns the sink.
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
"""The tested containers; others work if FFmpeg writes them."""
_NO_VIDEO = ("none", "png")  # png is the cover picture of audio formats
_BUFFER_BYTES = 1 << 18
_WITH_RANDOM_IDS = ("matroska", "webm")
"""FFmpeg gives the file and its tracks random ids unless it is to be bit-exact; two runs would never be equal."""


class Muxer:
    """An output container and its file.

    Args:
        path: the file; the suffix selects the container.
        name: for errors, if the file is renamed later.
        crash_safe: the file can be read at any moment (`streamer.sinks.muxing.crash_safe`).

    Attributes:
        container: PyAV's output container.
        kind: FFmpeg's name of its format.
        index_first: of a crash-safe file: write the index before all streams have a packet. The partial file then does
            not have the start times of streams; the complete file does. Set it before `start`.
        second_pass: options to rewrite the complete file with (`recovery.rewrite`); None for no second pass.

    Raises:
        SinkUnavailable: no container has that suffix, or the file cannot be opened.
    """

    def __init__(self, path: Path, name: Path | None = None, *, crash_safe: bool = False) -> None:
        self._name = name or path
        self.second_pass: Mapping[str, str] | None = None
        self.index_first = False
        self._header_bytes = 0
        try:
            self._file: WholeFile = CrashSafeFile(path) if crash_safe else WholeFile(path, "wb")
        except OSError as error:
            raise SinkUnavailable(f"cannot write {self._name}: {error.strerror}; choose another output") from error
        try:
            self.container: Any = av.open(self._file, "w", buffer_size=_BUFFER_BYTES)
            if self.container.format.no_file or self.container.default_video_codec in _NO_VIDEO:
                raise ValueError("not a container of video")
        except (ValueError, av.error.FFmpegError) as error:
            self._file.close()
            remedy = f"end it in / for a folder of pictures, or end the name in one of {' '.join(SUFFIXES)}"
            raise SinkUnavailable(f"cannot write {self._name}: no video container has that suffix; {remedy}") from error
        self.kind: str = self.container.format.name

    @property
    def begun(self) -> bool:
        """Whether a crash-safe file has more than its header: every stream that its index needs has a packet."""
        return isinstance(self._file, CrashSafeFile) and self._file.bytes_written > self._header_bytes

    def start(self, options: Mapping[str, str]) -> None:
        """Write the header. Call it once: FFmpeg crashes on a second attempt after a failure.

        Raises:
            SinkUnavailable: the container refuses one of the streams, or the disk the first bytes.
        """
        if self.kind in _WITH_RANDOM_IDS:
            options = {"fflags": "+bitexact", **options}
        if isinstance(self._file, CrashSafeFile):
            self.second_pass = second_pass(self.kind, options)
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
        """Whether it is a fragmented MP4 until its trailer is written."""
        return isinstance(self._file, CrashSafeFile) and self.kind in FRAGMENTED

    def finish(self) -> None:
        """Write the trailer and close the file; a file with a second pass stays fragmented.

        Raises:
            SinkError: it could not be written.
        """
        try:
            if isinstance(self._file, CrashSafeFile):
                self._file.begin_trailer()
            self.container.close()
            if isinstance(self._file, CrashSafeFile) and self.second_pass is None:
                self._file.seal()
            self._file.close()
        except (av.error.FFmpegError, OSError) as error:
            raise write_failure(self._name, error) from error

    def abandon(self) -> None:
        """Close the file without a trailer. Does nothing after `finish`."""
        # PyAV writes no trailer into a closed file, now or when the container is collected.
        self._file.close()
        self.container.close()


def write_failure(name: Path, error: BaseException) -> SinkError:
    """The error to raise for a failure of FFmpeg or the disk while the output `name` is written."""
    room = "free some space or choose another output"
    if isinstance(error, av.error.PyAVCallbackError):  # the file raised the cause in another call
        return SinkError(f"cannot write {name}: the disk did not take it; {room}")
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return SinkError(f"cannot write {name}: {reason(error)}; {room if full else 'choose another output or codec'}")

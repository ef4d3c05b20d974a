"""A recording that comes through standard input or a named pipe: read once, in order, as far as it goes.

Opened by a thread for which the main thread waits, then read by the capture thread; `stop` wakes a read that waits for
the writer.
"""

from __future__ import annotations

import dataclasses
import os
import select
import stat
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from fractions import Fraction
from pathlib import Path
from typing import Self, TypeVar

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.errors import SourceUnavailable
from streamer.interfaces import Damage, StreamInfo
from streamer.media.ffmpeg_log import reason
from streamer.sources.decode.container import ContainerSource, describe
from streamer.sources.decode.decoding import FrameDecoder
from streamer.sources.decode.stream_facts import container_kind, duration
from streamer.sources.decode.timestamps import TimestampFiller

T = TypeVar("T")
STANDARD_INPUT = "-"
_BUFFER_BYTES = 1 << 18
_STOP_S = 5.0
_TELL_THEIR_LENGTH = frozenset({"matroska", "flv"})
_EARLY_END_S = Fraction(1, 2)
"""What comes through a pipe and ends this much before its headers say was cut off."""
_REMEDY = (
    "; an MP4 whose index stands at its end cannot go through a pipe: give the file itself, or send .mkv, .ts or a "
    "fragmented MP4"
)


def is_pipe(target: str) -> bool:
    """Whether it names standard input, or a path that can be read only once: a FIFO, a socket, a terminal."""
    if target == STANDARD_INPUT:
        return True
    try:
        mode = Path(target).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class Pipe:
    """The reading end of a pipe, for PyAV; every wait can be woken.

    Args:
        target: `-` for standard input, or a path.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, target: str) -> None:
        # Not blocking, or opening a FIFO would wait for its writer where nothing wakes it.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        self._input = os.dup(0) if target == STANDARD_INPUT else os.open(target, flags)
        self._wake_out, self._wake_in = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._input, select.POLLIN)
        self._poll.register(self._wake_out, select.POLLIN)
        self.read_bytes = 0
        """Bytes that came so far."""

    def read(self, size: int) -> bytes:
        """Up to so many bytes, waiting for some; empty at the end, or after `stop`."""
        while True:
            ready = dict(self._poll.poll())
            if self._wake_out in ready:
                return b""
            try:
                data = os.read(self._input, size)
            except BlockingIOError:
                continue
            self.read_bytes += len(data)
            return data

    def stop(self) -> None:
        """Any thread: end every wait, now and later."""
        os.write(self._wake_in, b"x")

    def close(self) -> None:
        """Let the writer know that nobody reads any more."""
        for descriptor in (self._input, self._wake_in, self._wake_out):
            os.close(descriptor)


class PipeSource(ContainerSource):
    """Every frame that comes through a pipe; see `streamer.interfaces.Source`.

    Args:
        target: `-` for standard input, or the path of a FIFO.
        threads: decoder threads, 0 for one a processor.
        fps: frames a second, in place of what comes through it tells.
    """

    def __init__(self, target: str, *, threads: int = 0, fps: str | float | Fraction | None = None) -> None:
        super().__init__("standard input" if target == STANDARD_INPUT else target, threads=threads, fps=fps)
        self._target = target
        self._remedy = _REMEDY
        self._pipe: Pipe | None = None

    def open(self) -> InputContainer:
        """The container, once the writer has sent its beginning.

        Raises:
            SourceUnavailable: nothing comes, or something that is no video, or none that can be read in order.
        """
        return self._waiting(self._open)

    def __enter__(self) -> Self:
        return self._waiting(super().__enter__)

    def _waiting(self, work: Callable[[], T]) -> T:
        """Do what waits for the writer on a thread: PyAV loses an interrupt that comes while FFmpeg reads."""
        try:
            self._pipe = Pipe(self._target)
        except (OSError, ValueError) as error:  # such as a standard input that is closed
            why = getattr(error, "strerror", None) or str(error)
            raise SourceUnavailable(f"{self._name}: cannot be read: {why}") from error
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

        thread = threading.Thread(target=run, name="streamer-pipe", daemon=True)
        try:
            thread.start()
            return done.result()
        except BaseException:
            self.stop()
            wait([done], _STOP_S)  # an interrupt may have come before the thread can be joined
            if done.done():
                self._close_pipe()
            raise

    def _open(self) -> InputContainer:
        assert self._pipe is not None
        try:
            return av.open(self._pipe, "r", metadata_errors="replace", buffer_size=_BUFFER_BYTES)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            came = self._pipe.read_bytes
            if not came:
                raise SourceUnavailable(f"{self._name}: nothing came through it; check what writes to it") from error
            why = f"no video that can be read in order ({reason(error)})"
            raise SourceUnavailable(f"{self._name}: {why}{_REMEDY}") from error

    def _describe(self, stream: VideoStream, first: av.VideoFrame) -> StreamInfo:
        told = describe(stream, first, self._name, self._geometry)
        return dataclasses.replace(told, frame_count=None)

    def _settle(self, stream: VideoStream, decoder: FrameDecoder, times: TimestampFiller) -> list[Damage]:
        """A writer that ended in mid-packet left the rest out; how much that is only some headers tell."""
        told_s = duration(stream) if container_kind(stream) in _TELL_THEIR_LENGTH else None
        early_s = Fraction(0) if told_s is None else told_s - (times.end * self.info.time_base - self.info.start)
        if early_s > _EARLY_END_S:
            frames = max(round(early_s * (self.info.average_fps or 0)), 1)
            return [Damage("truncated", frames, f"the writer ended {float(early_s):.1f} s early")]
        if decoder.reader.gave_up or decoder.incomplete:
            return [Damage("truncated", 1, "the writer ended inside a packet")]
        holes = times.holes - decoder.lost if decoder.damaged else 0
        return [Damage("missing packets", holes, "a gap in the time stamps")] if holes > 0 else []

    def stop(self) -> None:
        """Any thread: wake a read that waits for the writer."""
        if self._pipe is not None:
            self._pipe.stop()

    def _release(self) -> None:
        super()._release()
        self._close_pipe()

    def _close_pipe(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()

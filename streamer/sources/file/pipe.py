"""A recording from standard input or a named pipe, read once and in order.

A separate thread opens it while the main thread waits; the capture thread reads it. `stop` wakes a read that waits for
the writer.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from concurrent.futures import Future, wait
from fractions import Fraction
from pathlib import Path
from typing import Self, TypeVar

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.interfaces import Damage
from streamer.media.ffmpeg_log import reason
from streamer.sources.decode.container import ContainerSource
from streamer.sources.decode.decoding import FrameDecoder
from streamer.sources.decode.stream_facts import container_kind, duration
from streamer.sources.decode.timestamps import TimestampFiller
from streamer.system.threads import Thread

T = TypeVar("T")
STANDARD_INPUT = "-"
_BUFFER_BYTES = 1 << 18
_STOP_S = 5.0
_WITH_DURATION = frozenset({"matroska", "flv"})
_EARLY_END_S = Fraction(1, 2)
"""A recording that ends this much before its stated duration counts as truncated."""
_REMEDY = (
    "; an MP4 with its index at the end cannot be read through a pipe: open the file itself, or send .mkv, .ts or a "
    "fragmented MP4"
)


def is_pipe(target: str) -> bool:
    """Whether it names standard input, or a path that can be read only once: a FIFO or a socket."""
    if target == STANDARD_INPUT:
        return True
    try:
        mode = Path(target).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class Pipe:
    """The read end of a pipe, for PyAV; every wait can be interrupted.

    Args:
        target: `-` for standard input, or a path.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, target: str) -> None:
        # Opening a FIFO in blocking mode would wait for its writer, which nothing could interrupt.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        self._input = os.dup(0) if target == STANDARD_INPUT else os.open(target, flags)
        self._wake_out, self._wake_in = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._input, select.POLLIN)
        self._poll.register(self._wake_out, select.POLLIN)
        self.read_bytes = 0
        """Number of bytes read."""

    def read(self, size: int) -> bytes:
        """Wait for data and return up to `size` bytes; empty at the end, or after `stop`."""
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
        """Any thread: end all current and later waits."""
        os.write(self._wake_in, b"x")

    def close(self) -> None:
        """Close the pipe; further writes of the writer fail."""
        for descriptor in (self._input, self._wake_in, self._wake_out):
            os.close(descriptor)


class PipeSource(ContainerSource):
    """Every frame from a pipe; see `streamer.interfaces.Source`.

    Args:
        target: `-` for standard input, or the path of a FIFO.
        threads: decoder threads, 0 for one per processor.
        fps: frames per second, in place of the recording's.
    """

    def __init__(self, target: str, *, threads: int = 0, fps: str | float | Fraction | None = None) -> None:
        super().__init__("standard input" if target == STANDARD_INPUT else target, threads=threads, fps=fps)
        self._target = target
        self._remedy = _REMEDY
        self._pipe: Pipe | None = None

    @classmethod
    def accepts(cls, uri: str, settings: SourceSettings) -> bool:  # noqa: ARG003
        """Whether it names a pipe."""
        return is_pipe(uri)

    def open(self) -> InputContainer:
        """See `ContainerSource.open`; waits until the writer has sent the beginning.

        Raises:
            SourceUnavailable: no data arrives, or they are not a video that can be read in order.
        """
        return self._waiting(self._open)

    def __enter__(self) -> Self:
        return self._waiting(super().__enter__)

    def _waiting(self, work: Callable[[], T]) -> T:
        """Run work that waits for the writer in a thread: PyAV loses an interrupt that arrives while FFmpeg reads."""
        try:
            self._pipe = Pipe(self._target)
        except (OSError, ValueError) as error:  # such as a closed standard input
            why = getattr(error, "strerror", None) or str(error)
            raise SourceUnavailable(f"{self._name}: cannot be read: {why}") from error
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

        thread = Thread("pipe", run)
        try:
            thread.start()
            return done.result()
        except BaseException:
            self.stop()
            wait([done], _STOP_S)  # an interrupt may arrive before the thread can be joined
            if done.done():
                self._close_pipe()
            raise

    def _open(self) -> InputContainer:
        assert self._pipe is not None
        try:
            return av.open(self._pipe, "r", metadata_errors="replace", buffer_size=_BUFFER_BYTES)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            if not self._pipe.read_bytes:
                raise SourceUnavailable(f"{self._name}: no data arrived; check the writing program") from error
            why = f"not a video that can be read in order ({reason(error)})"
            raise SourceUnavailable(f"{self._name}: {why}{_REMEDY}") from error

    def _final_damage(self, stream: VideoStream, decoder: FrameDecoder, times: TimestampFiller) -> list[Damage]:
        """The missing end of a recording whose writer ended early; only some headers have a duration."""
        stated_s = duration(stream) if container_kind(stream) in _WITH_DURATION else None
        early_s = Fraction(0) if stated_s is None else stated_s - (times.end * self.info.time_base - self.info.start)
        if early_s > _EARLY_END_S:
            frames = max(round(early_s * (self.info.average_fps or 0)), 1)
            return [Damage("truncated", frames, f"the writer ended {float(early_s):.1f} s early")]
        if decoder.reader.gave_up or decoder.incomplete:
            return [Damage("truncated", 1, "the writer ended inside a packet")]
        return self._missing_packets(decoder, times)

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

"""The segments between two discontinuities as one file for FFmpeg. Used by the thread that reads them."""

from __future__ import annotations

from collections.abc import Callable

from streamer.media.transport_stream import ContinuityCounters
from streamer.sources.live.connection import POLL_S, ConnectionCancelled
from streamer.sources.network.hls.segment_loader import LoadedSegment, SegmentLoader


class SegmentFile:
    """The segments of one period as a file that FFmpeg reads once, from the beginning to the end.

    The file also ends when the connection is cancelled or loading fails: FFmpeg cannot pass an exception on.

    Args:
        loader: loads the segments.
        is_active: asked while waiting.
        first: the first segment of the period.

    Attributes:
        following: the first segment of the next period, once this one has ended.
    """

    def __init__(self, loader: SegmentLoader, is_active: Callable[[], bool], first: LoadedSegment) -> None:
        self.following: LoadedSegment | None = None
        self._loader = loader
        self._is_active = is_active
        self._period = first.period
        self._counters = ContinuityCounters()
        self._rest = memoryview(self._counters.renumbered(first.data))
        self._lost_s = 0.0
        self._failure: BaseException | None = None

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; b"" at the end of the period."""
        while not self._rest and self.following is None and self._failure is None:
            try:
                loaded = next_segment(self._loader, self._is_active)
            except Exception as error:
                self._failure = error
                break
            if loaded is None:
                break
            if loaded.period != self._period:
                self.following = loaded
                break
            self._lost_s += loaded.lost_s
            # Some servers restart the packet counters with each segment.
            self._rest = memoryview(self._counters.renumbered(loaded.data))
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def take_lost_s(self) -> float:
        """Total duration of the missing segments since the last call, seconds."""
        lost_s, self._lost_s = self._lost_s, 0.0
        return lost_s

    def check(self) -> None:
        """Raise the exception with which loading failed, if it did."""
        if self._failure is not None:
            raise self._failure


def next_segment(loader: SegmentLoader, is_active: Callable[[], bool]) -> LoadedSegment | None:
    """The next segment; None at the end of the playlist.

    Raises:
        ConnectionCancelled: the connection was cancelled meanwhile.
        SourceUnavailable: a segment cannot be read by this program.
    """
    while is_active():
        try:
            return loader.next(POLL_S)
        except TimeoutError:
            continue
    raise ConnectionCancelled("cancelled")

"""The segments between two discontinuities as one file for FFmpeg. Used by the thread that reads them."""

from __future__ import annotations

from collections.abc import Callable

from streamer.media.transport_stream import ContinuityCounters
from streamer.sources.live.connection import ASK_EVERY_S
from streamer.sources.network.hls.follower import Follower, Loaded
from streamer.sources.network.hls.web import NotWanted


class SegmentFile:
    """The segments of one period as a file that FFmpeg can read from its beginning to its end.

    It ends too when nobody wants it any more, or when it fails: FFmpeg cannot tell its caller about either.

    Args:
        follower: gives them.
        wanted: asked while waiting.
        first: the segment with which the period begins.
    """

    def __init__(self, follower: Follower, wanted: Callable[[], bool], first: Loaded) -> None:
        self._follower = follower
        self._wanted = wanted
        self._period = first.period
        self._counters = ContinuityCounters()
        self._rest = memoryview(self._counters.renumbered(first.data))
        self._lost_s = 0.0
        self._failure: BaseException | None = None
        self.following: Loaded | None = None
        """What came after the period's end."""

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the end of the period."""
        while not self._rest and self.following is None and self._failure is None:
            try:
                loaded = next_segment(self._follower, self._wanted)
            except Exception as error:
                self._failure = error
                break
            if loaded is None:
                break
            if loaded.period != self._period:
                self.following = loaded
                break
            self._lost_s += loaded.lost_s
            # Some servers make each segment for itself.
            self._rest = memoryview(self._counters.renumbered(loaded.data))
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def take_lost(self) -> float:
        """The duration of what was found missing within the period since this was asked last, seconds."""
        lost_s, self._lost_s = self._lost_s, 0.0
        return lost_s

    def check(self) -> None:
        """Raise what reading failed with, once its end is reached."""
        if self._failure is not None:
            raise self._failure


def next_segment(follower: Follower, wanted: Callable[[], bool]) -> Loaded | None:
    """The next segment, None at the end of the list.

    Raises:
        NotWanted: the connection was given up meanwhile.
        SourceUnavailable: one that this program cannot read.
    """
    while wanted():
        try:
            return follower.next(ASK_EVERY_S)
        except TimeoutError:
            continue
    raise NotWanted("not wanted any more")

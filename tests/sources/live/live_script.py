"""A scripted camera: what each connection yields, how it fails, and where it hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

import av

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost
from streamer.interfaces import Damage, StreamInfo
from streamer.sources.live.connection import LiveFrame
from tests.pipeline.parts import DEADLINE_S

NAME = "rtsp://camera/live"
TICKS = 3600  # from one picture to the next, of 1/90000 s
Item = LiveFrame | Damage | None


def timing(
    stall_s: float, first_wait_s: float = 0.5, longest_wait_s: float = 30.0, **others: float | bool
) -> SourceSettings:
    """Settings whose times are shorter than a user's may be."""
    return SourceSettings().model_copy(
        update={"stall_s": stall_s, "first_wait_s": first_wait_s, "longest_wait_s": longest_wait_s, **others}
    )


Act = Callable[[], Iterable[Item]] | Exception
"""The items of one connection, or the error of connecting."""


def picture(
    number: int = 0,
    *,
    pts: int | None = -1,
    size: tuple[int, int] = (64, 48),
    pixel_format: str = "yuv420p",
    damage: str = "",
    wall_clock_s: float | None = None,
) -> LiveFrame:
    """A frame that has just arrived; its time stamp follows from its number if `pts` is -1."""
    stamp = number * TICKS if pts == -1 else pts
    shown = av.VideoFrame(*size, pixel_format)
    arrived_s = time.monotonic()
    return LiveFrame(shown, stamp, Fraction(1, 90000), arrived_s, 0.001, wall_clock_s, damage)


def pictures(count: int, *, first: int = 0, size: tuple[int, int] = (64, 48)) -> Callable[[], Iterable[Item]]:
    """A connection that yields this many frames and ends."""
    return lambda: [picture(first + k, size=size) for k in range(count)]


class ScriptedConnection:
    """Yields the items of its act."""

    def __init__(self, script: ScriptedConnector, items: Iterable[Item]) -> None:
        self._script = script
        self._items = iter(items)
        self._info: StreamInfo | None = None
        self.thread = threading.get_ident()
        self.closed = threading.Event()

    @property
    def info(self) -> StreamInfo:
        assert self._info is not None, "asked before the first picture"
        return self._info

    def frames(self) -> Iterator[Item]:
        assert threading.get_ident() == self.thread, "read by another thread than opened it"
        for item in self._items:
            if isinstance(item, LiveFrame) and self._info is None:
                shown = item.picture
                self._info = StreamInfo(
                    NAME, shown.width, shown.height, shown.format.name, item.time_base, Fraction(25), live=True
                )
            yield item

    def close(self) -> None:
        assert threading.get_ident() == self.thread, "closed by another thread than opened it"
        self.closed.set()


class ScriptedConnector:
    """A camera whose connections follow a script, one act each; after the last act connecting fails.

    Args:
        acts: of its connections.
        ends: as a file does.
        least_stall_s: see `Connector`.
    """

    def __init__(self, *acts: Act, ends: bool = False, least_stall_s: float = 0.0) -> None:
        self.name = NAME
        self.ends = ends
        self.least_stall_s = least_stall_s
        self.connections: list[ScriptedConnection] = []
        self.tries = 0
        self.free = threading.Event()
        """Set at the end of the test: nothing hangs any more."""
        self.is_present: list[bool] = []
        """The next answers to `present`, which is True after them."""
        self.reached = threading.Event()
        """Set by `hang`, `silence` and `present`, and when the script is over."""
        self._acts = list(acts)

    def is_reachable(self) -> bool:
        self.reached.set()
        return self.is_present.pop(0) if self.is_present else True

    def connect(self, is_active: Callable[[], bool]) -> ScriptedConnection:
        self.tries += 1
        if not self._acts:
            self.reached.set()
            while is_active():
                self.free.wait(0.01)
            raise SourceLost(f"{NAME}: not wanted any more")
        act = self._acts.pop(0)
        if isinstance(act, Exception):
            raise act
        self.connections.append(ScriptedConnection(self, act()))
        return self.connections[-1]

    def hang(self) -> Iterator[None]:
        """A read that does not return before the end of the test, even if it is cancelled."""
        self.reached.set()
        assert self.free.wait(10 * DEADLINE_S)
        yield None

    def silence(self) -> Iterator[None]:
        """A connection that is open and sends nothing."""
        while not self.free.wait(0.01):
            self.reached.set()
            yield None

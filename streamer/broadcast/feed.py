"""Makes something of the frames of a camera for all of its viewers, on a thread that runs only while there are some.

The display thread puts frames and never waits: one frame waits for the thread, and a newer one replaces it. Results go
to the event loop of the web server, with one call for all viewers. Viewers come and go on that loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from streamer.broadcast.shown import ShownFrame
from streamer.system.threads import Thread

log = logging.getLogger(__name__)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

END_S = 2.0
FRESH_INTERVAL_S = 0.5
"""The least time between two results that need no earlier one, if viewers ask for them."""
REPEATED_AFTER_S = 1.0
"""The newest frame is made again if none comes for so long: a lost packet of the last frame is noticed only then."""
MOST_HANDED = 8
"""Results that wait for the event loop; while there are so many, frames are left out."""


class Maker(Protocol[T_co]):
    """What a feed makes. Built, used and closed by its thread."""

    def make(self, frame: ShownFrame, *, fresh: bool) -> T_co | None:
        """The result for viewers; None if there is none.

        Args:
            frame: the next one.
            fresh: the result must not need earlier ones (a keyframe).
        """
        ...

    def close(self) -> None:
        """Release what it holds. It may be used again after an error."""
        ...


class Feed(Generic[T]):
    """One kind of live video of one camera.

    Args:
        name: of the thread.
        build: makes the maker, on the thread.
        again: the newest frame as one that is shown now, for a viewer that comes between two frames; None before the
            first.
    """

    def __init__(self, name: str, build: Callable[[], Maker[T]], again: Callable[[], ShownFrame | None]) -> None:
        self._name = name
        self._build = build
        self._again = again
        self._takers: list[Callable[[T], None]] = []  # the event loop's thread
        self._timer: asyncio.TimerHandle | None = None
        self._repeating: asyncio.TimerHandle | None = None
        self._delivered = 0
        self._fresh_s = -FRESH_INTERVAL_S
        self._changed = threading.Condition()  # guards all below
        self._slot: ShownFrame | None = None
        self._fresh = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._watched = False
        self._handed = 0

    @contextmanager
    def watch(self, take: Callable[[T], None]) -> Iterator[None]:
        """Call `take` with each result, on the event loop that runs now, from entering to leaving.

        The first result is fresh. Only one event loop may watch at a time.
        """
        self._takers.append(take)
        self._start()
        self.ask_fresh()
        try:
            yield
        finally:
            self._takers.remove(take)
            if not self._takers:
                self._stop()

    def ask_fresh(self) -> None:
        """A viewer needs a result that needs no earlier one: it gets one soon. The event loop that watches."""
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = loop.call_at(self._fresh_s + FRESH_INTERVAL_S, self._make_fresh)

    @property
    def watched(self) -> bool:
        """Whether there are viewers. Any thread."""
        with self._changed:
            return self._watched

    def put(self, frame: ShownFrame) -> None:
        """A frame is shown. Display thread."""
        with self._changed:
            if self._watched:
                self._slot = frame
                self._changed.notify_all()

    def close(self) -> None:
        """End the thread. Any thread but that one."""
        with self._changed:
            thread, self._watched = self._thread, False
            self._changed.notify_all()
        if thread is not None:
            thread.join(END_S)

    # the event loop

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._repeating is None:
            self._repeating = loop.call_later(REPEATED_AFTER_S, self._repeat, self._delivered)
        with self._changed:
            self._watched, self._loop = True, loop
            if self._thread is None:
                self._handed = 0
                self._thread = Thread(self._name, self._run)
                self._thread.start()

    def _stop(self) -> None:
        for timer in (self._timer, self._repeating):
            if timer is not None:
                timer.cancel()
        self._timer = self._repeating = None
        with self._changed:
            self._watched, self._slot = False, None
            self._changed.notify_all()

    def _make_fresh(self) -> None:
        self._timer, self._fresh_s = None, asyncio.get_running_loop().time()
        frame = self._again()
        with self._changed:
            self._fresh = True
            if self._slot is None:
                self._slot = frame
            self._changed.notify_all()

    def _repeat(self, delivered: int) -> None:
        """Make the newest frame again if nothing was delivered since the last call."""
        if delivered == self._delivered and (frame := self._again()) is not None:
            self.put(frame)
        self._repeating = asyncio.get_running_loop().call_later(REPEATED_AFTER_S, self._repeat, self._delivered)

    def _deliver(self, result: T) -> None:
        self._delivered += 1
        with self._changed:
            self._handed -= 1
            self._changed.notify_all()
        for take in tuple(self._takers):
            take(result)

    # the thread

    def _run(self) -> None:
        try:
            maker = self._build()
        except Exception:  # the pipeline goes on; the next viewer starts the thread again
            log.exception("the live video failed")
            with self._changed:
                self._thread = None
            return
        is_logged = False
        while (taken := self._take()) is not None:
            try:
                result = maker.make(taken[0], fresh=taken[1])
            except Exception:
                if not is_logged:
                    log.exception("a frame of the live video failed; the next ones are tried")
                is_logged, result = True, None
                maker.close()
            if result is not None:
                self._hand_over(result)
        maker.close()

    def _take(self) -> tuple[ShownFrame, bool] | None:
        """Wait for the next frame, and whether its result is to be fresh; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: not self._watched or (self._slot is not None and self._handed < MOST_HANDED))
            if not self._watched or self._slot is None:
                self._thread = None  # another viewer starts another thread
                return None
            taken = self._slot, self._fresh
            self._slot, self._fresh = None, False
            return taken

    def _hand_over(self, result: T) -> None:
        with self._changed:
            loop = self._loop
            self._handed += 1
        try:
            if loop is not None:
                loop.call_soon_threadsafe(self._deliver, result)
        except RuntimeError:  # the web server has ended
            with self._changed:
                self._watched = False

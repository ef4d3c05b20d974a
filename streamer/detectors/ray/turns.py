"""Whose frame a pool detects next. Used by the dispatcher's event loop only.

The sender that was served longest ago comes first, so all get the same number of frames, however many they send at a
time. Its own frames are detected in the order in which they came: a camera of a host does not wait for another one. A
frame that has waited as long as its sender waits is dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
A = TypeVar("A")

_FORGOTTEN_S = 600.0
"""A sender that was not seen for so long begins anew."""


class Expired(Exception):
    """The frame has waited too long for a free worker."""


@dataclass(slots=True, eq=False)
class Waiting(Generic[T, A]):
    """A frame that waits for a worker.

    Attributes:
        sender: who sent it.
        frame: what is detected.
        expires_s: when its sender no longer waits, on the clock of `Turns`.
        answer: the detections; cancelled if the sender has gone.
    """

    sender: str
    frame: T
    expires_s: float
    answer: asyncio.Future[A] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns(Generic[T, A]):
    """The frames that wait, of all senders.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[str, list[Waiting[T, A]]] = {}  # by sender; the oldest first
        self._served: dict[str, tuple[int, float]] = {}  # by sender: number of its last turn, and its time
        self._turn = 0
        self._arrived = asyncio.Condition()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @property
    def senders(self) -> int:
        """How many senders had a turn in the last minutes."""
        return len(self._served)

    async def detected(self, sender: str, frame: T, limit_s: float) -> A:
        """Wait until a worker has detected the frame.

        Raises:
            Expired: no worker was free within the limit.
        """
        mine = Waiting[T, A](sender, frame, self._clock() + limit_s)
        async with self._arrived:
            self._waiting.setdefault(sender, []).append(mine)
            self._arrived.notify()
        try:
            async with asyncio.timeout(limit_s):
                return await mine.answer
        except TimeoutError:
            raise Expired from None
        finally:
            mine.answer.cancel()
            self._remove(mine)

    async def next(self) -> Waiting[T, A]:
        """The frame that is detected next, as soon as there is one."""
        async with self._arrived:
            while True:
                self._forget()
                if self._waiting:
                    return self._taken(min(self._waiting, key=self._last_turn))
                await self._arrived.wait()

    def _last_turn(self, sender: str) -> int:
        return self._served[sender][0] if sender in self._served else -1

    def _taken(self, sender: str) -> Waiting[T, A]:
        taken = self._waiting[sender][0]
        self._remove(taken)
        self._turn += 1
        self._served[sender] = self._turn, self._clock()
        return taken

    def _remove(self, one: Waiting[T, A]) -> None:
        frames = self._waiting.get(one.sender, [])
        if one in frames:
            frames.remove(one)
            if not frames:
                del self._waiting[one.sender]

    def _forget(self) -> None:
        """Drop frames that nobody waits for, and senders that have gone."""
        now_s = self._clock()
        for sender, frames in list(self._waiting.items()):
            left = [one for one in frames if not one.answer.done() and one.expires_s > now_s]
            if left:
                self._waiting[sender] = left
            else:
                del self._waiting[sender]
        gone = [one for one, (_, at_s) in self._served.items() if now_s - at_s > _FORGOTTEN_S]
        for sender in gone:
            del self._served[sender]

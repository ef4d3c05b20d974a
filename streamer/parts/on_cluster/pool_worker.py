"""One worker of the pool, as the pool sees it: the actor, its state, and what was asked of it. The pool's thread.

Ray answers on threads of its own, which only put an `Answer` into the pool's queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

_MOST_RECEIVING = 2
"""Calls with bytes of the input that a worker has not answered; they wait in the object store."""
BLOCKS_OF_A_CALL = 16


class State(Enum):
    """Of a worker."""

    STARTING = auto()
    """Ray looks for a place and starts the process."""
    LOADING = auto()
    """It loads the detector."""
    READY = auto()
    LOST = auto()
    """It is not started again."""


class Call(Enum):
    """The methods of the actor."""

    HELLO = "hello"
    RECEIVE = "receive"
    LOAD = "load"
    DETECT = "detect"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer to a call.

    Attributes:
        worker: who answers.
        life: of the process that was asked.
        call: the method.
        part: its number, for `detect`.
        value: the result; None if there is an error.
        error: of the worker or of Ray.
    """

    worker: PoolWorker
    life: int
    call: Call
    part: int | None
    value: Any
    error: BaseException | None


class PoolWorker:
    """A worker.

    Args:
        number: from 1.
        actor: Ray's handle.
        digest: of the plan.
        answered: gets the answers, on a thread of Ray.

    Attributes:
        state: see `State`.
        life: of its process; counts from 0.
        host: where it runs; empty before it has said.
        parts: those that it has, the one that it detects first.
        failed_parts: those that failed on it while its process went on.
        failed_starts: how often its process ended before the detector was loaded.
        sent: blocks of the input that its process has; None if it reads the file itself.
    """

    def __init__(self, number: int, actor: Any, digest: str, answered: Callable[[Answer], None]) -> None:
        self.number = number
        self.actor = actor
        self._digest = digest
        self._answered = answered
        self.state = State.STARTING
        self.life = 0
        self.host = ""
        self.parts: list[int] = []
        self.failed_parts: set[int] = set()
        self.failed_starts = 0
        self.sent: set[int] | None = None
        self._queued: deque[tuple[Call, Any]] = deque()
        self._receiving = 0

    @property
    def name(self) -> str:
        """For messages."""
        return f"worker {self.number} on {self.host}" if self.host else f"worker {self.number}"

    def call(self, call: Call, argument: Any = None) -> None:
        """Ask for something, once all bytes that were queued before are on their way."""
        self._queued.append((call, argument))

    def send(self, blocks: Iterable[int]) -> None:
        """Queue the blocks of the input that its process does not have."""
        assert self.sent is not None
        missing = [block for block in blocks if block not in self.sent]
        self.sent.update(missing)
        for first in range(0, len(missing), BLOCKS_OF_A_CALL):
            self.call(Call.RECEIVE, missing[first : first + BLOCKS_OF_A_CALL])

    def continue_calls(self, read: Callable[[int], tuple[int, bytes]]) -> None:
        """Make the calls that are queued; bytes only as fast as they are taken.

        Args:
            read: the offset and the bytes of a block.
        """
        while self._queued:
            call, argument = self._queued[0]
            if call is Call.RECEIVE:
                if self._receiving >= _MOST_RECEIVING:
                    return
                self._receiving += 1
                argument = [read(block) for block in argument]
            self._queued.popleft()
            self._ask(call, argument)

    def took(self, answer: Answer) -> None:
        """Note that a call is answered."""
        if answer.call is Call.RECEIVE:
            self._receiving -= 1

    def begin_life(self) -> None:
        """Its process ended; answers of the old one do not count any more."""
        self.life += 1
        self.state = State.STARTING
        self.sent = None
        self._receiving = 0
        self._queued.clear()

    def _ask(self, call: Call, argument: Any) -> None:
        life, part = self.life, argument if call is Call.DETECT else None

        def answer(future: Future[Any]) -> None:
            error = future.exception()
            value = None if error is not None else future.result()
            self._answered(Answer(self, life, call, part, value, error))

        # The greeting brings the plan; the other calls name it.
        arguments = argument if call is Call.HELLO else (self._digest, *([] if argument is None else [argument]))
        reference = getattr(self.actor, call.value).remote(*arguments)
        reference.future().add_done_callback(answer)

"""The thread of one target: it reads the outbox in order and delivers each message until the target has it.

A message leaves the outbox when the target has acknowledged it, when it was refused for good, or when `retry_for_s` is
over. The first message that cannot be delivered holds the ones behind it, so the order is kept.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from streamer.config.notify import TargetSettings
from streamer.notify.payload import message_of
from streamer.notify.target import BatchTarget, DeliveryError, Target
from streamer.store.records import Delivery
from streamer.system.backoff import Backoff
from streamer.system.secrets import SECRETS
from streamer.system.suggestions import counted
from streamer.system.threads import Thread

log = logging.getLogger(__name__)

READ_TOGETHER = 100
REFUSALS = 3
"""After so many attempts a message that the receiver refuses is dropped."""
LONGEST_RETRY_AFTER_S = 3600.0
"""A longer wait that a receiver asks for is cut to this."""


class Outbox(Protocol):
    """What a worker needs of `streamer.store.event_store.EventStore`; see there. Any thread."""

    def pending(self, target: str, limit: int) -> list[Delivery]: ...

    def delivered(self, numbers: Iterable[int]) -> None: ...

    def failed(self, number: int, error: str) -> None: ...


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """What a target does at one moment, since the start of the program.

    Attributes:
        name, type: of the target.
        delivered: messages that it has acknowledged.
        failed_attempts: attempts that failed.
        refused: messages that were dropped because the receiver refuses them.
        expired: messages that were dropped after `retry_for_s`.
        error: why the last attempt failed, one line; empty after a success.
        failing_since_s: monotonic clock of the first failure after the last success; None while it works.
    """

    name: str
    type: str
    delivered: int = 0
    failed_attempts: int = 0
    refused: int = 0
    expired: int = 0
    error: str = ""
    failing_since_s: float | None = None


class _Outcome(Enum):
    """How an attempt to deliver a message ended."""

    SETTLED = auto()
    """It has left the outbox."""
    EXPIRED = auto()
    """The same, and others behind it may have left, too."""
    ENDING = auto()
    """It waits for the next start: the thread ends."""


class TargetWorker:
    """Delivers to one target from `start` to `stop`.

    Args:
        name: of the target.
        settings: of the target.
        target: closed by the thread.
        outbox: has its messages.
        folder: of the store; None if it has no files.
        now: seconds since 1970.
    """

    def __init__(
        self,
        name: str,
        settings: TargetSettings,
        target: Target,
        outbox: Outbox,
        folder: Path | None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._name, self._settings, self._target, self._outbox, self._folder = name, settings, target, outbox, folder
        self._now = now
        first_s = min(settings.first_wait_s, settings.longest_wait_s)
        self._backoff = Backoff(first_s, settings.longest_wait_s)
        self._ending, self._woken = threading.Event(), threading.Event()
        self._lock = threading.Lock()  # guards the status
        self._status = TargetStatus(name, settings.type)
        self._thread = Thread(f"notify-{name}", self._run, shared=True)

    @property
    def status(self) -> TargetStatus:
        """What the target does now. Any thread."""
        with self._lock:
            return self._status

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """There may be new messages. Any thread."""
        self._woken.set()

    def end(self) -> None:
        """Deliver what waits, but try nothing again, and end the thread. Any thread."""
        self._ending.set()
        self._woken.set()

    def join(self, within_s: float) -> bool:
        """Wait for the end of the thread; whether it has ended."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """End the attempt in progress. Any thread."""
        self._target.cancel()

    def _run(self) -> None:
        try:
            while self._has_delivered_all() and not self._ending.is_set():
                self._woken.wait()
        finally:
            self._target.close()

    def _has_delivered_all(self) -> bool:
        """Deliver until nothing waits; False if the thread ends before."""
        while True:
            try:
                return self._deliver_all()
            except Exception:  # the store cannot be read now
                log.exception("notify: an error of the program; the next attempt for target %s follows", self._name)
                if self._ending.wait(self._backoff.next_s()):
                    return False

    def _deliver_all(self) -> bool:
        """Deliver until nothing waits; False if the thread ends before."""
        while True:
            self._woken.clear()  # before the query: a row that is committed after it wakes the thread
            deliveries = self._outbox.pending(self._name, READ_TOGETHER)
            if not deliveries:
                return True
            if isinstance(self._target, BatchTarget):
                count = self._deliver_together(self._target, deliveries)
                deliveries = deliveries[count : count + 1]
            for delivery in deliveries:
                match self._deliver(delivery):
                    case _Outcome.ENDING:
                        return False
                    case _Outcome.EXPIRED:
                        break

    def _deliver_together(self, target: BatchTarget, deliveries: Sequence[Delivery]) -> int:
        """Deliver as many messages as possible within one round trip; how many have left the outbox."""
        if len(deliveries) == 1:
            return 0
        try:
            count = target.deliver_all([message_of(delivery, self._folder) for delivery in deliveries])
        except Exception:  # a bug of a target: the messages are delivered one by one
            if not self.status.error:
                log.exception("notify: target %s failed by an error of the program", self._name)
            return 0
        if count:
            self._outbox.delivered([delivery.number for delivery in deliveries[:count]])
            self._report_success(count)
        return count

    def _deliver(self, delivery: Delivery) -> _Outcome:
        """Deliver a message, as often as it takes."""
        attempts, refusals = delivery.attempts, 0
        while (error := self._attempt(replace(delivery, attempts=attempts))) is not None:
            if self._ending.is_set():
                return _Outcome.ENDING
            attempts += 1
            self._outbox.failed(delivery.number, str(error))
            refusals += error.permanent
            if refusals >= REFUSALS:
                self._drop_refused(delivery, error)
                return _Outcome.SETTLED
            if self._drop_expired(delivery):
                return _Outcome.EXPIRED
            asked_s = min(error.retry_after_s or 0.0, LONGEST_RETRY_AFTER_S)
            wait_s = max(self._backoff.next_s(), asked_s)
            self._report_failure(error, wait_s)
            if self._ending.wait(wait_s):
                return _Outcome.ENDING
        self._outbox.delivered([delivery.number])
        self._report_success(1)
        return _Outcome.SETTLED

    def _attempt(self, delivery: Delivery) -> DeliveryError | None:
        """Why a message was not delivered; None if it was."""
        try:
            self._target.deliver(message_of(delivery, self._folder))
        except DeliveryError as error:
            text, after_s = SECRETS.hide(str(error)), error.retry_after_s
            return DeliveryError(text, permanent=error.permanent, retry_after_s=after_s, is_told=error.is_told)
        except Exception as error:  # a bug of a target does not end the others, nor lose the message
            if not self.status.error:
                log.exception("notify: target %s failed by an error of the program", self._name)
            return DeliveryError(SECRETS.hide(f"{type(error).__name__}: {error}"))
        return None

    def _drop_refused(self, delivery: Delivery, error: DeliveryError) -> None:
        self._outbox.delivered([delivery.number])
        self._backoff.reset()
        self._change(failed_attempts=1, refused=1)
        log.warning(
            "notify: target %s refuses the message about event %s %d times, so it is dropped: %s",
            self._name,
            delivery.event_id,
            REFUSALS,
            error,
        )

    def _drop_expired(self, first: Delivery) -> bool:
        """Drop all messages that have waited for longer than `retry_for_s`; whether the first one is among them."""
        limit_s = self._settings.retry_for_s
        if limit_s is None:
            return False
        is_first, dropped = False, 0
        while True:
            waiting = self._outbox.pending(self._name, READ_TOGETHER)
            old = [one.number for one in waiting if self._now() - one.time > limit_s]
            self._outbox.delivered(old)
            dropped += len(old)
            is_first = is_first or first.number in old
            if len(old) < READ_TOGETHER:
                break
        if dropped:
            self._change(expired=dropped)
            log.warning(
                "notify: %s for target %s dropped: not delivered within %g s",
                counted(dropped, "message"),
                self._name,
                limit_s,
            )
        return is_first

    def _report_failure(self, error: DeliveryError, wait_s: float) -> None:
        before = self.status
        self._change(failed_attempts=1)
        with self._lock:
            since_s = before.failing_since_s or time.monotonic()
            self._status = replace(self._status, error=str(error), failing_since_s=since_s)
        # A lasting fault is reported once, also if the receiver adds something new to each answer.
        if not error.is_told and before.error.partition(": ")[0] != str(error).partition(": ")[0]:
            log.warning("notify: target %s: %s; the next attempt is in %.1f s", self._name, error, wait_s)

    def _report_success(self, count: int) -> None:
        before = self.status
        self._change(delivered=count)
        self._backoff.reset()
        if before.failing_since_s is not None:
            with self._lock:
                self._status = replace(self._status, error="", failing_since_s=None)
            log.warning(
                "notify: target %s works again after %.0f s", self._name, time.monotonic() - before.failing_since_s
            )

    def _change(self, **counts: int) -> None:
        with self._lock:
            added = {name: getattr(self._status, name) + count for name, count in counts.items()}
            self._status = replace(self._status, **added)

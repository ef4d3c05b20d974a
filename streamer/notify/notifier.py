"""Tells all targets of events: chooses who gets a message, and owns one thread for each target.

The messages themselves are in the store, written in the transaction of their event. The notifier can be ended at any
moment; the next start continues where it was.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from streamer.config.notify import NotifySettings, TargetSettings
from streamer.notify.filters import MessageFilter
from streamer.notify.target import CameraCondition, CameraReadings, StateTarget, Target, TargetContext
from streamer.notify.target_worker import Outbox, TargetStatus, TargetWorker
from streamer.registry import TARGETS
from streamer.store.records import EventRecord
from streamer.system.suggestions import counted
from streamer.values.events import EventPhase, Watched

log = logging.getLogger(__name__)

END_S = 5.0
"""How long leaving waits for messages to be delivered. Others stay in the store."""
CANCELLED_S = 4.0
"""How long it waits then for attempts to end that were cancelled."""
TOLD_S = 1.0
"""A longer wait is told to the user."""
KEEP_DAYS = 7.0
"""How long messages for a target are kept that the settings no longer have."""


class Store(Outbox, Protocol):
    """What the notifier needs of `streamer.store.event_store.EventStore`; see there."""

    def waiting(self, target: str) -> int: ...

    def on_commit(self, callback: Callable[[Sequence[str]], object]) -> None: ...

    def flush(self, timeout_s: float = ...) -> bool: ...

    def drop_others(self, targets: Iterable[str], before: float) -> Mapping[str, tuple[int, int]]: ...


def build(name: str, settings: TargetSettings, folder: Path | None, *, shows_readings: bool = True) -> Target:
    """The target with these settings.

    Args:
        name: of the target.
        settings: of the class that belongs to its type.
        folder: of the store; None without one.
        shows_readings: see `TargetContext`.

    Raises:
        ConfigError: a setting does not fit, or a secret cannot be read.
    """
    context = TargetContext(f"notify.targets.{name}", folder, shows_readings)
    target: Target = TARGETS[settings.type].from_settings(name, settings, context)
    return target


class Notifier:
    """A context manager, inside that of the store: entering starts the threads, leaving ends them.

    Leaving waits up to `END_S` for what can be delivered at once.

    Args:
        settings: of all targets.
        store: of the events.
        folder: of the store.
        filter_clocks: arguments of `MessageFilter`, for tests.

    Raises:
        ConfigError: a target cannot be built from its settings.
    """

    def __init__(self, settings: NotifySettings, store: Store, folder: Path | None, **filter_clocks: Any) -> None:
        self._store = store
        self._filters = {name: MessageFilter(one, **filter_clocks) for name, one in settings.targets.items()}
        targets = {name: build(name, one, folder) for name, one in settings.targets.items()}
        self._state_targets = tuple(one for one in targets.values() if isinstance(one, StateTarget))
        self._workers = {
            name: TargetWorker(name, settings.targets[name], target, store, folder) for name, target in targets.items()
        }

    def __enter__(self) -> Self:
        self._drop_others()
        self._store.on_commit(self._wake)
        for worker in self._workers.values():
            worker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._store.flush()
        for worker in self._workers.values():
            worker.end()
        began_s = time.monotonic()
        slow = _still_running(self._workers.values(), began_s + TOLD_S)
        if slow:
            names = ", ".join(worker.status.name for worker in slow)
            log.warning("notify: waiting up to %g s for the answer of %s", END_S, names)
        slow = _still_running(slow, began_s + END_S)
        for worker in slow:
            worker.cancel()
        for worker in _still_running(slow, time.monotonic() + CANCELLED_S):
            log.warning("notify: target %s does not end", worker.status.name)
        for name in self._workers:
            if waiting := self._store.waiting(name):
                wait = "wait" if waiting > 1 else "waits"
                log.warning("notify: %s for target %s %s for the next start", counted(waiting, "message"), name, wait)

    def targets_for(self, record: EventRecord, phase: EventPhase | None) -> tuple[str, ...]:
        """The targets that get a message. Any thread; call it once for each message, because it starts cooldowns.

        Args:
            record: as it is now.
            phase: the part of the event that has happened; None for a file of it that is complete.
        """
        return tuple(name for name, chosen in self._filters.items() if chosen.passes(record, phase))

    def publish(self, camera: str, watched: Watched, condition: CameraCondition) -> None:
        """Show the readings of a camera on the targets that show readings. Any thread; returns at once."""
        readings = CameraReadings(camera, condition, watched)
        for target in self._state_targets:
            target.publish(readings)

    def keep_only(self, cameras: Collection[str]) -> None:
        """Remove the readings of all other cameras from the targets that show readings. Any thread; returns at once."""
        for target in self._state_targets:
            target.keep_only(cameras)

    def statuses(self) -> list[tuple[TargetStatus, int]]:
        """Each target, with the number of its messages that wait. Any thread."""
        return [(worker.status, self._store.waiting(name)) for name, worker in self._workers.items()]

    def _wake(self, _: Sequence[str]) -> None:
        for worker in self._workers.values():
            worker.wake()

    def _drop_others(self) -> None:
        """Drop old messages of targets that the settings no longer have."""
        before = time.time() - KEEP_DAYS * 24 * 3600
        for name, (dropped, left) in self._store.drop_others(self._workers, before).items():
            if left:
                log.warning(
                    "notify: %s for target %s, which the settings do not have; dropped after %g days",
                    counted(left, "message"),
                    name,
                    KEEP_DAYS,
                )
            if dropped:
                log.warning("notify: %s for the former target %s dropped", counted(dropped, "message"), name)


def _still_running(workers: Iterable[TargetWorker], until_s: float) -> list[TargetWorker]:
    """Wait for the end of threads; those that have not ended at a time of the monotonic clock."""
    return [worker for worker in workers if not worker.join(max(0.0, until_s - time.monotonic()))]

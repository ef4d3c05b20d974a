"""What a target is: the interface of the classes in `registry.TARGETS`, and the values that they get.

A target delivers its messages on a thread of its own, one at a time or several together. The notifier reads messages
from the store, waits between attempts and keeps the order; a target does none of this.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from streamer.config.notify import TargetSettings
from streamer.errors import StreamerError
from streamer.store.records import EventRecord
from streamer.values.events import EventPhase, Watched


class DeliveryError(StreamerError):
    """A message was not delivered.

    Args:
        message: one line, without a credential.
        permanent: the receiver refuses this message, and another attempt would be refused, too. False for everything
            that the receiver or its operator can mend: no connection, a wrong login, a full disk.
        retry_after_s: the receiver asks for this wait before the next attempt; None if it does not say.
        is_told: the target has written it to the log already.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, retry_after_s: float | None = None, is_told: bool = False
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after_s = retry_after_s
        self.is_told = is_told


@dataclass(frozen=True, slots=True)
class Message:
    """One message about an event.

    Attributes:
        event: the event as it was then.
        phase: the part of the event that it tells; None for a file of it that has become complete.
        key: the same for all attempts, and of no other message: receivers drop a key that they have.
        payload: the message as JSON; `streamer.notify.payload` describes it.
        snapshot: the picture of the event; None without one.
        clip: the clip of the event; None before it is complete.
        attempts: how often it was tried before.
    """

    event: EventRecord
    phase: EventPhase | None
    key: str
    payload: Mapping[str, Any]
    snapshot: Path | None = None
    clip: Path | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class TargetContext:
    """Arguments of a target besides its settings.

    Attributes:
        path: of its settings, for messages: `notify.targets.NAME`.
        folder: of the store, where targets may keep what must survive a restart; None without a store.
        shows_readings: a `StateTarget` shows readings, and that the program runs; False for a test message.
    """

    path: str
    folder: Path | None = None
    shows_readings: bool = True


class Target(Protocol):
    """A class in `registry.TARGETS`. One thread calls `deliver` and `close`.

    Attributes:
        section: the settings that `from_settings` gets.
    """

    section: ClassVar[type[TargetSettings]]

    @classmethod
    def from_settings(cls, name: str, settings: Any, context: TargetContext) -> Self:
        """The target. It reads its secrets now, and opens no connection.

        Args:
            name: of the target.
            settings: an instance of `section`.
            context: see `TargetContext`.

        Raises:
            ConfigError: a setting does not fit, or a secret cannot be read.
        """
        ...

    def deliver(self, message: Message) -> str:
        """Deliver a message within `timeout_s`; connects if it is not connected.

        Returns:
            What the receiver answered, one line for `streamer notify test`; it has the message now.

        Raises:
            DeliveryError: it was not delivered, or perhaps not.
        """
        ...

    def cancel(self) -> None:
        """Any thread: `deliver` raises `DeliveryError` at once, now and from now on."""
        ...

    def close(self) -> None:
        """End the connection. After the last `deliver`."""
        ...


@runtime_checkable
class BatchTarget(Protocol):
    """A target that delivers several messages within one round trip to the receiver."""

    def deliver_all(self, messages: Sequence[Message]) -> int:
        """Deliver messages in their order.

        Returns:
            How many of them, from the first one on, the receiver has. The next one is delivered alone, which says why
            it failed; those behind it may arrive twice.
        """
        ...


class CameraCondition(StrEnum):
    """What a camera does."""

    STARTING = "starting"
    """No frame was shown yet."""
    RUNNING = "running"
    LOST = "lost"
    """It sends no frames, and is tried again."""
    COVERED = "covered"
    """It shows no details."""
    STOPPED = "stopped"
    """Its run has ended."""


@dataclass(frozen=True, slots=True)
class CameraReadings:
    """What a camera counts now.

    Attributes:
        camera: its name.
        condition: what it does.
        watched: counts of its lines and zones.
    """

    camera: str
    condition: CameraCondition
    watched: Watched


@runtime_checkable
class StateTarget(Protocol):
    """A target that also shows the newest readings of cameras. They need no outbox: only the newest one counts."""

    def publish(self, readings: CameraReadings) -> None:
        """Any thread; returns at once. Called when a reading has changed, and when a camera starts or stops."""
        ...

    def keep_only(self, cameras: Collection[str]) -> None:
        """Any thread; returns at once. The names of all cameras: readings of others, also of earlier runs, are removed.

        Called at the start and after a change of a site; never in a program that does not know all cameras.
        """
        ...

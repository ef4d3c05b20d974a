"""What the cameras of a program share to keep and tell their events: the store, the targets and a timer.

The main thread enters and leaves it. The thread of each camera asks for its events.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from streamer.analytics.build import camera_of
from streamer.clips.annotated.clips import AnnotatedClips, Order
from streamer.config.events import StoreSettings
from streamer.config.notify import NotifySettings
from streamer.config.settings import Settings, StreamSettings
from streamer.errors import ConfigError
from streamer.events.camera_events import CameraEvents
from streamer.events.timer import Timer
from streamer.flow.observers import RunObserver
from streamer.flow.stats import RunStats
from streamer.notify.notifier import Notifier
from streamer.sources.selection import path_of
from streamer.store.event_store import EventStore
from streamer.system.secrets import redacted

if TYPE_CHECKING:
    from prometheus_client.registry import Collector


class EventService:
    """A context manager.

    Args:
        store: with a folder.
        notify: the targets.

    Attributes:
        store: of the events of all cameras.
        notifier: tells the targets.

    Raises:
        ConfigError: on entering: the folder cannot be used, or a setting of a target does not fit.
    """

    def __init__(self, store: StoreSettings, notify: NotifySettings) -> None:
        self.store = EventStore(store, targets_for=lambda record, phase: self.notifier.targets_for(record, phase))
        self.notifier = Notifier(notify, self.store, self.store.folder)
        self._annotated = AnnotatedClips(self.store.folder, self._finish_annotated)
        self._timer = Timer()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for part in (self.store, self.notifier, self._annotated, self._timer):
                stack.enter_context(part)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def destination(self) -> str:
        """Where events go, one line."""
        return f"events in {self.store.folder}"

    def camera(self, name: str, settings: StreamSettings) -> CameraEvents:
        """The events of a camera, over all of its runs. The caller closes it.

        Args:
            name: of the camera.
            settings: of the camera.
        """
        return CameraEvents(name, settings, self.store, self.notifier, self._annotated, self._timer)

    def _finish_annotated(self, order: Order, size: int) -> None:
        self.store.attach(order.event_id, annotated=order.target, bytes=size)


def event_observers(
    uri: str, settings: Settings, stats: RunStats, stack: ExitStack, events: CameraEvents | None
) -> Sequence[RunObserver]:
    """What stores the events of a run, if its settings say so.

    Args:
        uri: its source, which names its camera.
        settings: of the run.
        stats: of the run.
        stack: leaves what is entered here.
        events: of its camera, if the program has several runs; used in place of `store` and `notify` of the settings.

    Raises:
        ConfigError: as of `EventService`, and there are targets and no store.
    """
    if events is not None:
        return (events.recorder(stats),)
    service = event_service(settings.store, settings.notify)
    if service is None:
        return ()
    events = stack.enter_context(service).camera(camera_of(redacted(path_of(uri))), settings)
    stack.callback(events.close)
    return (events.recorder(stats, service.destination), _TargetFigures(service.notifier))


class _TargetFigures(RunObserver):
    """Adds the figures of the targets to the metrics of a run."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    def collectors(self) -> Sequence[Collector]:
        """See `RunObserver`."""
        from streamer.notify.figures import TargetCollector  # here: its library is for metrics only

        return (TargetCollector(self._notifier.statuses),)


def event_service(store: StoreSettings, notify: NotifySettings) -> EventService | None:
    """The service of a program; None if it stores no events.

    Raises:
        ConfigError: there are targets and no store.
    """
    require_store(store, notify)
    return None if store.folder is None else EventService(store, notify)


def require_store(store: StoreSettings, notify: NotifySettings) -> None:
    """Refuse targets without a store.

    Raises:
        ConfigError: with the remedy.
    """
    if notify.targets and store.folder is None:
        raise ConfigError("notify.targets: alerts wait in the store until they are delivered; give store.folder")

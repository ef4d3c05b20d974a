"""A running site: starts and stops its cameras, and changes them while the others run.

The main thread calls `run`. Any thread may call the other methods, but no signal handler.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from streamer.config.camera import CameraSettings
from streamer.config.site import SiteSettings
from streamer.errors import ConfigError, Interrupted
from streamer.events.service import EventService, event_service
from streamer.inference.pool import DEFAULT_MAX_AGE_S
from streamer.notify.target_worker import TargetStatus
from streamer.observe.report import Report
from streamer.serve.camera import Camera
from streamer.serve.changes import Changes, compare
from streamer.serve.checks.events import names_without_events
from streamer.serve.checks.file import check_site
from streamer.serve.pools import SitePool
from streamer.serve.rates import SiteRates
from streamer.serve.reporter import NoViewers, SiteReporter, SiteViewers
from streamer.serve.site_pools import Guest, SitePools
from streamer.serve.status import CameraState, CameraStatus, running_text
from streamer.system.service_notify import ServiceNotify

STOP_S = 2.5
"""How long the end of some cameras takes, all together."""
REFRESH_S = 0.5
_FIXED = ("metrics", "control", "web", "store", "notify")


class Site:
    """The cameras of a site and their detectors.

    Args:
        settings: of the site.
        load: reads the settings again, for `reload`.
        reporter: gets messages and states.
        service: the service manager, which gets the state of the site.
        overwrite: as for `Camera`.
        viewers: observe the runs of the cameras.
        stays: `run` does not return when the sources of all cameras have ended.
    """

    def __init__(
        self,
        settings: SiteSettings,
        load: Callable[[], SiteSettings],
        reporter: SiteReporter,
        service: ServiceNotify | None = None,
        *,
        overwrite: bool = False,
        viewers: SiteViewers | None = None,
        stays: bool = False,
    ) -> None:
        self.rates = SiteRates()  # of the cameras
        self._load = load
        self._reporter = reporter
        self._service = service or ServiceNotify({})
        self._overwrite = overwrite
        self._viewers, self._stays = viewers or NoViewers(), stays
        self._changing = threading.Lock()  # held during a change
        self._pools = SitePools(reporter.say)
        self._events: EventService | None = None
        self._stack = ExitStack()  # leaves the store after the cameras
        self._changed = threading.Condition()  # guards all below
        self._settings = settings
        self._cameras: dict[str, Camera] = {}
        self._stopping = self._woken = False

    def run(self) -> None:
        """Run until `stop`, or until the sources of all cameras have ended.

        Raises:
            Interrupted: `stop` was called.
            ConfigError, ModelError: a detector cannot be loaded, or a camera names a class that it does not have.
        """
        try:
            with self._changing:
                self._start()
            self._service.ready(running_text(self.cameras()))
            self._watch()
        finally:
            self._end()

    def stop(self) -> None:
        """End all cameras; `run` then raises Interrupted."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    @property
    def settings(self) -> SiteSettings:
        """The settings in use."""
        with self._changed:
            return self._settings

    def cameras(self) -> list[CameraStatus]:
        """The state of all cameras, in the order of the settings."""
        return [camera.status for camera in self._all()]

    @property
    def events(self) -> EventService | None:
        """Its events; None before they are opened, and if none are stored."""
        with self._changed:
            return self._events

    def targets(self) -> Sequence[tuple[TargetStatus, int]]:
        """The state of all targets of alerts, with the number of their messages that wait."""
        events = self.events
        return [] if events is None else events.notifier.statuses()

    def reports(self) -> dict[str, Report]:
        """The report of each camera's last run, by name; of cameras without a report, nothing."""
        return {camera.name: report for camera in self._all() if (report := camera.report) is not None}

    def reload(self, *, wait: bool = False) -> Changes:
        """Read the settings again and apply them. Raises as `apply`.

        Args:
            wait: for the end of another change, which is then no error.
        """
        with self._one_change(wait=wait), self._service.reloading():
            return self._apply(self._load())

    def apply(self, settings: SiteSettings) -> Changes:
        """Change what differs; cameras whose settings are equal go on.

        Raises:
            ConfigError, ModelError: nothing is changed: another change is running, the settings contradict one another,
                or a detector cannot be loaded.
        """
        with self._one_change():
            return self._apply(settings)

    def add(self, name: str, settings: Mapping[str, object]) -> None:
        """Add a camera, with the settings of its section in the site's file.

        Raises:
            ConfigError, ModelError: there is one of that name, a setting is invalid, and as `apply`.
        """
        with self._one_change():
            if name in self._settings.cameras:
                raise ConfigError(f"there is a camera {name!r} already; remove it first, or choose another name")
            self._apply(self._settings.with_camera(name, self._settings.camera(name, settings)))

    def remove(self, name: str) -> None:
        """Remove a camera. Raises ConfigError: there is none of that name."""
        with self._one_change():
            self._apply(self._settings.without_camera(name))

    def restart(self, name: str) -> None:
        """End a camera's run and begin another. Raises ConfigError: there is no camera of that name."""
        with self._one_change():
            self._settings.without_camera(name)  # refuses an unknown name
            self._leave([name])
            self._begin([name])

    def guest(self, name: str, settings: CameraSettings, stop: Callable[[], None]) -> Guest:
        """A stream beside the cameras, which may share one of their detectors.

        Args:
            name: unique among the guests; no name of a camera.
            settings: of the stream, as of a camera.
            stop: called when the site ends, or has another detector. Must not wait.
        """
        bound_s = settings.detector.max_age_s or self.settings.detector_of(settings).max_age_s or DEFAULT_MAX_AGE_S
        return Guest(name, settings, bound_s, self._admit, stop, self._pools.left)

    def _admit(self, guest: Guest, say: Callable[[str], None]) -> SitePool:
        with self._changing:
            with self._changed:
                settings = self._settings
                if self._stopping:
                    raise Interrupted
            return self._pools.admit(guest, settings, say)

    def _all(self) -> list[Camera]:
        with self._changed:
            return [self._cameras[name] for name in self._settings.cameras if name in self._cameras]

    @contextmanager
    def _one_change(self, *, wait: bool = False) -> Iterator[None]:
        if not self._changing.acquire(blocking=wait):
            raise ConfigError("another change of the cameras is running; try again when it is done")
        try:
            with self._changed:
                if self._stopping:
                    raise ConfigError("the site is ending")
            yield
        finally:
            self._changing.release()

    # the thread that changes the site

    def _start(self) -> None:
        """Start the cameras, which connect while their detectors load."""
        settings = self._settings
        check_site(settings)
        service = event_service(settings.store, settings.notify)
        if service is not None:
            self._stack.enter_context(service)
            with self._changed:
                self._events = service
            for line in (service.destination, *names_without_events(settings)):
                self._reporter.say(line)
        self._pools.begin(settings)
        self._begin(settings.cameras)
        self._pools.load(settings)

    def _apply(self, settings: SiteSettings) -> Changes:
        check_site(settings)
        if fixed := [name for name in _FIXED if getattr(settings, name) != getattr(self._settings, name)]:
            self._reporter.say(f"{' and '.join(fixed)}: read at the start only; restart the site to change them")
        changes = compare(self._settings, settings)
        with self._pools.changed(settings):
            self._leave([*changes.removed, *changes.changed])
            with self._changed:
                self._settings = settings
                for name in changes.removed:
                    self._cameras.pop(name, None)
            self._begin([*changes.added, *changes.changed])
            for name in changes.removed:
                self._viewers.remove(name)
        return changes

    def _begin(self, names: Iterable[str]) -> None:
        if self._events is not None:
            self._events.notifier.keep_only(self._settings.cameras)
        for name in names:
            settings = self._settings.cameras[name]
            with self._changed:
                before = self._cameras.get(name)
            camera = Camera(
                name,
                settings,
                self._pools.of(settings),
                self._reporter,
                self._wake,
                overwrite=self._overwrite,
                viewers=self._viewers,
                after=before,
                events=None if self._events is None else self._events.camera(name, settings),
            )
            with self._changed:
                if self._stopping:  # `_end` stops the cameras that there are
                    return
                self._cameras[name] = camera
                camera.start()

    def _leave(self, names: Iterable[str]) -> None:
        """End cameras. Those that begin again stay among the cameras, as stopped, until then."""
        with self._changed:
            cameras = [self._cameras[name] for name in names if name in self._cameras]
        self._stop_all(cameras)

    def _stop_all(self, cameras: Sequence[Camera]) -> None:
        """End cameras at the same time."""
        for camera in cameras:
            camera.stop()
        until_s = time.monotonic() + STOP_S
        for camera in cameras:
            if not camera.join(until_s - time.monotonic()):
                self._reporter.message(camera.name, f"did not end within {STOP_S:g} s and is left behind")

    # main thread

    def _watch(self) -> None:
        while True:
            cameras = self.cameras()
            self.rates.update(cameras, time.monotonic())
            self._reporter.refresh(cameras)
            self._service.beat()
            self._service.status(running_text(cameras))
            if cameras and not self._stays and all(camera.state is CameraState.ENDED for camera in cameras):
                return
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._woken, REFRESH_S)
                self._woken = False
                if self._stopping:
                    raise Interrupted

    def _wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _end(self) -> None:
        self.stop()  # no change begins a camera from now on
        self._service.stopping()
        self._pools.cancel()
        self._stop_all(self._all())
        self._pools.close()
        self._stack.close()
        self._reporter.refresh(self.cameras())

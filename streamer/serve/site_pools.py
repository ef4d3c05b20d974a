"""All detectors of a site: those of its cameras, and those of guests, which are streams that come and go.

The thread that changes the site calls `changed`, `load` and `admit`; only one does so at a time. Any thread may call
`Guest.leave`, and the main thread ends all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from streamer.config.camera import CameraSettings
from streamer.config.detector import DetectorSettings
from streamer.config.site import SiteSettings
from streamer.detectors.selection import BuiltDetectors, check_classes
from streamer.features import DetectorContext
from streamer.serve.pools import CameraPool, SitePool
from streamer.values.labels import LabelTable

Say = Callable[[str], None]


class Guest:
    """A stream that is no camera of the site and shares one of its detectors: the `DetectorProvider` of its run.

    Args:
        name: unique among the guests; no name of a camera.
        settings: of the stream, as of a camera.
        longest_interval_s: the longest time between two of its turns.
        admit: lets it join its detector, which is loaded first if nothing used it before.
        stop: called when the detector is closed under it: the site ends, or has another detector now. Must not wait.
        left: called once it has left.
    """

    def __init__(
        self,
        name: str,
        settings: CameraSettings,
        longest_interval_s: float,
        admit: Callable[[Guest, Say], SitePool],
        stop: Callable[[], None],
        left: Callable[[Guest], None],
    ) -> None:
        self.name = name
        self.settings = settings
        self.longest_interval_s = longest_interval_s
        self.stop = stop
        self._admit = admit
        self._left = left
        self._share: CameraPool | None = None

    def check_classes(self, settings: DetectorSettings) -> LabelTable | None:
        """See `streamer.run.own_parts.DetectorProvider`."""
        return check_classes(settings)

    def build(self, settings: DetectorSettings, context: DetectorContext) -> BuiltDetectors:
        """See `streamer.run.own_parts.DetectorProvider`. Waits while the detector is loaded.

        Raises:
            ConfigError: the detector has no time for one more stream.
            Interrupted: the site ends.
        """
        self._share = CameraPool(self.name, self.settings, self._admit(self, context.say))
        return self._share.build(settings, context)

    def leave(self) -> None:
        """The run has ended: give up the share of the detector, which stays loaded."""
        if self._share is not None:
            self._share.leave()
        self._left(self)


class SitePools:
    """The detectors of a site by the name of their entry; "" is `detector`.

    Args:
        say: gets one line about each step of loading that takes time.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._lock = threading.Lock()  # guards all below; never held while a detector is loaded
        self._pools: dict[str, SitePool] = {}
        self._guests: dict[Guest, SitePool] = {}
        self._kept: set[str] = set()  # entries that a guest has used

    def begin(self, settings: SiteSettings) -> None:
        """Make the detectors that cameras can wait for, before they are loaded."""
        pools = {name: SitePool(detector) for name, detector in settings.detectors_in_use().items()}
        with self._lock:
            self._pools = pools | self._pools  # a guest may have come before

    def load(self, settings: SiteSettings) -> None:
        """Load what `begin` made. Raises as `SitePool.load`."""
        for name in settings.detectors_in_use():
            self._pools[name].load(settings.cameras_of(name), self._say)

    def of(self, camera: CameraSettings) -> SitePool:
        """The detector of a camera."""
        return self._pools[camera.detector.name]

    @contextmanager
    def changed(self, settings: SiteSettings) -> Iterator[None]:
        """Load the detectors of new settings; within the context those before still run, at its end they are closed.

        Raises:
            ConfigError, ModelError: as `SitePool.load`; nothing is changed.
        """
        pools = self._loaded(settings)
        with self._lock:
            before, self._pools = self._pools, pools
        yield
        self._close([pool for name, pool in before.items() if pool is not pools.get(name)])

    def admit(self, guest: Guest, settings: SiteSettings, say: Say) -> SitePool:
        """Load the detector of a guest, unless it is loaded; it stays loaded when the guest has left.

        Args:
            guest: joins it.
            settings: of the site.
            say: gets what `load` says, too.

        Raises:
            ConfigError, ModelError: as `SitePool.load`, also if the bounds of the cameras leave no time for the guest.
        """
        entry, detector = guest.settings.detector.name, settings.detector_of(guest.settings)
        with self._lock:
            is_new = entry not in self._pools
            pool = self._pools.setdefault(entry, SitePool(detector))
            sharing = {one.name: one.settings for one, joined in self._guests.items() if joined is pool}
        if not pool.is_loaded:
            say("the detector is loaded now; the first time it is downloaded, which can take minutes")
        try:
            pool.load({**settings.cameras_of(entry), **sharing, guest.name: guest.settings}, self._with(say))
        except BaseException:
            with self._lock:
                if is_new:
                    del self._pools[entry]
            if is_new:
                pool.close()
            raise
        with self._lock:
            self._kept.add(entry)
            self._guests[guest] = pool
        return pool

    def left(self, guest: Guest) -> None:
        """A guest has ended. It may never have joined. Any thread."""
        with self._lock:
            self._guests.pop(guest, None)

    @property
    def loaded(self) -> dict[str, SitePool]:
        """The detectors by entry, of cameras and of guests. Any thread."""
        with self._lock:
            return dict(self._pools)

    def cancel(self) -> None:
        """The site ends: wake the cameras that wait for a detector, and stop the guests."""
        for pool in self.loaded.values():
            pool.cancel()
        self._stop_guests(list(self.loaded.values()))

    def close(self) -> None:
        """Release the detectors. The cameras have ended."""
        self._close(list(self.loaded.values()))

    def _loaded(self, settings: SiteSettings) -> dict[str, SitePool]:
        """The detectors of new settings: those that stay, and others that are loaded now."""
        before, pools = self.loaded, dict[str, SitePool]()
        try:
            for name, detector in settings.detectors_in_use().items():
                pool = before.get(name)
                pools[name] = pool if pool is not None and pool.settings == detector else SitePool(detector)
                with self._lock:
                    guests = {one.name: one.settings for one, joined in self._guests.items() if joined is pools[name]}
                pools[name].load(settings.cameras_of(name), self._say, guests)
        except BaseException:
            for name, pool in pools.items():
                if pool is not before.get(name):
                    pool.close()
            raise
        entries = {"": settings.detector, **settings.detectors}
        with self._lock:
            kept = {name: before[name] for name in self._kept & before.keys() - pools.keys()}
        return pools | {name: pool for name, pool in kept.items() if pool.settings == entries.get(name)}

    def _close(self, pools: Sequence[SitePool]) -> None:
        self._stop_guests(pools)
        for pool in pools:
            pool.close()

    def _stop_guests(self, pools: Sequence[SitePool]) -> None:
        with self._lock:
            guests = [one for one, joined in self._guests.items() if joined in pools]
        for guest in guests:
            guest.stop()

    def _with(self, say: Say) -> Say:
        def both(line: str) -> None:
            self._say(line)
            say(line)

        return both

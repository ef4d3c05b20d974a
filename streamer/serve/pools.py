"""A shared detector of a site, from its settings to its pool.

The main thread loads it while the cameras connect. The thread of each camera waits for it in `build`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import numpy as np

from streamer.classes.class_filter import ClassFilter
from streamer.config.camera import CameraSettings
from streamer.config.detector import DetectorSettings
from streamer.config.site import SharedDetectorSettings
from streamer.detectors import selection
from streamer.detectors.selection import BuiltDetectors
from streamer.errors import ConfigError, Interrupted
from streamer.features import DetectorContext
from streamer.flow.queues import Closed
from streamer.inference.max_age import check_max_age
from streamer.inference.pool import DEFAULT_MAX_AGE_S, DetectorPool
from streamer.inference.shared_detector import SharedDetector, StreamTurns
from streamer.interfaces import Detector
from streamer.registry import POLICIES
from streamer.serve.status import DetectorStatus
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable

_WARM_UPS = 2
_GREY = 114
_SIZE = (1280, 720)


@dataclass(slots=True)
class _Loaded:
    """A loaded detector; `built` changes with the detectors of the pool."""

    built: BuiltDetectors
    pool: DetectorPool


class SitePool:
    """One detector of a site, with the pool of the cameras that share it.

    Args:
        settings: of the detector.
    """

    def __init__(self, settings: SharedDetectorSettings) -> None:
        self.settings = settings
        self._loaded: Future[_Loaded] = Future()

    def load(
        self,
        cameras: Mapping[str, CameraSettings],
        say: Callable[[str], None],
        guests: Mapping[str, CameraSettings] | None = None,
    ) -> None:
        """Load the detector, unless it is loaded and reports all that these cameras keep.

        A detector in use is replaced by one that reports lower scores; the cameras go on.

        Args:
            cameras: that share it.
            say: gets one line about each step that takes time.
            guests: share it, too; what the cameras need of its time comes first.

        Raises:
            ConfigError, ModelError: as `selection.build_detector`, also for a class that a camera names.
            Interrupted: it was closed meanwhile.
        """
        sharing = {**cameras, **(guests or {})}
        shared_by = {name: camera.settings(self.settings).detector for name, camera in sharing.items()}
        if self._loaded.done() and self._reports_enough(shared_by):
            self._check_max_age(cameras, self._loaded.result().pool)
            return
        with ExitStack() as stack:
            built, detectors = self._build(list(shared_by.values()), say, stack)
            if self._loaded.done():
                self._loaded.result().pool.replace(detectors)
                self._loaded.result().built = built
            else:
                pool = DetectorPool(detectors, POLICIES[self.settings.policy](), detect_s=duration_s(detectors[0]))
                self._check_max_age(cameras, pool)
                self._set(_Loaded(built, pool))
            stack.pop_all()

    def _set(self, loaded: _Loaded) -> None:
        try:
            self._loaded.set_result(loaded)
        except InvalidStateError as error:
            raise Interrupted from error

    def _check_max_age(self, cameras: Mapping[str, CameraSettings], pool: DetectorPool) -> None:
        given = {name: camera.detector.max_age_s or self.settings.max_age_s for name, camera in cameras.items()}
        check_max_age(given, detect_s=pool.detect_s, workers=pool.workers)

    def _reports_enough(self, shared_by: Mapping[str, DetectorSettings]) -> bool:
        built = self._loaded.result().built
        lowest = built.default_min_score if built.lowest_score is None else built.lowest_score
        for name, settings in shared_by.items():
            try:
                keep = ClassFilter(built.detectors[0].labels, settings, built.default_min_score)
            except ConfigError as error:
                raise ConfigError(f"cameras.{name}.{error}") from error
            if (built.default_min_score if keep.lowest_score is None else keep.lowest_score) < lowest:
                return False
        return True

    def _build(
        self, shared_by: Sequence[DetectorSettings], say: Callable[[str], None], stack: ExitStack
    ) -> tuple[BuiltDetectors, list[Detector]]:
        """The detectors on all devices; `stack` closes them."""
        context, detectors = DetectorContext(say=say), list[Detector]()
        for device in self.settings.devices or (self.settings.device,):
            settings = self.settings.model_copy(update={"device": device})
            built = selection.build_detector(settings, context, shared_by=shared_by)
            for detector in built.detectors:
                stack.callback(detector.close)
            detectors += built.detectors
        return built, detectors

    def build(self, name: str, camera: CameraSettings) -> BuiltDetectors:
        """Wait for the detector; returns the camera's share of it.

        Raises:
            Interrupted: the site ends, or the detector could not be loaded.
            ConfigError: a class that it does not have.
        """
        own = camera.detector
        try:
            loaded = self._loaded.result()
            shared = loaded.pool.join(name, priority=own.priority, max_age_s=own.max_age_s or self.settings.max_age_s)
        except (CancelledError, Closed) as error:
            raise Interrupted from error
        built = loaded.built
        keep = ClassFilter(shared.labels, camera.settings(self.settings).detector, built.default_min_score)
        return replace(built, detectors=[shared], keep=keep)

    @property
    def is_loaded(self) -> bool:
        """Whether the detector is there; False also once it is closed."""
        return self._loaded.done() and not self._loaded.cancelled()

    @property
    def workers(self) -> int:
        """How many detections run at the same time; waits until the detector is loaded."""
        return self._loaded.result().pool.workers

    def cancel(self) -> None:
        """The site ends: wake the cameras that wait for the detector to load."""
        self._loaded.cancel()

    def close(self) -> None:
        """Release the detector. Its cameras have ended. It may be called twice."""
        if not self._loaded.cancel() and not self._loaded.cancelled():
            self._loaded.result().pool.close()


class CameraPool:
    """The `SharedDetectors` of one camera's run.

    Args:
        name: of the camera.
        camera: its settings.
        pool: its detector.
    """

    def __init__(self, name: str, camera: CameraSettings, pool: SitePool) -> None:
        self._name = name
        self._camera = camera
        self._pool = pool
        self.built: BuiltDetectors | None = None

    @property
    def longest_interval_s(self) -> float:
        """The longest time between two turns of the camera."""
        return self._camera.detector.max_age_s or self._pool.settings.max_age_s or DEFAULT_MAX_AGE_S

    def check_classes(self, settings: DetectorSettings) -> LabelTable | None:
        """See `streamer.detectors.selection.check_classes`."""
        return selection.check_classes(settings)

    def build(self, settings: DetectorSettings, context: DetectorContext) -> BuiltDetectors:  # noqa: ARG002
        """See `streamer.detectors.shared.SharedDetectors.build`."""
        self.built = self._pool.build(self._name, self._camera)
        return self.built

    @property
    def turns(self) -> StreamTurns | None:
        """The camera's turns; None before it has its share."""
        detector = None if self.built is None else self.built.detectors[0]
        return detector.turns if isinstance(detector, SharedDetector) else None

    @property
    def detector(self) -> DetectorStatus | None:
        """The detector; None before it is loaded."""
        if self.built is None:
            return None
        return DetectorStatus(self._camera.detector.name or self.built.name, self._pool.workers)

    def leave(self) -> None:
        """The run has ended: give up the camera's share."""
        for detector in () if self.built is None else self.built.detectors:
            detector.close()


def duration_s(detector: Detector) -> float:
    """How long a detection takes on a warm detector, seconds, measured on a grey frame of 1280x720.

    Raises:
        ConfigError: the detector does not detect such a frame.
    """
    picture = av.VideoFrame.from_ndarray(np.full((_SIZE[1], _SIZE[0], 3), _GREY, np.uint8), format="rgb24")
    taken_s = 0.0
    for index in range(_WARM_UPS):
        frame = Frame(picture, index, index, Fraction(1, 25), time.monotonic())
        began_s = time.perf_counter()
        detector.detect(frame)
        taken_s = time.perf_counter() - began_s
    return taken_s

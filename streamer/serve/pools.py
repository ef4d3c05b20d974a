"""A shared detector of a site, from its settings to its pool.

The main thread loads it while the cameras connect. The thread of each camera waits for it in `build`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from fractions import Fraction

import av
import numpy as np

from streamer.classes.class_filter import ClassFilter
from streamer.config.detector import DetectorSettings
from streamer.config.site import CameraSettings, SharedDetectorSettings
from streamer.detectors import selection
from streamer.detectors.selection import BuiltDetectors
from streamer.errors import ConfigError, Interrupted
from streamer.features import DetectorContext
from streamer.inference.pool import DetectorPool
from streamer.interfaces import Detector
from streamer.registry import POLICIES
from streamer.values.frame import Frame

_WARM_UPS = 2
_GREY = 114
_SIZE = (1280, 720)


class SitePool:
    """One detector of a site, with the pool of the cameras that share it.

    Args:
        settings: of the detector.
    """

    def __init__(self, settings: SharedDetectorSettings) -> None:
        self.settings = settings
        self._loaded: Future[tuple[BuiltDetectors, DetectorPool]] = Future()

    def load(self, cameras: Mapping[str, CameraSettings], say: Callable[[str], None]) -> None:
        """Load the detector. It reports the scores and classes that these cameras keep.

        Args:
            cameras: that share it.
            say: gets one line about each step that takes time.

        Raises:
            ConfigError, ModelError: as `selection.build_detector`, also for a class that a camera names.
        """
        context = DetectorContext(say=say)
        shared_by = [camera.settings(self.settings).detector for camera in cameras.values()]
        with ExitStack() as stack:
            detectors: list[Detector] = []
            for device in self.settings.devices or (self.settings.device,):
                settings = self.settings.model_copy(update={"device": device})
                built = selection.build_detector(settings, context, shared_by=shared_by)
                for detector in built.detectors:
                    stack.callback(detector.close)
                detectors += built.detectors
            pool = DetectorPool(
                detectors, POLICIES[self.settings.policy](), detect_s=duration_s(detectors[0])
            )
            stack.pop_all()
        self._loaded.set_result((built, pool))

    @property
    def pool(self) -> DetectorPool | None:
        """The pool; None until the detector is loaded."""
        return self._loaded.result()[1] if self._loaded.done() and not self._loaded.cancelled() else None

    @property
    def reason(self) -> str:
        """One line that names the detector and the reason for the choice. Waits until it is loaded."""
        return self._loaded.result()[0].reason

    def check(self, camera: CameraSettings) -> None:
        """Refuse a camera whose classes the loaded detector does not have, or whose scores it does not report.

        Raises:
            ConfigError: with the reason.
        """
        if self.pool is not None:
            built = self._loaded.result()[0]
            ClassFilter(self.pool.labels, camera.settings(self.settings).detector, built.default_min_score)

    def build(self, name: str, camera: CameraSettings) -> BuiltDetectors:
        """Wait for the detector; returns the camera's share of it.

        Raises:
            Interrupted: the site ends, or the detector could not be loaded.
            ConfigError: a class that it does not have.
        """
        try:
            built, pool = self._loaded.result()
        except CancelledError as error:
            raise Interrupted from error
        keep = ClassFilter(pool.labels, camera.settings(self.settings).detector, built.default_min_score)
        own = camera.detector
        shared = pool.join(name, priority=own.priority, max_age_s=own.max_age_s or self.settings.max_age_s)
        return BuiltDetectors([shared], built.reason, keep, built.name, built.default_min_score)

    def close(self) -> None:
        """End the pool and release the detector; the cameras that wait for it end. It may be called twice."""
        if not self._loaded.cancel() and not self._loaded.cancelled():
            self._loaded.result()[1].close()


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

    def build(self, settings: DetectorSettings, context: DetectorContext) -> BuiltDetectors:  # noqa: ARG002
        """See `streamer.detectors.shared.SharedDetectors.build`."""
        self.built = self._pool.build(self._name, self._camera)
        return self.built

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

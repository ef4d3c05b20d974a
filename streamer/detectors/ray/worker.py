"""The worker of a pool: an actor with one detector. Ray calls it with one frame at a time, on the thread of the actor.

Errors are returned, not raised: Ray would wrap them in its own, with the stacks of two processes.
"""

from __future__ import annotations

import platform
from typing import Any

from streamer.config.detector import DetectorSettings
from streamer.detectors.ray import wire
from streamer.detectors.ray.values import Loaded, Refused
from streamer.detectors.selection import build_detector
from streamer.errors import ConfigError, DetectorError, InvalidOutput, StreamerError
from streamer.features import DetectorContext
from streamer.interfaces import Detector


class DetectorWorker:
    """A detector in a process of its own.

    Args:
        settings: of the detector, with the name `auto` resolved on the machine of the worker.
    """

    def __init__(self, settings: DetectorSettings) -> None:
        self._settings = settings.model_copy(update={"workers": 1})
        self._detector: Detector | None = None
        self._loaded: Loaded | None = None

    def load(self) -> Loaded | Refused:
        """Load the detector, if that was not done yet."""
        if self._loaded is not None:
            return self._loaded
        try:
            built = build_detector(self._settings, DetectorContext())
        except StreamerError as error:
            return Refused(f"{error} (on {platform.node()})", is_usage=isinstance(error, ConfigError))
        self._detector = built.detectors[0]
        self._loaded = Loaded(
            title=built.name,
            labels=self._detector.labels,
            default_min_score=built.default_min_score,
            lowest_score=built.default_min_score if built.lowest_score is None else built.lowest_score,
            machine=platform.node(),
        )
        return self._loaded

    def detect(
        self, description: str, content: wire.Bytes
    ) -> tuple[bytes, float | None] | wire.Conversion | Refused | None:
        """The detections of a frame, packed, and the highest score on it; or the picture that the detector asks for.

        Args:
            description, content: see `streamer.detectors.ray.wire`.

        Returns:
            None if the detector is not loaded: Ray has started the worker again, and `load` comes first.
        """
        detector: Any = self._detector
        if detector is None:
            return None
        try:
            found = detector.detect(wire.ReceivedFrame(description, content))
        except wire.NeedsConversion as missing:
            return missing.wanted
        except (DetectorError, ValueError) as error:
            return Refused(str(error), is_output=isinstance(error, InvalidOutput))
        except StreamerError as error:
            return Refused(str(error), is_usage=True)
        return wire.packed(found), getattr(detector, "top_score", None)

    def close(self) -> None:
        """End the detector. An actor need not call it, because its process ends."""
        if self._detector is not None:
            self._detector.close()

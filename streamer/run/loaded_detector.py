"""`streamer.load_detector`: a detector for single pictures, without a video. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
import numpy.typing as npt

from streamer.config.detector import DetectorSettings
from streamer.config.settings import Settings
from streamer.detectors.shared import SharedDetectors
from streamer.features import DetectorContext
from streamer.interfaces import Detector
from streamer.run.arguments import merged_settings
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from streamer.values.objects import Objects
from tracking.types import Detections


class LoadedDetector:
    """Finds objects on pictures that are NumPy arrays; `load_detector` makes it.

    It is a context manager that releases the model; `close` does the same. `streamer.open` takes it as its detector, so
    that a large model is loaded once for several videos.

    Attributes:
        name: one line that names the detector and the reason for the choice.
    """

    def __init__(self, settings: DetectorSettings, context: DetectorContext) -> None:
        self._shared = SharedDetectors()
        built = self._shared.build(settings, context)
        self.name: str = built.reason
        self._detector, self._keep = built.detectors[0], built.keep

    @property
    def labels(self) -> LabelTable:
        """The classes that it knows."""
        return self._detector.labels

    def detect(self, rgb: npt.NDArray[np.uint8]) -> Objects:
        """The objects on one picture, by falling score.

        Args:
            rgb: uint8 `(height, width, 3)`, red first. OpenCV reads blue first: pass `bgr[..., ::-1]`.

        Raises:
            TypeError: not an array of uint8.
            ValueError: another shape.
            DetectorError: the model failed on this picture.
        """
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(_checked(rgb)), "rgb24")
        frame = Frame(picture, index=0, pts=0, time_base=Fraction(1), captured_s=0.0)
        return Objects(self.for_frames().detect(frame), self.labels)

    def for_frames(self) -> Detector:
        """The detector for the frames of a run, which does not close the model."""
        return _FrameDetector(self._detector, self._keep, self.name)

    def close(self) -> None:
        """Release the model. Closing twice is fine."""
        self._shared.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def load_detector(
    name: str = "auto",
    *,
    classes: Sequence[str] = (),
    min_score: float | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
) -> LoadedDetector:
    """Load a detector for single pictures; its model is downloaded if necessary.

    Args:
        name: as in `open`: `auto`, `nanodet`, `starter`, `faster_rcnn_openimages_v4`, or the URL, file or folder
            of a model.
        classes: names of the classes to keep, each with the classes below it; all if empty.
        min_score: detections below this score are dropped; the detector's own bound if None.
        settings: `load_settings(...)`, or a mapping of dotted names: `{"detector.device": "cpu"}`.

    Raises:
        ConfigError: an unknown name, class or setting, with the nearest one.
        ModelError: the model cannot be fetched or loaded.
    """
    loaded = merged_settings(settings, {"detector.name": name}, classes, min_score)
    single = loaded.detector.model_copy(update={"workers": 1})
    return LoadedDetector(single, DetectorContext(extensions=loaded.extensions))


class _FrameDetector:
    """Finds the selected objects on frames.

    Args:
        detector: closed by its owner.
        keep: selects detections.
        reason: one line that names the detector, as of `BuiltDetectors`.
    """

    def __init__(self, detector: Detector, keep: Callable[[Detections], Detections], reason: str) -> None:
        self._detector, self._keep, self.reason = detector, keep, reason

    @property
    def labels(self) -> LabelTable:
        return self._detector.labels

    def detect(self, frame: Frame) -> Detections:
        """See `streamer.interfaces.Detector`."""
        return self._keep(self._detector.detect(frame))

    def close(self) -> None:
        """Nothing to release."""


def _checked(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if not isinstance(rgb, np.ndarray):
        kind = type(rgb).__name__
        raise TypeError(f"a picture is an array of uint8 (height, width, 3), not {kind}; read or convert it first")
    if rgb.dtype != np.uint8:
        remedy = "; multiply values in 0..1 by 255 and convert them" if rgb.dtype.kind == "f" else ""
        raise TypeError(f"a picture is an array of uint8, not {rgb.dtype}{remedy}")
    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        grey = rgb.ndim == 2 or (rgb.ndim == 3 and rgb.shape[2] == 1)
        remedy = "; repeat a grey one: np.dstack([grey] * 3)" if grey else ""
        raise ValueError(f"a picture has the shape (height, width, 3), not {rgb.shape}{remedy}")
    return rgb

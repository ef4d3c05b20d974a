"""Detectors on servers of the Open Inference Protocol (KServe v2). Built by the main thread.

The model is recognised by what the server says of its inputs and outputs, like a file: a family of ONNX models
(`streamer.detectors.onnx`), or one with the outputs of TensorFlow's detectors. So its boxes are those of the same model
in a file.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import ClassVar

import av
import numpy as np

from streamer.config.detector import DetectorSettings
from streamer.detectors.kserve import metadata, object_detection
from streamer.detectors.kserve.address import PREFIX, ModelAddress
from streamer.detectors.kserve.connection import Connection
from streamer.detectors.kserve.metadata import ServedModel
from streamer.detectors.kserve.model import Adapter, KServeModel
from streamer.detectors.onnx import families, labels
from streamer.detectors.onnx.adapter import DEFAULT_MIN_SCORE, FamilyAdapter
from streamer.detectors.remote.breaker import CircuitBreaker
from streamer.detectors.remote.detector import RemoteDetector
from streamer.errors import ConfigError, DetectorError, ModelError
from streamer.features import DetectorContext, DetectorFeature
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable

log = logging.getLogger(__name__)

_WORKERS_OF_FILES = 2
"""While the server has one frame, the next one is prepared and sent."""
_SIZE = (1280, 720)
"""Of the first frame, if the size of those to come is not known."""


class KServeDetector(RemoteDetector, DetectorFeature):
    """A model on a server."""

    default_min_score: ClassVar[float] = DEFAULT_MIN_SCORE

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name begins with `kserve+`; `ModelAddress` refuses other schemes than http and https."""
        return name.casefold().startswith(PREFIX)

    @classmethod
    def from_settings(cls, settings: DetectorSettings, context: DetectorContext) -> Sequence[RemoteDetector]:
        """One detector for each connection: `workers`, or two for a file and one for a live source.

        The first one has detected a black frame, so that what does not fit is refused before the run.
        """
        if settings.sha256 is not None:
            raise ConfigError("detector.sha256 is for hub modules; a model on a server has no file here")
        address = ModelAddress.parse(settings.name)
        is_file = context.info is not None and not context.info.live
        workers = settings.workers or (_WORKERS_OF_FILES if is_file else 1)
        models = _models(address, settings, workers)
        try:
            took_s = _warm_up(models[0], settings, context)
        except BaseException:
            for model in models:
                model.close()
            raise
        if not is_file and took_s > settings.remote.deadline_s:
            log.warning(
                "%s takes %.1f s for a frame; frames that take longer than detector.remote.deadline_s (%g s) are lost: "
                "set it higher",
                address,
                took_s,
                settings.remote.deadline_s,
            )
        breaker = CircuitBreaker()
        return [cls.of(model, breaker, settings) for model in models]


def _models(address: ModelAddress, settings: DetectorSettings, count: int) -> list[KServeModel]:
    """Connections to a model.

    Raises:
        ConfigError: a setting does not fit.
        ModelError: no server, no such model, not ready, or no detector.
    """
    first = Connection(address, settings.remote)
    try:
        served = metadata.read(first)
        table, adapter = _reading(served, settings)
    except BaseException:
        first.close()
        raise
    connections = [first, *(Connection(address, settings.remote) for _ in range(count - 1))]
    return [KServeModel(one, adapter(), table, served.where) for one in connections]


def _reading(served: ServedModel, settings: DetectorSettings) -> tuple[LabelTable, Callable[[], Adapter]]:
    """The classes of a model, and what makes an adapter for each connection."""
    header = served.header
    if object_detection.has_signature(header):
        form = object_detection.recognise(header)
        names = object_detection.labels_of(header, form, settings.label_map)
        return names, lambda: object_detection.ObjectDetectionAdapter(form, names, settings)
    model = families.recognise(header, settings.onnx)
    table = labels.table(model, settings.label_map)
    first = FamilyAdapter(model, table, settings)
    return table, lambda: FamilyAdapter(model, table, settings, first)


def _warm_up(model: KServeModel, settings: DetectorSettings, context: DetectorContext) -> float:
    """Detect a black frame, twice if the first time is slow: servers load models with their first frame.

    Returns:
        The time of the last one, s.

    Raises:
        ModelError: it gives no detections.
    """
    width, height = _SIZE if context.info is None else (context.info.width, context.info.height)
    picture = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), "rgb24")
    frame = Frame(picture, index=0, pts=0, time_base=Fraction(1), captured_s=0.0)
    took_s = 0.0
    for _ in range(2):
        began_s = time.monotonic()
        try:
            model.detect(frame, settings.timeout_s)
        except DetectorError as error:
            raise ModelError(f"the detector on the server does not run: {error}") from error
        took_s = time.monotonic() - began_s
        if took_s <= settings.remote.deadline_s:
            break
    return took_s

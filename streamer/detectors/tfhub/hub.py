"""A TensorFlow Hub module for Open Images V4, or a TensorFlow 2 Object Detection model, from a local folder.

The high-accuracy model, `google/faster_rcnn/openimages_v4/inception_resnet_v2/1`, is of the first form. Built by the
main thread, then used by one detector thread. TensorFlow is imported when a detector is built.

The frame is copied to the device at full size: these models scale it themselves, and a scaled frame would give other
detections.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from streamer.classes import label_maps
from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub import devices, session, signatures
from streamer.detectors.tfhub.deviation import Deviation
from streamer.detectors.tfhub.outputs import OutputReader
from streamer.detectors.tfhub.reference import ReferenceRunner
from streamer.detectors.tfhub.session import FLOAT32, SessionRunner, first_line
from streamer.detectors.watchdog import WatchedDetector
from streamer.errors import ConfigError, DetectorError, ModelError
from streamer.features import DetectorContext, DetectorFeature
from streamer.models import handles, saved_model, store
from streamer.models.formats import model_files
from streamer.models.handles import HUB_HANDLE, HUB_MODULE, without_login
from streamer.system import paths
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

log = logging.getLogger(__name__)


class Runner(Protocol):
    """A loaded model: takes a frame uint8 `(H, W, 3)`, gives its outputs."""

    def __call__(self, rgb: npt.NDArray[np.uint8]) -> list[npt.NDArray[Any]]: ...

    def close(self) -> None: ...


class HubDetector(DetectorFeature):
    """A SavedModel of one of the two families that `signatures` recognises.

    Args:
        directory: the unpacked model: the folder with `saved_model.pb`.
        settings: `min_score`, `label_map`, `device`, `precision`, `gpu_memory_mb`, `optimize_graph`, `reference`; the
            defaults if None. With a precision other than float32 the first frames are detected in float32 too, and the
            deviation is logged.

    Raises:
        ConfigError: a precision that the device does not have, or a label map that does not exist.
        ModelError: the folder has no such model, it cannot be loaded, or the device is not available.
    """

    default_min_score: ClassVar[float] = 0.3

    def __init__(self, directory: Path, settings: DetectorSettings | None = None) -> None:
        settings = settings or DetectorSettings()
        self._directory, self._settings = directory, settings
        self._form = signatures.recognise(saved_model.read_signatures(directory), directory)
        named = settings.name if self.accepts(settings.name) else str(directory)
        self._labels = _label_table(settings, self._form, _shown(named))
        min_score = self.default_min_score if settings.min_score is None else settings.min_score
        self._reader = OutputReader(self._form, self._labels, min_score)
        self.device = devices.choose(settings.device)
        """Where it runs."""
        _check_precision(settings, self.device)
        if self.device.why_not_gpu:
            log.warning("the detector runs on the CPU, slowly: %s", self.device.why_not_gpu)
        self._exact: Runner | None = None if settings.precision == FLOAT32 else self._load(FLOAT32)
        self._deviation = Deviation()
        self._run: Runner | None = self._load(settings.precision)

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name is the high-accuracy model, an address, or a file or folder that exists."""
        return name == HUB_MODULE or "://" in name or (name != "" and paths.exists(Path(name).expanduser()))

    @classmethod
    def title(cls, name: str) -> str:
        """What messages call it; without a login."""
        return name if name == HUB_MODULE else f"hub module {_shown(name)}"

    @classmethod
    def labels_of(cls, settings: DetectorSettings) -> LabelTable:
        """The classes of its label map, Open Images V4 without one. A file or folder is looked at first.

        Raises:
            ModelError: the file or folder is no detector, or one without class names.
        """
        source = handles.parse(settings.name)
        if settings.sha256 is None and isinstance(source, Path) and paths.exists(source):
            folder = model_files.located(source)
            if paths.is_dir(folder):
                form = signatures.recognise(saved_model.read_signatures(folder), folder)
                _label_table(settings, form, str(source))
        return label_maps.of_module(settings.label_map)

    @classmethod
    def model_files(cls, settings: DetectorSettings) -> Sequence[Path]:
        """The folder of the module, if it is on this machine; an archive or a graph is unpacked first."""
        try:
            return [store.fetch(settings.name, sha256=settings.sha256, offline=True)]
        except ModelError:
            return []

    @classmethod
    def from_settings(cls, settings: DetectorSettings, context: DetectorContext) -> Sequence[WatchedDetector]:
        """One detector with a time limit for each frame, warmed up if it runs on a GPU. Downloads the module."""
        directory = store.fetch(settings.name, sha256=settings.sha256, offline=settings.offline)
        return [WatchedDetector(partial(_loaded, directory, settings, context), settings)]

    @property
    def labels(self) -> LabelTable:
        """Its classes; with Open Images V4 a row number is the id in its label map, and row 0 is not used."""
        return self._labels

    @property
    def top_score(self) -> float | None:
        return self._reader.top_score

    @property
    def unknown_classes(self) -> Mapping[str, int]:
        """How often each class that is not in `labels` was found so far, by name, id or MID."""
        return self._reader.unknown_classes

    def warm_up(self, width: int, height: int) -> float:
        """Run it once on a black frame, so that the first frame is not slower than the second.

        If the GPU has too little memory and the device is `auto`, the detector moves to the CPU with a warning.

        Args:
            width, height: of the frames to come, pixels.

        Returns:
            The time of the run, s.

        Raises:
            ModelError: it does not run, or its outputs are invalid.
        """
        began_s = time.perf_counter()
        rgb = self._black(width, height)
        try:
            self._reader.read(self._infer(self._ready, rgb), width, height)
        except _OutOfMemory as error:
            if self._settings.device != devices.AUTO:
                raise ModelError(f"{self._directory} does not run: {error}") from error
            log.warning("%s; the detector moves to the CPU, which is slow", error)
            self._move_to_cpu()
            return self.warm_up(width, height)
        except DetectorError as error:
            raise ModelError(f"{self._directory} does not run: {error}") from error
        return time.perf_counter() - began_s

    def detect(self, frame: Frame) -> Detections:
        """Detections of all classes on the frame, by falling score; boxes in pixels, clipped to the frame.

        Raises:
            DetectorError: TensorFlow failed, the detector is closed, or the outputs are invalid.
        """
        run = self._ready
        rgb = frame.rgb(self._form.size)
        found = self._reader.read(self._infer(run, rgb), frame.width, frame.height)
        if self._exact is not None:
            exact = self._reader.read(self._infer(self._exact, rgb), frame.width, frame.height)
            self._compare(exact, found)
        return found

    def describe(self, width: int, height: int) -> Sequence[str]:
        """Lines on the device, the precision and how many operations run on which device; runs the model once.

        Args:
            width, height: of a frame, pixels.
        """
        number = self.device.gpu
        name = "CPU" if number is None else f"GPU {number}, {devices.gpu_name(number)}"
        ran = ", ".join(f"{count} on {device}" for device, count in self.placement(width, height).most_common())
        return (
            f"device {self.device}: {name}, {self._settings.precision}",
            f"operations that ran: {ran or 'not known'}",
        )

    def placement(self, width: int, height: int) -> Counter[str]:
        """How many operations run on which device, by one run; empty for the reference."""
        run = self._ready
        if not isinstance(run, SessionRunner):
            return Counter()
        return run.placement(self._black(width, height))

    def _black(self, width: int, height: int) -> npt.NDArray[np.uint8]:
        """A black frame, of the model's size if it requires one."""
        width, height = self._form.size or (width, height)
        return np.zeros((height, width, 3), np.uint8)

    def close(self) -> None:
        """Release the model. Closing twice is fine."""
        for runner in (self._run, self._exact):
            if runner is not None:
                runner.close()
        self._run = self._exact = None

    @property
    def _ready(self) -> Runner:
        if self._run is None:
            raise DetectorError("the hub detector is closed")
        return self._run

    def _load(self, precision: str) -> Runner:
        if self._settings.reference:
            return ReferenceRunner(self._directory, self._form, self.device)
        settings = self._settings.model_copy(update={"precision": precision})
        return SessionRunner(self._directory, self._form, self.device, settings)

    def _infer(self, run: Runner, rgb: npt.NDArray[np.uint8]) -> list[npt.NDArray[Any]]:
        try:
            return run(rgb)
        except Exception as error:  # tf.errors.OpError, and errors of the binding
            if type(error).__name__ == "ResourceExhaustedError" and self.device.gpu is not None:
                raise _OutOfMemory(
                    f"{self.device} has too little free memory ({first_line(error)}); nvidia-smi shows what uses it"
                ) from error
            raise DetectorError(f"TensorFlow failed on a frame: {first_line(error)}") from error

    def _move_to_cpu(self) -> None:
        self.close()
        self.device = devices.Device(None)
        self._settings = self._settings.model_copy(update={"precision": FLOAT32})
        self._run = self._load(FLOAT32)

    def _compare(self, exact: Detections, found: Detections) -> None:
        self._deviation.add(exact, found)
        if self._deviation.complete and self._exact is not None:
            log.warning("%s against float32: %s", self._settings.precision, self._deviation)
            self._exact.close()
            self._exact = None


class _OutOfMemory(DetectorError):
    """The GPU has too little memory."""


def _shown(name: str) -> str:
    return without_login(name) if "://" in name else str(Path(name).expanduser())


def _loaded(directory: Path, settings: DetectorSettings, context: DetectorContext) -> HubDetector:
    """The detector; warmed up on a GPU, where the first frame is many times slower than the others.

    On a CPU the first frame is a third slower, and a warm-up would only delay the first detections.
    """
    context.say(f"loading {HUB_HANDLE if settings.name == HUB_MODULE else _shown(settings.name)}")
    began_s = time.monotonic()
    detector = HubDetector(directory, settings)
    loaded = f"loaded in {time.monotonic() - began_s:.1f} s"
    where = f"on {detector.device}, {settings.precision}"
    if context.info is None or detector.device.gpu is None:
        context.say(f"{loaded} {where}")
        return detector
    width, height = context.info.width, context.info.height
    context.say(f"{loaded}; warming up at {width}x{height} {where}")
    try:
        context.say(f"warmed up in {detector.warm_up(width, height):.1f} s")
    except BaseException:
        detector.close()
        raise
    return detector


def _label_table(settings: DetectorSettings, form: signatures.Form, shown: str) -> LabelTable:
    if settings.label_map is not None or form.has_names:
        return label_maps.of_module(settings.label_map)
    raise ModelError(
        f"{shown} gives class ids without names; name them with detector.label_map: coco, open_images_v4, or a "
        ".pbtxt, .csv or .txt file"
    )


def _check_precision(settings: DetectorSettings, device: devices.Device) -> None:
    precision, on_gpu = settings.precision, device.gpu is not None
    if precision == FLOAT32:
        return
    if settings.reference:
        raise ConfigError("detector.reference runs in float32 only")
    if precision == session.BFLOAT16 and on_gpu:
        raise ConfigError("detector.precision: bfloat16 is for CPUs; a GPU has mixed_float16 and tensorfloat32")
    if precision != session.BFLOAT16 and not on_gpu:
        raise ConfigError(f"detector.precision: {precision} is for GPUs; a CPU has bfloat16")
    if precision == session.BFLOAT16 and devices.cpu_has_bfloat16() is False:
        log.warning("this CPU has no bfloat16 instructions (avx512_bf16, amx_bf16): bfloat16 is slower than float32")

"""A TensorFlow Hub module for Open Images V4, or a TensorFlow 2 Object Detection model, from a local folder.

The detector of record, `google/faster_rcnn/openimages_v4/inception_resnet_v2/1`, is of the first form. Built by the
main thread, then used by one detector thread. TensorFlow is imported when a detector is built, not before.

The whole frame crosses to the device, as bytes: these models scale it themselves, and scaling it before would give
another result.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from streamer.classes import open_images
from streamer.detectors.tfhub import devices, session, signatures
from streamer.detectors.tfhub.deviation import Deviation
from streamer.detectors.tfhub.outputs import OutputReader
from streamer.detectors.tfhub.reference import ReferenceRunner
from streamer.detectors.tfhub.session import FLOAT32, SessionRunner, first_line
from streamer.errors import ConfigError, DetectorError, ModelError
from streamer.models import saved_model
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

log = logging.getLogger(__name__)

DEFAULT_MIN_SCORE = 0.3


class Runner(Protocol):
    """A loaded model that takes a picture uint8 `(H, W, 3)` and gives its outputs."""

    def __call__(self, rgb: npt.NDArray[np.uint8]) -> list[npt.NDArray[Any]]: ...

    def close(self) -> None: ...


class HubDetector:
    """A SavedModel of one of the two families that `signatures` tells.

    Args:
        directory: the unpacked model: the folder with `saved_model.pb`.
        min_score: detections below are left out, in [0, 1].
        labels: names of its classes, for a model that gives ids; None takes Open Images V4 for a module that says the
            MIDs itself.
        device: `auto` (the first GPU, else the CPU with a warning), `cpu` or `gpu:N`.
        precision: `float32`; `tensorfloat32` or `mixed_float16` on a GPU; `bfloat16` on a CPU. The first frames are
            detected in float32 too, and the deviation is logged.
        gpu_memory_mb: the most GPU memory to take; None lets it grow.
        optimize_graph: a later start for quicker frames, see `SessionRunner`.
        reference: load and feed it as TensorFlow Hub shows it, to compare with; float32 only.

    Raises:
        ConfigError: a value out of range, or a precision that the device has not.
        ModelError: the folder holds no such model, it cannot be loaded, or the device is not to be had.
    """

    def __init__(
        self,
        directory: Path,
        *,
        min_score: float = DEFAULT_MIN_SCORE,
        labels: LabelTable | None = None,
        device: str = devices.AUTO,
        precision: str = FLOAT32,
        gpu_memory_mb: int | None = None,
        optimize_graph: bool = False,
        reference: bool = False,
    ) -> None:
        if not 0 <= min_score <= 1:
            raise ConfigError(f"min_score must be in 0..1, not {min_score}")
        self._directory = directory
        self._form = signatures.recognise(saved_model.read_signatures(directory), directory)
        self._labels = _label_table(labels, self._form, directory)
        self._reader = OutputReader(self._form, self._labels, min_score)
        self._wanted_device, self._gpu_memory_mb = device, gpu_memory_mb
        self.device = devices.choose(device)
        """Where it runs."""
        _check_precision(precision, self.device, reference=reference)
        if self.device.why_not_gpu:
            log.warning("the detector runs on the CPU, slowly: %s", self.device.why_not_gpu)
        self._precision = precision
        self._optimize_graph = optimize_graph
        self._reference = reference
        self._exact: Runner | None = None if precision == FLOAT32 else self._load(FLOAT32)
        self._deviation = Deviation()
        self._run: Runner | None = self._load(precision)

    @property
    def labels(self) -> LabelTable:
        """Names of its classes; with Open Images V4 a row is the id in its label map, and row 0 is not used."""
        return self._labels

    def warm_up(self, width: int, height: int) -> float:
        """Run it once on a black picture, so that the first frame is not slower than the second.

        A GPU without enough memory is found here: with `device="auto"` the CPU takes over, and a warning says so.

        Args:
            width, height: of the frames to come, pixels.

        Returns:
            How long it took, s.

        Raises:
            ModelError: it does not run, or its outputs make no sense.
        """
        began_s = time.perf_counter()
        rgb = np.zeros((height, width, 3), np.uint8)
        try:
            self._reader.read(self._infer(self._ready, rgb), width, height)
        except _OutOfMemory as error:
            if self._wanted_device != devices.AUTO:
                raise ModelError(f"{self._directory} does not run: {error}") from error
            log.warning("%s; the detector goes on on the CPU, slowly", error)
            self._move_to_cpu()
            return self.warm_up(width, height)
        except DetectorError as error:
            raise ModelError(f"{self._directory} does not run: {error}") from error
        return time.perf_counter() - began_s

    def detect(self, frame: Frame) -> Detections:
        """Detections of all classes on the frame, by falling score; boxes in pixels, clipped to the frame.

        Raises:
            DetectorError: TensorFlow failed, the detector is closed, or the result makes no sense.
        """
        run = self._ready
        rgb = frame.rgb(self._form.size)
        found = self._reader.read(self._infer(run, rgb), frame.width, frame.height)
        if self._exact is not None:
            exact = self._reader.read(self._infer(self._exact, rgb), frame.width, frame.height)
            self._compare(exact, found)
        return found

    def placement(self, width: int, height: int) -> Counter[str]:
        """How many operations run on which device, by running it once; empty for the reference."""
        run = self._ready
        if not isinstance(run, SessionRunner):
            return Counter()
        return run.placement(np.zeros((height, width, 3), np.uint8))

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
        if self._reference:
            return ReferenceRunner(self._directory, self._form, self.device)
        return SessionRunner(
            self._directory,
            self._form,
            self.device,
            precision=precision,
            gpu_memory_mb=self._gpu_memory_mb,
            optimize_graph=self._optimize_graph,
        )

    def _infer(self, run: Runner, rgb: npt.NDArray[np.uint8]) -> list[npt.NDArray[Any]]:
        try:
            return run(rgb)
        except Exception as error:  # tf.errors.OpError and what the binding makes of odd values
            if type(error).__name__ == "ResourceExhaustedError" and self.device.gpu is not None:
                raise _OutOfMemory(
                    f"{self.device} has too little free memory ({first_line(error)}); nvidia-smi shows what uses it"
                ) from error
            raise DetectorError(f"TensorFlow failed on a frame: {first_line(error)}") from error

    def _move_to_cpu(self) -> None:
        self.close()
        self.device = devices.Device(None)
        self._precision = FLOAT32
        self._run = self._load(FLOAT32)

    def _compare(self, exact: Detections, found: Detections) -> None:
        self._deviation.add(exact, found)
        if self._deviation.complete and self._exact is not None:
            log.warning("%s against float32: %s", self._precision, self._deviation)
            self._exact.close()
            self._exact = None


class _OutOfMemory(DetectorError):
    """The GPU has too little memory."""


def _label_table(given: LabelTable | None, form: signatures.Form, directory: Path) -> LabelTable:
    if given is not None:
        return given
    if form.has_names:
        return open_images.label_table()
    raise ModelError(
        f"{directory} gives class ids without names; say which with detector.label_map: coco, open_images_v4, or a "
        ".pbtxt, .csv or .txt file"
    )


def _check_precision(precision: str, device: devices.Device, *, reference: bool) -> None:
    if precision == FLOAT32:
        return
    if reference:
        raise ConfigError("detector.reference runs in float32 only")
    on_gpu = device.gpu is not None
    if precision == session.BFLOAT16 and on_gpu:
        raise ConfigError("detector.precision: bfloat16 is for CPUs; a GPU has mixed_float16 and tensorfloat32")
    if precision != session.BFLOAT16 and not on_gpu:
        raise ConfigError(f"detector.precision: {precision} is for GPUs; a CPU has bfloat16")
    if precision == session.BFLOAT16 and devices.cpu_has_bfloat16() is False:
        log.warning("this CPU has no bfloat16 instructions (avx512_bf16, amx_bf16): it is slower than float32 here")

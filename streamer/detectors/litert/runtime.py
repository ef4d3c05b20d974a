"""What the detectors on LiteRT share: loading a model, the number of workers, boxes in pixels. Main thread.

LiteRT releases the GIL while a model runs, so that several instances run in parallel in as many threads.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from streamer.config.detector import DetectorSettings
from streamer.errors import ConfigError, ModelError
from streamer.features import DetectorContext
from streamer.models import store
from streamer.system import native_stderr
from tracking.types import Detections, FloatArray, IntArray

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


def load(name: str, flatbuffer: bytes, threads: int) -> Interpreter:
    """An interpreter with allocated tensors.

    Args:
        name: of the model, for messages.
        flatbuffer: the model.
        threads: threads of one invocation.

    Raises:
        ModelError: LiteRT cannot load the model.
    """
    # Imported here, because a start without a model does not need it.
    from ai_edge_litert.interpreter import Interpreter

    try:
        with native_stderr.held_back(lambda line: line.startswith(b"INFO: ")):
            interpreter = Interpreter(model_content=flatbuffer, num_threads=threads)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"LiteRT cannot load the weights of {name}: {error}") from error
    return interpreter


def worker_settings(settings: DetectorSettings, context: DetectorContext) -> tuple[DetectorSettings, int]:
    """The settings of each worker, and the number of workers: one for every `threads` cores.

    A live source gets a single worker with all cores: it drops frames that wait, so more threads for one frame shorten
    its latency.

    Raises:
        ConfigError: `sha256` is set; it is for hub modules.
    """
    if settings.sha256 is not None:
        raise ConfigError(store.FIXED_CHECKSUM)
    workers = settings.workers
    if context.info is not None and context.info.live:
        workers = workers or 1
        if settings.threads == 1:
            settings = settings.model_copy(update={"threads": os.cpu_count() or 1})
    return settings, workers or max(1, cores() // settings.threads)


def in_pixels(boxes: FloatArray, scores: FloatArray, labels: IntArray, width: int, height: int) -> Detections:
    """Clip boxes in pixels to the frame; a box outside the frame is removed."""
    clipped = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    inside = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
    return Detections(clipped[inside], scores[inside], labels[inside])


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

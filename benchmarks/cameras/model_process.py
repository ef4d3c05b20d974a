"""A prototype: each camera in a process of its own, around one process with the model.

    python -m benchmarks.cameras.model_process DESCRIPTOR model ADDRESS WORKERS
    python -m benchmarks.cameras.model_process DESCRIPTOR camera ADDRESS run ...

The process of a camera runs the command line; it fits each frame into the model's input and sends it (270 kB) through a
Unix socket. The process of the model has a thread for each camera and as many interpreters as workers; who asks first
is served first.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Client, Connection, Listener
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from benchmarks.cameras.observed import answer, run_observed
from streamer.config.detector import DetectorSettings
from streamer.detectors.litert.starter import StarterDetector
from streamer.features import DetectorContext
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tracking.types import Detections

_INPUT_PX = 300
_CONNECTS_WITHIN_S = 20.0


class RemoteDetector:
    """Asks the process with the model.

    Args:
        address: of the socket.
        labels: of the model.
    """

    def __init__(self, address: str, labels: LabelTable) -> None:
        self.labels = labels
        self._connection = _connect(address)

    def detect(self, frame: Frame) -> Detections:
        """The detections of a frame."""
        rgb = frame.rgb((_INPUT_PX, _INPUT_PX))
        self._connection.send((frame.width, frame.height))
        self._connection.send_bytes(np.ascontiguousarray(rgb).reshape(-1))
        return Detections(*self._connection.recv())

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


class _Fitted:
    """A frame that is in the size of the model's input already: what the starter uses of a `Frame`."""

    def __init__(self, size: tuple[int, int], rgb: npt.NDArray[np.uint8]) -> None:
        self.width, self.height = size
        self._rgb = rgb

    def rgb(self, _size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        return self._rgb


def _connect(address: str) -> Any:
    """Connect to the process with the model, which may still be loading."""
    until_s = time.monotonic() + _CONNECTS_WITHIN_S
    while True:
        try:
            return Client(address)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > until_s:
                raise
            time.sleep(0.1)


def _serve(camera: Any, idle: queue.Queue[StarterDetector]) -> None:
    """Detect the frames of one camera."""
    memory = bytearray(_INPUT_PX * _INPUT_PX * 3)
    rgb = np.frombuffer(memory, np.uint8).reshape(_INPUT_PX, _INPUT_PX, 3)
    with contextlib.suppress(EOFError, OSError):
        while True:
            size = camera.recv()
            camera.recv_bytes_into(memory)
            detector = idle.get()
            try:
                found = detector.detect(cast("Frame", _Fitted(size, rgb)))
            finally:
                idle.put(detector)
            camera.send((found.boxes, found.scores, found.labels))


def _run_model(descriptor: int, address: str, workers: int) -> None:
    threading.Thread(target=answer, args=(Connection(descriptor),), name="figures", daemon=True).start()
    idle: queue.Queue[StarterDetector] = queue.Queue()
    for _ in range(workers):
        idle.put(StarterDetector(DetectorSettings(threads=1)))
    with Listener(address) as listener:
        while True:
            camera = listener.accept()
            threading.Thread(target=_serve, args=(camera, idle), name="camera", daemon=True).start()


def _run_camera(descriptor: int, address: str, command: list[str]) -> None:
    def remote(settings: DetectorSettings, _context: DetectorContext) -> Sequence[RemoteDetector]:
        return [RemoteDetector(address, StarterDetector.labels_of(settings))]

    StarterDetector.from_settings = remote  # type: ignore[assignment, method-assign]
    run_observed(descriptor, command)


if __name__ == "__main__":
    part, socket_address = sys.argv[2:4]
    if part == "model":
        _run_model(int(sys.argv[1]), socket_address, int(sys.argv[4]))
    else:
        _run_camera(int(sys.argv[1]), socket_address, sys.argv[4:])

"""Models in ONNX Runtime. Loaded by the main thread; `run` may be called by several threads at the same time."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from streamer.config.detector import DetectorSettings
from streamer.errors import DetectorError, ModelError
from streamer.system import native_stderr

log = logging.getLogger(__name__)

Array = npt.NDArray[Any]
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_NVIDIA_DEVICE = Path("/dev/nvidia0")
_NOTHING_LOGGED = 4
_GPU_PACKAGE = "pip uninstall -y onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]'"


class Session:
    """A loaded model.

    Args:
        path: the file.
        settings: `device`, `threads` and `gpu_memory_mb`.

    Raises:
        ModelError: ONNX Runtime is not installed, cannot load the model, or does not have the device.

    Attributes:
        device: `cpu`, or `gpu:0` and so on.
    """

    def __init__(self, path: Path, settings: DetectorSettings) -> None:
        runtime = _runtime()
        gpu = _gpu(settings.device, runtime.get_available_providers())
        if gpu is not None and hasattr(runtime, "preload_dlls"):
            runtime.preload_dlls()  # the libraries of CUDA and cuDNN in Python packages
        options = runtime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        options.inter_op_num_threads = 1
        # A thread that waits for the next operation would keep a core busy: NanoDet with two threads on two busy cores
        # took 50 ms of CPU time a frame instead of 25, and was no quicker.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = _NOTHING_LOGGED
        try:
            self._session: Any = runtime.InferenceSession(str(path), options, providers=_providers(gpu, settings))
        except Exception as error:  # classes of the binding without a common base
            reason = _first_line(error)
            if missing := re.search(r'External data path does not exist: "?([^"]+)', reason):
                reason = f"its weights are in {Path(missing[1]).name}, which is missing; put it beside the model"
            raise ModelError(f"ONNX Runtime cannot load {path}: {reason}") from error
        self.device = "cpu" if self._session.get_providers()[0] == _CPU else f"gpu:{gpu}"
        if settings.device != "cpu" and self.device == "cpu":
            _without_gpu(settings.device, is_built_in=gpu is not None)

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Array]) -> list[Array]:
        """The named outputs.

        Raises:
            DetectorError: ONNX Runtime failed.
        """
        try:
            arrays: list[Array] = self._session.run(outputs, inputs)
        except Exception as error:
            raise DetectorError(f"ONNX Runtime failed on a frame: {_first_line(error)}") from error
        return arrays


def _runtime() -> Any:
    try:
        with native_stderr.held_back(lambda line: b"onnxruntime:Default" in line):
            import onnxruntime  # here, because a start without a model does not need it
    except ImportError as error:
        raise ModelError(
            "an ONNX model needs ONNX Runtime: pip install 'streamer-video[onnx]' "
            f"(for a GPU: pip install 'onnxruntime-gpu[cuda,cudnn]'); {_first_line(error)}"
        ) from error
    return onnxruntime


def _gpu(device: str, providers: Sequence[str]) -> int | None:
    """The number of the GPU to use; None for the CPU."""
    if device == "cpu" or _CUDA not in providers:
        return None
    return 0 if device == "auto" else int(device.removeprefix("gpu:"))


def _without_gpu(device: str, *, is_built_in: bool) -> None:
    """Say why the model runs on the CPU; ONNX Runtime does not.

    Args:
        device: `auto` or `gpu:0` and so on.
        is_built_in: the installed ONNX Runtime is one for GPUs.

    Raises:
        ModelError: the user named the GPU.
    """
    why = (
        "ONNX Runtime cannot load the libraries of CUDA and cuDNN" if is_built_in else "ONNX Runtime is built for CPUs"
    )
    if device != "auto":
        raise ModelError(f"no {device}: {why}; {_GPU_PACKAGE}; detector.device=cpu runs without")
    if is_built_in or _NVIDIA_DEVICE.exists():
        log.warning("the detector runs on the CPU: %s; %s", why, _GPU_PACKAGE)


def _providers(gpu: int | None, settings: DetectorSettings) -> list[Any]:
    if gpu is None:
        return [_CPU]
    options: dict[str, Any] = {"device_id": gpu}
    if settings.gpu_memory_mb is not None:
        options["gpu_mem_limit"] = settings.gpu_memory_mb * 2**20
    return [(_CUDA, options), _CPU]


def _first_line(error: Exception) -> str:
    """The first line of a message, without the code in front."""
    text = str(error).strip().partition("\n")[0]
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text) or type(error).__name__

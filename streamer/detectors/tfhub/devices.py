"""Chooses the device of a TensorFlow detector, and finds the reason if it is not a GPU. Main thread.

TensorFlow reports a missing library or an old driver with one warning among many and then runs on the CPU, where a
large detector takes 10 to 20 s a frame. This module imports TensorFlow.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import ModelError
from streamer.models.tensorflow_import import tensorflow

AUTO, CPU = "auto", "cpu"

# CUresult of the CUDA driver API (cuda.h).
_NO_DEVICE, _STUB_LIBRARY, _DRIVER_MISMATCH = 100, 34, 803


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """The conditions for TensorFlow to use a GPU.

    Attributes:
        cuda_needed: CUDA version that this TensorFlow was built for; None without CUDA.
        has_driver: the driver's library `libcuda` can be loaded.
        init_error: CUresult of `cuInit`, 0 on success.
        driver_cuda: newest CUDA version that the driver supports; None if not known.
        has_libraries: the libraries of CUDA and cuDNN are installed, as packages or in the system.
        gpu_count: GPUs that TensorFlow can use.
    """

    cuda_needed: tuple[int, int] | None
    has_driver: bool
    init_error: int
    driver_cuda: tuple[int, int] | None
    has_libraries: bool
    gpu_count: int


@dataclass(frozen=True, slots=True)
class Device:
    """Where a detector runs.

    Attributes:
        gpu: number of the GPU, None for the CPU.
        why_not_gpu: why `auto` found no GPU; "" with a GPU, or if none was asked for.
    """

    gpu: int | None
    why_not_gpu: str = ""

    def __str__(self) -> str:
        return CPU if self.gpu is None else f"gpu:{self.gpu}"


def choose(wanted: str, facts: GpuFacts | None = None) -> Device:
    """The device for `auto`, `cpu` or `gpu:N`.

    Args:
        wanted: a validated value of `detector.device`.
        facts: looked up if None.

    Raises:
        ModelError: the GPU with this number is not available; the message has the remedy.
    """
    if wanted == CPU:
        return Device(None)
    found = facts or gpu_facts()
    number = 0 if wanted == AUTO else int(wanted.removeprefix("gpu:"))
    if number < found.gpu_count:
        return Device(number)
    if wanted == AUTO:
        return Device(None, why_not_gpu(found))
    if found.gpu_count:
        raise ModelError(f"there is no {wanted}: TensorFlow sees gpu:0 to gpu:{found.gpu_count - 1}")
    raise ModelError(f"no {wanted}: {why_not_gpu(found)}; detector.device=cpu runs without, slowly")


def why_not_gpu(facts: GpuFacts) -> str:
    """One line: why TensorFlow sees no GPU, and the remedy."""
    if facts.cuda_needed is None:
        return "this TensorFlow is built without CUDA; install the one of `pip install 'streamer-video[gpu]'`"
    needed = ".".join(map(str, facts.cuda_needed))
    if not facts.has_driver:
        return "no NVIDIA driver is installed (no libcuda); install it, or start the container with --gpus all"
    if facts.init_error == _NO_DEVICE:
        return "the NVIDIA driver sees no GPU; look at nvidia-smi and CUDA_VISIBLE_DEVICES"
    if facts.init_error == _STUB_LIBRARY:
        return "libcuda is a stub for building, not the driver's; put the driver's library first on LD_LIBRARY_PATH"
    if facts.init_error == _DRIVER_MISMATCH:
        return "the NVIDIA driver and its library are of different versions; restart after the driver's update"
    if facts.init_error:
        return f"the NVIDIA driver does not start (CUDA error {facts.init_error}); look at nvidia-smi"
    # Within a major version of CUDA older drivers work ("minor version compatibility", CUDA release notes).
    if facts.driver_cuda is not None and facts.driver_cuda[0] < facts.cuda_needed[0]:
        has = ".".join(map(str, facts.driver_cuda))
        return f"the NVIDIA driver is too old: it supports CUDA {has}, TensorFlow needs {needed}; update the driver"
    if not facts.has_libraries:
        return f"the libraries of CUDA {needed} and cuDNN are missing; `pip install 'streamer-video[gpu]'` brings them"
    return "TensorFlow sees no GPU although driver and libraries are there; TF_CPP_MIN_LOG_LEVEL=0 shows its reason"


def gpu_facts() -> GpuFacts:
    """The facts of this machine."""
    tf = tensorflow()
    build = tf.sysconfig.get_build_info()
    needed = _version(build.get("cuda_version", "")) if build.get("is_cuda_build") else None
    gpus = len(tf.config.list_physical_devices("GPU"))
    has_driver, init_error, driver_cuda = _ask_driver()
    return GpuFacts(needed, has_driver, init_error, driver_cuda, _has_libraries(), gpus)


def gpu_name(number: int) -> str:
    """The name of a GPU, with its compute capability."""
    tf = tensorflow()
    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[number])
    capability = ".".join(map(str, details.get("compute_capability", ())))
    return f"{details.get('device_name', 'GPU')}" + (f" (compute capability {capability})" if capability else "")


def cpu_has_bfloat16(cpu_info: Path = Path("/proc/cpuinfo")) -> bool | None:
    """Whether the CPU has instructions for bfloat16; None if not known."""
    try:
        flags = cpu_info.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return any(flag in flags for flag in ("amx_bf16", "avx512_bf16", " bf16"))  # x86, x86, Arm


def _ask_driver() -> tuple[bool, int, tuple[int, int] | None]:
    """Whether `libcuda` loads, the result of `cuInit`, and the CUDA version that the driver supports."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False, 0, None
    error = int(driver.cuInit(0))
    version = ctypes.c_int(0)
    is_known = driver.cuDriverGetVersion(ctypes.byref(version)) == 0
    return True, error, (version.value // 1000, version.value % 1000 // 10) if is_known else None


def _has_libraries() -> bool:
    def present(package: str, library: str) -> bool:
        try:
            return importlib.util.find_spec(package) is not None or ctypes.util.find_library(library) is not None
        except ModuleNotFoundError:  # no package `nvidia` at all
            return ctypes.util.find_library(library) is not None

    return present("nvidia.cudnn", "cudnn") and present("nvidia.cuda_runtime", "cudart")


def _version(text: str) -> tuple[int, int]:
    major, _, rest = text.partition(".")
    minor = rest.partition(".")[0]
    return int(major or 0), int(minor or 0)

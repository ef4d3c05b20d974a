"""What can change the numbers of a detector: the machine, the versions of libraries, the model. Any thread.

The names are for people; whether two workers compute the same numbers is decided by the canary
(`streamer.parts.worker.canary`), and whether they have the same model by its checksum.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import av

from streamer.config.detector import DetectorSettings
from streamer.parts.values import Worker

_LIBRARIES = {
    "streamer": "streamer-video",
    "av": "av",
    "cv2": "opencv-python",
    "numpy": "numpy",
    "ai_edge_litert": "ai-edge-litert",
    "onnxruntime": "onnxruntime",
    "tensorflow": "tensorflow",
}
"""Modules and their packages; those that a worker has imported count."""
_CPU_FACTS = ("model name", "cpu family", "model", "CPU implementer", "CPU part")
"""Lines of /proc/cpuinfo on x86 and ARM."""
_FLAGS = re.compile(r"\b(?:sse4_2|f16c|fma|avx\w*|amx\w*|asimd\w*|sve\w*|bf16|i8mm)\b")
"""Instructions that change how kernels sum up."""
_NVIDIA = Path("/proc/driver/nvidia")
_DRIVER = re.compile(r"Kernel Module(?: for \S+)?\s+(\d[\d.]*)")


def fingerprint(settings: DetectorSettings, model: str, canary: str) -> Worker:
    """This machine as a worker, once the detector is loaded.

    Args:
        settings: of the detector that runs.
        model: from `selection.model_sha256`.
        canary: from `canary_digest`.
    """
    gpus = () if settings.device == "cpu" else gpu_names()
    driver = {"nvidia driver": driver_version()} if gpus else {}
    return Worker(
        machine=", ".join((cpu_name(), *gpus)),
        versions=dict(_versions()) | driver,
        model=model,
        precision=settings.precision,
        canary=canary,
    )


def cpu_name(info: Path = Path("/proc/cpuinfo")) -> str:
    """The processor with the instructions that matter to kernels, such as `AMD EPYC (avx2 fma)`."""
    try:
        text = info.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    lines = dict(reversed([_pair(line) for line in text.splitlines() if ":" in line]))  # those of the first processor
    facts = [lines[name] if name == "model name" else f"{name} {lines[name]}" for name in _CPU_FACTS if name in lines]
    flags = _FLAGS.findall(lines.get("flags", lines.get("Features", "")))
    return f"{' '.join(facts) or platform.machine()} ({' '.join(dict.fromkeys(flags))})"


def driver_version(folder: Path = _NVIDIA) -> str:
    """The version of NVIDIA's kernel module; empty if it is not known."""
    try:
        found = _DRIVER.search((folder / "version").read_text(encoding="utf-8"))
    except OSError:
        return ""
    return found[1] if found else ""


def gpu_names(folder: Path = _NVIDIA) -> Sequence[str]:
    """The NVIDIA GPUs of this machine; empty if there is none."""
    found = []
    for file in sorted(folder.glob("gpus/*/information")):
        lines = dict(_pair(line) for line in file.read_text(encoding="utf-8").splitlines() if ":" in line)
        found.append(lines.get("Model", "NVIDIA GPU"))
    return found


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def _versions() -> Iterator[tuple[str, str]]:
    for module, package in _LIBRARIES.items():
        if (imported := sys.modules.get(module)) is not None:
            yield module, str(getattr(imported, "__version__", None) or metadata.version(package))
    yield "libavcodec", ".".join(map(str, av.library_versions["libavcodec"]))

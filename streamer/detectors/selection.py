"""Which detector `--detector` means, and building it. Called by the main thread."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from streamer.detectors.watchdog import WatchedDetector
from streamer.errors import ConfigError, ModelError, StreamerError
from streamer.interfaces import Detector
from streamer.models import handles, store, tensorflow_import
from streamer.system import paths
from streamer.system.suggestions import did_you_mean
from streamer.values.labels import LabelTable

if TYPE_CHECKING:
    from streamer.detectors.tfhub.hub import HubDetector

AUTO = "auto"
_NAMES = (AUTO, *store.names())
_TAKES = f"{', '.join(_NAMES)}, or the URL, .tar.gz file or folder of a hub module"


@dataclass(frozen=True, slots=True)
class Choice:
    """A detector that was chosen and not built yet.

    Attributes:
        module_dir: folder of a hub module, whole as far as can be seen quickly; None means the starter.
        reason: one line that says which detector this is and why.
        handle: the module's URL without login, its file or its folder; "" for the starter.
    """

    module_dir: Path | None
    reason: str
    handle: str = ""


def choose(
    name: str,
    *,
    sha256: str | None = None,
    offline: bool = False,
    sees_gpu: Callable[[], bool] = tensorflow_import.sees_gpu,
) -> Choice:
    """Decide which detector `name` means, and have its model at hand: a module that is not is downloaded.

    Args:
        name: `auto`, `starter`, `faster_rcnn_openimages_v4`, or a hub module: its URL, its .tar.gz file, its folder.
        sha256: what the archive of the module must have, hex; refused for what is no archive.
        offline: open no connection; so does `STREAMER_OFFLINE=1`.
        sees_gpu: asked only where the answer matters, for it takes seconds.

    Raises:
        ConfigError: no such name, with the nearest ones; a checksum that cannot be checked.
        ModelError: a model that is not there, cannot be fetched, or is not what it should be.
    """
    if name == AUTO:
        return _automatic(sees_gpu, sha256, offline=offline)
    if name == store.STARTER:
        # Whether it can be had shows when it is built; without a network it must be there now.
        if sha256 is not None or store.is_offline(offline):
            store.fetch(name, sha256=sha256, offline=True)
        return Choice(None, "detector: starter, as asked")
    source = handles.parse(name)
    if isinstance(source, Path) and not (name and paths.exists(source)):
        raise _unknown(name, source)
    directory = store.fetch(name, sha256=sha256, offline=offline)
    if name == store.HUB_MODULE:
        return Choice(directory, f"detector: {name}, as asked", store.HUB_HANDLE)
    shown = str(source) if isinstance(source, Path) else source.shown
    return Choice(directory, f"detector: hub module {shown}, as asked", shown)


@dataclass(frozen=True, slots=True)
class Options:
    """How a chosen detector is built and run.

    Attributes:
        min_score: the detector's own default if None.
        threads: CPU threads of one inference of the starter; a hub module takes what TensorFlow gives it.
        workers: how many starters; 0 makes one for every `threads` cores. A hub module is always built once.
        labels: names of a hub module's classes; None: those it brings.
        device, precision, gpu_memory_mb, optimize_graph, reference: of a hub module, see `HubDetector`.
        timeout_s, on_hang: of a hub module, see `WatchedDetector`.
        frame_size: `(width, height)` in pixels of the frames to come, to warm a hub module up on a GPU, where the first
            frame is many times slower than the others; None does not. On a CPU it is a third slower, and a frame spent
            on warming up would only delay the first detections.
    """

    min_score: float | None = None
    threads: int = 1
    workers: int = 0
    labels: LabelTable | None = None
    device: str = "auto"
    precision: str = "float32"
    gpu_memory_mb: int | None = None
    optimize_graph: bool = False
    reference: bool = False
    timeout_s: float = 120.0
    on_hang: Literal["end", "restart"] = "end"
    frame_size: tuple[int, int] | None = None


def build(
    choice: Choice, options: Options | None = None, *, say: Callable[[str], None] = lambda _: None
) -> list[Detector]:
    """Build the chosen detector, once for each thread that will run one.

    Args:
        choice: of `choose`.
        options: the defaults if None.
        say: told what happens while a large model loads.

    Raises:
        ConfigError: a value out of range, or a precision that the device has not.
        ModelError: the model cannot be fetched or loaded, or does not run.
    """
    options = options or Options()
    if choice.module_dir is not None:
        load = partial(load_hub, choice, options, say=say)
        return [WatchedDetector(load, timeout_s=options.timeout_s, on_hang=options.on_hang)]
    from streamer.detectors import starter

    score = starter.DEFAULT_MIN_SCORE if options.min_score is None else options.min_score
    count = options.workers or max(1, _cores() // max(1, options.threads))
    return [starter.StarterDetector(min_score=score, threads=options.threads) for _ in range(count)]


def load_hub(choice: Choice, options: Options, *, say: Callable[[str], None] = lambda _: None) -> HubDetector:
    """Build a hub module's detector alone, without a deadline for its frames; as `build` otherwise.

    Raises:
        ValueError: the choice is no hub module.
    """
    from streamer.detectors.tfhub import hub

    if choice.module_dir is None:
        raise ValueError("the choice is no hub module")
    say(f"loading {choice.handle or choice.module_dir}")
    began_s = time.monotonic()
    detector = hub.HubDetector(
        choice.module_dir,
        min_score=hub.DEFAULT_MIN_SCORE if options.min_score is None else options.min_score,
        labels=options.labels,
        device=options.device,
        precision=options.precision,
        gpu_memory_mb=options.gpu_memory_mb,
        optimize_graph=options.optimize_graph,
        reference=options.reference,
    )
    loaded_s = time.monotonic() - began_s
    if options.frame_size is None or detector.device.gpu is None:
        say(f"loaded in {loaded_s:.1f} s on {detector.device}, {options.precision}")
        return detector
    width, height = options.frame_size
    say(f"loaded in {loaded_s:.1f} s; warming up at {width}x{height} on {detector.device}, {options.precision}")
    try:
        say(f"warmed up in {detector.warm_up(width, height):.1f} s")
    except BaseException:
        detector.close()
        raise
    return detector


def _automatic(sees_gpu: Callable[[], bool], sha256: str | None, *, offline: bool) -> Choice:
    name = store.HUB_MODULE
    module_dir = store.hub_module_dir(sha256)
    # The cheap questions first: where the module cannot be used, TensorFlow need not be imported.
    if module_dir is None and (store.is_offline(offline) or not has_gpu_device()):
        return _starter(f"{name} is not at hand", offline=offline)
    try:
        if not sees_gpu():
            return _starter("TensorFlow sees no GPU (TF_CPP_MIN_LOG_LEVEL=0 shows why)", offline=offline)
        fetched = "is at hand" if module_dir else "was fetched"
        module_dir = module_dir or store.fetch(name, sha256=sha256, attempts=1)
    except ModelError as error:
        return _starter(str(error), offline=offline)
    because = f"because TensorFlow sees a GPU and the module {fetched}"
    return Choice(module_dir, f"detector: {name}, {because}", store.HUB_HANDLE)


def _starter(because: str, *, offline: bool) -> Choice:
    if store.is_offline(offline):
        store.fetch(store.STARTER, offline=True)
    return Choice(None, f"detector: starter, because {because}")


def has_gpu_device() -> bool:
    """Whether this machine has a device that TensorFlow might use: NVIDIA's driver, AMD's, or that of WSL."""
    return any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg"))


def _unknown(name: str, path: Path) -> StreamerError:
    if path.suffix or os.sep in name:
        return ModelError(f"there is no {path}; --detector takes {_TAKES}")
    return ConfigError(f"no detector {name!r}; {did_you_mean(name, _NAMES, otherwise=f'there are {_TAKES}')}")


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Which detector `--detector` means, and building it. Called by the main thread."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import ConfigError, ModelError
from streamer.models import npm, store, tensorflow_import
from streamer.protocols import Detector

AUTO = "auto"
_NAMES = (AUTO, *store.names())


@dataclass(frozen=True, slots=True)
class Choice:
    """A detector that was chosen and not built yet.

    Attributes:
        module_dir: folder of a hub module; None means the starter.
        reason: one line that says which detector this is and why.
    """

    module_dir: Path | None
    reason: str


def choose(name: str, *, sees_gpu: Callable[[], bool] = tensorflow_import.sees_gpu) -> Choice:
    """Decide which detector `name` means.

    Args:
        name: `auto`, `starter`, `faster_rcnn_openimages_v4`, or the folder of a hub module.
        sees_gpu: asked only where the answer matters, for it takes seconds.

    Raises:
        ConfigError: no such name, with the nearest ones.
        ModelError: a folder that is not there, a module that is not at hand, or something that must be unpacked first.
    """
    if name == store.STARTER:
        return Choice(None, "detector: starter, as asked")
    if name == store.HUB_MODULE:
        return Choice(store.fetch(name), f"detector: {name}, as asked")
    if name == AUTO:
        return _automatic(sees_gpu)
    if "://" in name:
        raise ModelError(
            f"{npm.without_login(name)} is not fetched by this version; download and unpack it, then give its folder"
        )
    path = Path(name).expanduser()
    if path.is_dir():
        return Choice(path, f"detector: hub module in {path}, as asked")
    if path.exists():
        raise ModelError(f"{path} is a file; unpack the module and give its folder")
    if path.suffix or os.sep in name:
        raise ModelError(f"no folder {path}; --detector takes {', '.join(_NAMES)} or the folder of a hub module")
    near = difflib.get_close_matches(name, _NAMES, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_NAMES)}, or the folder of a hub module"
    raise ConfigError(f"no detector {name!r}; {hint}")


def build(choice: Choice, *, min_score: float | None = None, threads: int = 1, workers: int = 0) -> list[Detector]:
    """Build the chosen detector, once for each thread that will run one.

    Args:
        choice: of `choose`.
        min_score: the detector's own default if None.
        threads: CPU threads of one inference of the starter; a hub module takes what TensorFlow gives it.
        workers: how many starters; 0 makes one for every `threads` cores. A hub module is always built once.

    Raises:
        ConfigError: a number out of range.
        ModelError: the model cannot be fetched or loaded.
    """
    if choice.module_dir is not None:
        from streamer.detectors import hub

        score = hub.DEFAULT_MIN_SCORE if min_score is None else min_score
        return [hub.HubDetector(choice.module_dir, min_score=score)]
    from streamer.detectors import starter

    score = starter.DEFAULT_MIN_SCORE if min_score is None else min_score
    count = workers or max(1, _cores() // max(1, threads))
    return [starter.StarterDetector(min_score=score, threads=threads) for _ in range(count)]


def _automatic(sees_gpu: Callable[[], bool]) -> Choice:
    # The cheap question first: without the module TensorFlow need not be imported.
    module_dir = store.hub_module_dir()
    if module_dir is None:
        return Choice(None, f"detector: starter, because {store.HUB_MODULE} is not at hand")
    try:
        gpu = sees_gpu()
    except ModelError as error:
        return Choice(None, f"detector: starter, because {error}")
    if not gpu:
        return Choice(None, "detector: starter, because TensorFlow sees no GPU (TF_CPP_MIN_LOG_LEVEL=0 shows why)")
    return Choice(module_dir, f"detector: {store.HUB_MODULE}, because TensorFlow sees a GPU and the module is at hand")


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

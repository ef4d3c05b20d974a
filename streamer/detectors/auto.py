"""`auto`: the high-accuracy model where TensorFlow can use a GPU, else nanodet, else the starter. Main thread."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from streamer.classes import label_maps
from streamer.classes.class_filter import ClassFilter
from streamer.config.detector import DetectorSettings
from streamer.detectors.litert.nanodet import NanoDetDetector
from streamer.detectors.litert.starter import StarterDetector
from streamer.detectors.tfhub.hub import HubDetector
from streamer.errors import ModelError
from streamer.models import store, tensorflow_import
from streamer.values.labels import LabelTable

NO_GPU = f"no GPU found; {store.HUB_MODULE} (601 classes) is slow without one"


class AutoDetector:
    """Chooses the most accurate detector that this machine can run in real time.

    1. the high-accuracy model, if TensorFlow sees a GPU and the model is cached or can be downloaded;
    2. `nanodet`, if it is cached or can be downloaded;
    3. `starter`.
    """

    default_min_score: ClassVar[float] = HubDetector.default_min_score

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name is `auto`."""
        return name == "auto"

    @classmethod
    def labels_of(cls, settings: DetectorSettings) -> LabelTable:
        """The classes of the detector that will probably be chosen; quick, without TensorFlow or a download."""
        labels = label_maps.of_module(settings.label_map)
        if store.hub_module_dir(settings.sha256) is not None or has_gpu_device():
            return labels
        return StarterDetector.labels_of(settings) if _only_starter(settings) else NanoDetDetector.labels_of(settings)

    @classmethod
    def choose(cls, settings: DetectorSettings) -> tuple[DetectorSettings, str]:
        """The settings with the chosen name, and the reason. Downloads the chosen model if necessary.

        Raises:
            ConfigError: the chosen detector does not have a class of the settings.
            ModelError: offline, and the cache has none of the models.
        """
        name, sha256 = store.HUB_MODULE, settings.sha256
        is_offline, is_cached = store.is_offline(settings.offline), store.hub_module_dir(sha256) is not None
        try:
            # The import of TensorFlow takes seconds, so the quick checks come first.
            if not is_cached and not has_gpu_device():
                why_not = NO_GPU
            elif not is_cached and is_offline:
                why_not = f"{name} is not in the cache; 'streamer models fetch {name}' downloads it"
            elif not tensorflow_import.sees_gpu():
                why_not = "TensorFlow sees no GPU (TF_CPP_MIN_LOG_LEVEL=0 shows why)" if has_gpu_device() else NO_GPU
            else:
                if not is_cached:
                    store.fetch(name, sha256=sha256, attempts=1)
                return settings.model_copy(update={"name": name}), "TensorFlow sees a GPU"
        except ModelError as error:
            why_not = str(error)
        return _without_gpu(settings.model_copy(update={"sha256": None}), why_not)


def _without_gpu(settings: DetectorSettings, why: str) -> tuple[DetectorSettings, str]:
    """`nanodet`, or `starter` if nanodet cannot be downloaded."""
    model = store.PINNED[store.NANODET]
    if _only_starter(settings):
        why_not = f"{model.name} is not in the cache; 'streamer models fetch {model.name}' downloads it"
    else:
        try:
            # A wrong class name is refused before the download.
            ClassFilter(NanoDetDetector.labels_of(settings), settings, NanoDetDetector.default_min_score)
            model.load(offline=settings.offline)
            return settings.model_copy(update={"name": model.name}), why
        except ModelError as error:
            if store.is_offline(settings.offline):
                raise
            why_not = str(error)
    return settings.model_copy(update={"name": store.STARTER}), f"{why}, and {why_not}"


def _only_starter(settings: DetectorSettings) -> bool:
    """Whether nothing may be downloaded, and of the two small models only the starter is in the cache."""
    nanodet, starter = store.PINNED[store.NANODET], store.PINNED[store.STARTER]
    return store.is_offline(settings.offline) and nanodet.read() is None and starter.read() is not None


def has_gpu_device() -> bool:
    """Whether this machine has a device that TensorFlow might use: NVIDIA's driver, AMD's, or that of WSL."""
    return any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg"))

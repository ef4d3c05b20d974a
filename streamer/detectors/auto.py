"""`auto`: the high-accuracy model where TensorFlow can use a GPU, else the starter. Main thread."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from streamer.classes import label_maps
from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub.hub import HubDetector
from streamer.errors import ModelError
from streamer.models import store, tensorflow_import
from streamer.values.labels import LabelTable

NO_GPU = f"no GPU found; {store.HUB_MODULE} (601 classes) is slow without one"


class AutoDetector:
    """Chooses between the high-accuracy model and the starter."""

    default_min_score: ClassVar[float] = HubDetector.default_min_score

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name is `auto`."""
        return name == "auto"

    @classmethod
    def labels_of(cls, settings: DetectorSettings) -> LabelTable:
        """The classes of the high-accuracy model; the starter has some of them."""
        return label_maps.of_module(settings.label_map)

    @classmethod
    def choose(cls, settings: DetectorSettings) -> tuple[DetectorSettings, str]:
        """The settings with the chosen name, and the reason. Downloads the high-accuracy model if it can be used.

        Raises:
            ModelError: offline, and the cache has neither model.
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
        return settings.model_copy(update={"name": store.STARTER, "sha256": None}), why_not


def has_gpu_device() -> bool:
    """Whether this machine has a device that TensorFlow might use: NVIDIA's driver, AMD's, or that of WSL."""
    return any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg"))

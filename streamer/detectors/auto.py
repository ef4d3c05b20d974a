"""`auto`: the detector of record where TensorFlow can use a GPU, else the starter. Main thread."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from streamer.classes import label_maps
from streamer.config.detector import DetectorSettings
from streamer.detectors.tfhub.hub import HubDetector
from streamer.errors import ModelError
from streamer.models import store, tensorflow_import
from streamer.values.labels import LabelTable


class AutoDetector:
    """Chooses between the detector of record and the starter."""

    default_min_score: ClassVar[float] = HubDetector.default_min_score

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether the name is `auto`."""
        return name == "auto"

    @classmethod
    def labels_of(cls, settings: DetectorSettings) -> LabelTable:
        """The classes of the detector of record; the starter has some of them."""
        return label_maps.of_module(settings.label_map)

    @classmethod
    def choose(cls, settings: DetectorSettings) -> tuple[DetectorSettings, str]:
        """The settings with the chosen name, and the reason. Downloads the detector of record if it can be used.

        Raises:
            ModelError: offline, and the cache has neither model.
        """
        name, sha256 = store.HUB_MODULE, settings.sha256
        is_offline, is_cached = store.is_offline(settings.offline), store.hub_module_dir(sha256) is not None
        try:
            # The import of TensorFlow takes seconds, so the quick checks come first.
            if not is_cached and (is_offline or not has_gpu_device()):
                why_not = f"{name} is not in the cache"
            elif not tensorflow_import.sees_gpu():
                why_not = "TensorFlow sees no GPU (TF_CPP_MIN_LOG_LEVEL=0 shows why)"
            else:
                if not is_cached:
                    store.fetch(name, sha256=sha256, attempts=1)
                how = "is in the cache" if is_cached else "was fetched"
                return settings.model_copy(update={"name": name}), (
                    f"because TensorFlow sees a GPU and the module {how}"
                )
        except ModelError as error:
            why_not = str(error)
        starter = settings.model_copy(update={"name": store.STARTER, "sha256": None})
        return starter, f"because {why_not}"


def has_gpu_device() -> bool:
    """Whether this machine has a device that TensorFlow might use: NVIDIA's driver, AMD's, or that of WSL."""
    return any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg"))

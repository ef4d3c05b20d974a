"""Identifies the settings that the outputs of a batch depend on. Any thread."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamer.config.settings import Settings
from streamer.detectors import selection
from streamer.errors import ModelError
from streamer.system import paths

_OF_THE_MACHINE: dict[str, Any] = {
    "source": {"uri", "threads"},
    "detector": {"gpu_memory_mb", "offline", "on_hang", "sha256", "timeout_s", "workers"},
    "cluster": True,
    "window": True,
    "metrics": True,
    "store": True,
    "notify": True,
    "events": True,
}
"""Settings that change how a file is done, but not what is written."""


def settings_digest(settings: Settings) -> str:
    """SHA-256 of the settings that change an output, with the files of the detector.

    `detector.name: auto` counts as the detector that it means on this machine. Where outputs go is no part of it.

    Raises:
        ConfigError: an unknown detector.
        ModelError: no detector can be used, or a file of it cannot be read.
    """
    detector, _ = selection.chosen(settings.detector)
    found = settings.model_copy(update={"detector": detector}).model_dump(mode="json", exclude=_OF_THE_MACHINE)
    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode())
    for name in (detector.name, detector.label_map):
        for file in _files_of(name):
            try:
                with file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
            except OSError as error:
                raise ModelError(f"cannot read {file}: {error.strerror}") from error
    return digest.hexdigest()


def _files_of(name: str | None) -> Iterator[Path]:
    """The files that a setting names: one file, or all of a folder; none if it names no file."""
    if name is None or not paths.exists(path := Path(name).expanduser()):
        return
    yield from [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())

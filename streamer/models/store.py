"""The models known by name, and where a model is. Main thread, before the pipeline starts."""

from __future__ import annotations

import os
from pathlib import Path

from streamer.errors import ConfigError, ModelError
from streamer.models import handles, hub, saved_model
from streamer.models.cache import FETCH_AHEAD as FETCH_AHEAD
from streamer.models.cache import cache_dir as cache_dir
from streamer.models.cache import hub_dir as hub_dir
from streamer.models.cache import is_offline as is_offline
from streamer.models.downloads import STALL_TIMEOUT_S
from streamer.models.formats import model_files
from streamer.models.handles import HUB_HANDLE as HUB_HANDLE
from streamer.models.handles import HUB_MODULE as HUB_MODULE
from streamer.models.handles import Url
from streamer.models.hub_cache import Entry
from streamer.models.pinned import nanodet, npm
from streamer.models.pinned.model import Conversion, PinnedModel
from streamer.system import paths
from streamer.system.suggestions import did_you_mean

STARTER = "starter"
"""SSD MobileNet V2, 300x300, trained on Open Images V4, 23 classes: the smallest and quickest."""

NANODET = "nanodet"
"""NanoDet-g, 416x416, the 80 classes of COCO."""

FIXED_CHECKSUM = "a checksum (detector.sha256) is for hub modules; that of a model known by name is fixed"

_STARTER_FILE = npm.PackedFile(
    package="@mediapipe/objectron",
    version="0.4.1675468480",
    package_sha256="fc3e37b326b05e8f596099c90b3e0931b05a56cd3160b9ac450b621794bac94c",
    name="objectron_solution_packed_assets.data",
    sha256="470986ca5df183f41698da6de74b027d838fe289d77b5ab094497d350bee664e",
    size_bytes=9_987_912,
)
"""Label map and weights, as MediaPipe publishes them for its Objectron solution (Apache-2.0)."""

PINNED = {
    NANODET: PinnedModel(
        name=NANODET,
        kind="LiteRT NanoDet-g, 80 classes",
        sources=nanodet.SOURCES,
        file="nanodet-g-416.tflite",
        conversion=Conversion(nanodet.convert, nanodet.REVISION, size_bytes=7_597_728),
    ),
    STARTER: PinnedModel(
        name=STARTER, kind="LiteRT SSD, 23 classes", sources=(_STARTER_FILE,), file=_STARTER_FILE.name
    ),
}
"""The models that need no GPU, by name."""


def names() -> tuple[str, ...]:
    """The models known by name."""
    return (*PINNED, HUB_MODULE)


def fetch(
    name: str,
    *,
    sha256: str | None = None,
    offline: bool = False,
    thorough: bool = False,
    progress: bool | None = None,
    timeout_s: float = STALL_TIMEOUT_S,
    attempts: int = hub.ATTEMPTS,
) -> Path:
    """The path of a model, which is downloaded if it is missing or damaged.

    Args:
        name: one of `names()`, or a hub module: its URL, its .tar.gz file, its folder.
        sha256: the required checksum of a hub module's archive, hex.
        offline: open no connection; so does `STREAMER_OFFLINE=1`.
        thorough: check a module in the cache byte for byte, not only its files' sizes.
        progress: show a bar on stderr; None: on a terminal; without one a line every few seconds.
        timeout_s: the most that the server may be silent.
        attempts: how often a connection or a failing server is tried.

    Returns:
        The file of a pinned model, or a module's folder.

    Raises:
        ConfigError: a checksum for a model that is no archive.
        ModelError: it cannot be fetched; the message has the remedy.
    """
    if name in PINNED:
        if sha256 is not None:
            raise ConfigError(FIXED_CHECKSUM)
        PINNED[name].load(offline=offline, progress=progress, timeout_s=timeout_s)
        return PINNED[name].path
    source = handles.parse(name)
    if isinstance(source, Path):
        if not paths.exists(source):
            raise ModelError(unknown(name))
        source = model_files.located(source)
        if paths.is_dir(source):
            return _folder(source, sha256)
    else:
        found = _cached(source, sha256, thorough=thorough)
        if found is not None:
            return found
    entry = hub.entry_of(source, hub_dir())
    if isinstance(source, Url) and is_offline(offline):
        raise ModelError(_missing_offline(source, entry, sha256))
    return hub.fetch(
        source, entry, sha256=sha256, thorough=thorough, progress=progress, timeout_s=timeout_s, attempts=attempts
    )


def hub_module_dir(sha256: str | None = None) -> Path | None:
    """The folder of the high-accuracy model if it is cached and complete; quick, without TensorFlow."""
    return _cached(Url(HUB_HANDLE), sha256, thorough=False)


def places(source: Url) -> tuple[Entry, ...]:
    """The cache entries that a module may have, in the order of the search.

    The cache of tensorflow-hub is used, and only read, if `TFHUB_CACHE_DIR` names it. Its default folder is not used:
    it is in the shared temporary folder, where other users can write, and a model is a program.
    """
    found = [Entry(hub_dir() / source.key)]
    if source.address == HUB_HANDLE:
        found.append(Entry(cache_dir() / HUB_MODULE))  # put there by the user, under its short name
    if tfhub_cache := os.environ.get("TFHUB_CACHE_DIR"):
        found.append(Entry(Path(tfhub_cache).expanduser().absolute() / source.key))
    return tuple(found)


def unknown(name: str) -> str:
    """The message for an unknown name, with the nearest one."""
    hint = did_you_mean(name, names(), otherwise=f"there are {', '.join(names())}")
    return f"no model {name!r}; {hint}, or a module's URL, .tar.gz file or folder"


def _cached(source: Url, sha256: str | None, *, thorough: bool) -> Path | None:
    return next(
        (entry.directory for entry in places(source) if not entry.defect(sha256=sha256, thorough=thorough)), None
    )


def _folder(path: Path, sha256: str | None) -> Path:
    if sha256 is not None:
        raise ConfigError(f"{path} is a folder: a checksum (detector.sha256) is for archives only")
    if reason := saved_model.defect(path):
        raise ModelError(f"{path} is no TensorFlow module: {reason}")
    return path


def _missing_offline(source: Url, entry: Entry, sha256: str | None) -> str:
    return (
        f"{source.shown} is not in the cache ({entry.defect(sha256=sha256)}) and nothing may be fetched "
        "(detector.offline or STREAMER_OFFLINE); run `streamer models fetch` for it where there is a network and copy "
        f"{entry.directory}* from there"
    )

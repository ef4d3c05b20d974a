"""The models that Streamer knows by name, and the cache that they lie in.

Called by the main thread before the pipeline starts. The cache is a folder that can be deleted at any time: a file in
it is checked whenever it is used, and fetched again when it is not what it should be.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from streamer.errors import ModelError
from streamer.models import npm

STARTER = "starter"
"""SSD MobileNet V2, 300x300, trained on Open Images V4, 23 classes: small enough for any laptop."""
HUB_MODULE = "faster_rcnn_openimages_v4"
"""Faster R-CNN with Inception ResNet V2, trained on Open Images V4, 600 classes: the detector of record."""
HUB_HANDLE = "https://tfhub.dev/google/faster_rcnn/openimages_v4/inception_resnet_v2/1"

STARTER_FILE = npm.PackedFile(
    package="@mediapipe/objectron",
    version="0.4.1675468480",
    package_sha256="fc3e37b326b05e8f596099c90b3e0931b05a56cd3160b9ac450b621794bac94c",
    name="objectron_solution_packed_assets.data",
    sha256="470986ca5df183f41698da6de74b027d838fe289d77b5ab094497d350bee664e",
    size_bytes=9_987_912,
)
"""Label map and weights, as MediaPipe publishes them for its Objectron solution (Apache-2.0)."""

_FETCH_AHEAD = "`python main.py models fetch` fetches it ahead of time"


class State(StrEnum):
    """What is known of a model in the cache."""

    READY = "ready"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One line of `models list` and `models check`.

    Attributes:
        name: what `models fetch` and `--detector` take.
        kind: readable, such as `LiteRT SSD, 23 classes`.
        size_bytes: on disk; None where it is not known and not there.
        origin: package or handle that it comes from.
        path: file or folder where it is, or belongs.
        state: by presence and size in a listing, by checksum after a check.
        detail: what to do when it is not ready; "" when it is.
    """

    name: str
    kind: str
    size_bytes: int | None
    origin: str
    path: Path
    state: State
    detail: str = ""


def cache_dir() -> Path:
    """The folder for models: `STREAMER_CACHE`, else the system's place for caches. It may not exist yet."""
    chosen = os.environ.get("STREAMER_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs  # comes with pooch, which takes ten times as long to import

    return Path(platformdirs.user_cache_dir("streamer"))


def names() -> tuple[str, ...]:
    """The models known by name."""
    return (STARTER, HUB_MODULE)


def fetch(name: str = STARTER, *, progress: bool | None = None, timeout_s: float = 30.0) -> Path:
    """Have a model in the cache, downloading it if it is missing or damaged.

    Args:
        name: one of `names()`.
        progress: show a bar on stderr; None shows it on a terminal only.
        timeout_s: give up when the server is silent for so long.

    Returns:
        Where it lies.

    Raises:
        ModelError: it cannot be fetched; the message has the remedy.
    """
    if _known(name) == HUB_MODULE:
        entry = _hub_entry()
        if entry.state is not State.READY:
            raise ModelError(f"{name} is not fetched by this version: {entry.detail}")
        return entry.path
    path = cache_dir() / STARTER_FILE.name
    if not _is_starter(path):
        _download_starter(path, progress=progress, timeout_s=timeout_s)
    return path


def load_starter(path: Path | None = None) -> bytes:
    """The verified content of the starter's file: label map and weights.

    Args:
        path: a copy of the file; None takes the one in the cache, fetching it if need be.

    Raises:
        ModelError: it is missing and cannot be fetched, or `path` is not the file that is expected.
    """
    if path is not None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read the weights {path}: {error.strerror}") from error
        if not STARTER_FILE.matches(content):
            raise ModelError(f"{path} is not the starter's {STARTER_FILE.name} (its SHA-256 differs)")
        return content
    cached = cache_dir() / STARTER_FILE.name
    if not cached.exists():
        _download_starter(cached)
    status = cached.stat()
    return _verified(cached, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _verified(cached: Path, _mtime_ns: int, _size_bytes: int) -> bytes:
    """The content of the cached file, repaired if need be; read and hashed once for all workers of a run."""
    content = _read(cached)
    if not STARTER_FILE.matches(content):
        _download_starter(cached)
        content = cached.read_bytes()
    return content


def listing() -> tuple[ModelEntry, ...]:
    """All models by name, looked at quickly: presence and size, no checksum."""
    return (_starter_entry(thorough=False), _hub_entry())


def check(name: str) -> ModelEntry:
    """One model, looked at thoroughly: the starter by its checksum.

    Raises:
        ModelError: no model of that name.
    """
    return _hub_entry() if _known(name) == HUB_MODULE else _starter_entry(thorough=True)


def hub_module_dir() -> Path | None:
    """The folder of the detector of record if it is at hand: in the cache, or in TensorFlow Hub's own.

    The latter only where `TFHUB_CACHE_DIR` names it: a model is a program, and the default under the shared temporary
    folder can be written by others.
    """
    candidates = [cache_dir() / HUB_MODULE]
    if tfhub_cache := os.environ.get("TFHUB_CACHE_DIR"):
        candidates.append(Path(tfhub_cache) / hashlib.sha1(HUB_HANDLE.encode()).hexdigest())
    return next((path for path in candidates if (path / "saved_model.pb").is_file()), None)


def _known(name: str) -> str:
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names())}"
        raise ModelError(f"no model {name!r}; {hint}")
    return name


def _read(path: Path) -> bytes:
    """Content of a file in the cache; empty if it cannot be read, which counts as damaged."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _is_starter(path: Path) -> bool:
    return STARTER_FILE.matches(_read(path))


def _download_starter(path: Path, *, progress: bool | None = None, timeout_s: float = 30.0) -> None:
    try:
        npm.fetch(STARTER_FILE, path, progress=progress, timeout_s=timeout_s)
    except ModelError as error:
        raise ModelError(
            f"no starter model: {error}; {_FETCH_AHEAD}, npm_config_registry names another registry, "
            f"or put the package's {STARTER_FILE.name} at {path}"
        ) from error


def _starter_entry(*, thorough: bool) -> ModelEntry:
    path = cache_dir() / STARTER_FILE.name
    if not path.exists():
        state, detail = State.MISSING, _FETCH_AHEAD
    elif _is_starter(path) if thorough else path.stat().st_size == STARTER_FILE.size_bytes:
        state, detail = State.READY, ""
    else:
        state, detail = State.DAMAGED, f"it is fetched again when it is used; {_FETCH_AHEAD}"
    return ModelEntry(
        name=STARTER,
        kind="LiteRT SSD, 23 classes",
        size_bytes=STARTER_FILE.size_bytes,
        origin=f"npm {STARTER_FILE.package}@{STARTER_FILE.version}",
        path=path,
        state=state,
        detail=detail,
    )


def _hub_entry() -> ModelEntry:
    found = hub_module_dir()
    path = found or cache_dir() / HUB_MODULE
    return ModelEntry(
        name=HUB_MODULE,
        kind="TensorFlow Hub module, 600 classes",
        size_bytes=sum(file.stat().st_size for file in found.rglob("*") if file.is_file()) if found else None,
        origin=HUB_HANDLE,
        path=path,
        state=State.READY if found else State.MISSING,
        detail="" if found else f"download and unpack {HUB_HANDLE} into {path}, or give its folder to --detector",
    )

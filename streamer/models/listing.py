"""The state of models, for `models list` and `models check`. Without TensorFlow; main thread."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from streamer.errors import ModelError
from streamer.models import handles, hub, saved_model, store
from streamer.models.formats import model_files
from streamer.models.handles import HUB_HANDLE, HUB_MODULE, Url
from streamer.models.hub_cache import Entry, entries
from streamer.models.pinned.model import PinnedModel
from streamer.system import paths

_KIND = "TensorFlow Hub module"


class State(StrEnum):
    """State of a model."""

    READY = "ready"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model.

    Attributes:
        name: for `models fetch` and `--detector`.
        kind: readable, such as `LiteRT SSD, 23 classes`.
        size_bytes: on disk; None if it is missing and its size is not known.
        origin: its package or handle, and the time of the download.
        path: its file or folder; may be missing.
        state: by presence and sizes in a listing, by checksums after a check.
        detail: what to do if it is not ready; "" if it is.
    """

    name: str
    kind: str
    size_bytes: int | None
    origin: str
    path: Path
    state: State
    detail: str = ""


def listing() -> tuple[ModelEntry, ...]:
    """All models by name and all modules in the cache, by presence and sizes, without checksums."""
    record = _detector_of_record(thorough=False)
    others = (entry for entry in entries(store.hub_dir()) if entry.directory != record.path)
    pinned = (_pinned(model, thorough=False) for model in store.PINNED.values())
    return (*pinned, record, *(_module(entry, None, thorough=False) for entry in others))


def check(name: str) -> ModelEntry:
    """One model; all its files are checked by checksum, if the checksums are known.

    Args:
        name: a name, or a hub module's URL, .tar.gz file or folder.

    Raises:
        ModelError: there is no such model or file.
    """
    if name in store.PINNED:
        return _pinned(store.PINNED[name], thorough=True)
    if name == HUB_MODULE:
        return _detector_of_record(thorough=True)
    if name.casefold().endswith(".onnx"):
        return _onnx(name)
    source = handles.parse(name)
    if isinstance(source, Url):
        return _module(_best(source, thorough=True), source.shown, thorough=True)
    if not paths.exists(source):
        raise ModelError(store.unknown(name))
    source = model_files.located(source)
    if paths.is_dir(source):
        entry = Entry(source.absolute())
        if entry in entries(store.hub_dir()):
            return _module(entry, None, thorough=True)
        reason = saved_model.defect(source)
        state = State.DAMAGED if reason else State.READY
        return ModelEntry(name, _KIND, entry.size_bytes(), "a folder of yours", source, state, reason)
    return _module(hub.entry_of(source, store.hub_dir()), name, thorough=True)


def verify(name: str) -> ModelEntry:
    """Like `check`, for a model that must be ready.

    Raises:
        ModelError: it is not ready; the message has the remedy.
    """
    entry = check(name)
    if entry.state is not State.READY:
        raise ModelError(f"{entry.name} is {entry.state.value}: {entry.detail}")
    return entry


def _pinned(model: PinnedModel, *, thorough: bool) -> ModelEntry:
    path = model.path
    if not path.exists():
        state, detail = State.MISSING, f"`streamer models fetch {model.name}` fetches it ahead of time"
    elif model.read() is not None if thorough else model.has_right_size():
        state, detail = State.READY, ""
    else:
        state, detail = State.DAMAGED, f"it is fetched again when it is used; {store.FETCH_AHEAD}"
    return ModelEntry(
        name=model.name,
        kind=model.kind,
        size_bytes=model.size_bytes,
        origin=model.origin,
        path=path,
        state=state,
        detail=detail,
    )


def _onnx(name: str) -> ModelEntry:
    """A file of the user's; whether it is a detector is known when it is loaded."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise ModelError(f"there is no file {path}")
    return ModelEntry(name, "ONNX model", path.stat().st_size, "a file of yours", path, State.READY, "")


def _detector_of_record(*, thorough: bool) -> ModelEntry:
    return _module(_best(Url(HUB_HANDLE), thorough=thorough), HUB_MODULE, thorough=thorough)


def _best(source: Url, *, thorough: bool) -> Entry:
    """Of the entries of a module the first complete one, else the first with any content, else the first."""
    places = store.places(source)
    complete = (entry for entry in places if not entry.defect(thorough=thorough))
    return next(complete, next((entry for entry in places if entry.is_occupied), places[0]))


def _module(entry: Entry, name: str | None, *, thorough: bool) -> ModelEntry:
    manifest, described = entry.manifest(), entry.described_handle()
    handle = HUB_HANDLE if name == HUB_MODULE else described or name or "an unknown place"
    if not entry.is_occupied:
        origin = handle
    elif manifest is not None:
        origin, name = f"{manifest.origin}, fetched {manifest.fetched}", name or manifest.handle
    elif described:
        origin, name = f"{described}, fetched by tensorflow-hub", name or described
    else:
        origin = "put there by hand"
    return _entry(entry, name or str(entry.directory), origin, entry.defect(thorough=thorough))


def _entry(entry: Entry, name: str, origin: str, defect: str) -> ModelEntry:
    kind = _KIND + (", 601 classes" if name == HUB_MODULE else "")
    if not defect:
        state, detail = State.READY, ""
    elif entry.is_occupied:
        state, detail = State.DAMAGED, f"{defect}; `streamer models fetch` for it repairs that"
    else:
        state, detail = State.MISSING, f"`streamer models fetch {name}` fetches it ahead of time"
    return ModelEntry(name, kind, entry.size_bytes(), origin, entry.directory, state, detail)

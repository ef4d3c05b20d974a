"""Puts hub modules into the cache: downloads, checks, repairs. Main thread; without TensorFlow.

A page of tfhub.dev or of Kaggle's models gives its archive for `?tf-hub-format=compressed`, as tensorflow-hub asks for
it. kagglehub is not used: it knows Kaggle's handles only, has a cache of its own, unpacks before the archive can be
checked, and needs API credentials for models that ask for consent (its README, "Authenticate"). tfhub.dev redirects to
Kaggle, which has answered some programs with 403 (tensorflow-hub issues 922 and 932); the remedy is to download the
archive in a browser and to name the file.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

from streamer.errors import ModelError
from streamer.models import archive, cache, downloads, saved_model
from streamer.models.archive import CutShort
from streamer.models.downloads import STALL_TIMEOUT_S, Transient
from streamer.models.formats import frozen_graph, model_files
from streamer.models.handles import Url
from streamer.models.hub_cache import Contents, Entry, Manifest, sha256_of

ATTEMPTS = 3
BACKOFF_S = 1.0
"""Pause before the second attempt; twice as long before each further one."""
_pause = threading.Event()  # never set: a wait with a deadline, which a signal ends


def entry_of(source: Url | Path, folder: Path) -> Entry:
    """The entry of the module in the cache `folder`; hashes a file.

    Raises:
        ModelError: the file cannot be read.
    """
    if isinstance(source, Url):
        return Entry(folder / source.key)
    try:
        return Entry(folder / sha256_of(source))
    except OSError as error:
        raise ModelError(f"cannot read {source}: {error.strerror}") from error


def fetch(
    source: Url | Path,
    entry: Entry,
    *,
    sha256: str | None = None,
    thorough: bool = False,
    progress: bool | None = None,
    timeout_s: float = STALL_TIMEOUT_S,
    attempts: int = ATTEMPTS,
) -> Path:
    """Install a module into the cache unless it is there. After an error the cache is as before.

    Args:
        source: an address, or an archive on this machine.
        entry: of `entry_of`.
        sha256: the required checksum of the archive, hex.
        thorough: check a cached module byte for byte.
        progress: show a bar on stderr; None: on a terminal; without one a line every few seconds.
        timeout_s: the most that the server may be silent.
        attempts: how often a connection or a failing server is tried.

    Returns:
        Its folder.

    Raises:
        ModelError: it cannot be fetched or is refused; one line with the remedy, without login.
    """
    if not entry.defect(sha256=sha256, thorough=thorough):
        return entry.directory
    try:
        entry.directory.parent.mkdir(parents=True, exist_ok=True)
        cache.sweep(entry.directory)
        with cache.locked(entry.directory, cache.LOCK_TIMEOUT_FACTOR * timeout_s):
            for attempt in range(attempts):
                if not entry.defect(sha256=sha256, thorough=thorough):  # another process was quicker
                    break
                try:
                    _install(source, entry, sha256, progress, timeout_s)
                except (Transient, CutShort):
                    if isinstance(source, Path) or attempt == attempts - 1:
                        raise
                    _pause.wait(BACKOFF_S * 2**attempt)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(
            f"cannot write {entry.directory}: {reason}; free some space, or let STREAMER_CACHE name another folder"
        ) from error
    return entry.directory


def _install(source: Url | Path, entry: Entry, sha256: str | None, progress: bool | None, timeout_s: float) -> None:
    shown = source.shown if isinstance(source, Url) else str(source)
    with cache.draft(entry.directory) as name:
        scratch, file, origin = Path(name), Path(name, "archive"), shown
        if isinstance(source, Url):
            origin = downloads.download(
                source.archive_address,
                file,
                remedy=archive.REMEDY_BY_HAND,
                timeout_s=timeout_s,
                progress=progress,
            )
        else:
            file = source
        found = sha256_of(file)
        if isinstance(source, Path) and model_files.is_frozen_graph(source):
            unpacked = frozen_graph.convert(file, scratch / "module")
        else:
            unpacked = archive.unpack(file, scratch / "module", shown=shown)
        if sha256 is not None and found != sha256.lower():
            raise ModelError(
                f"{shown} is refused: its SHA-256 is {found}, but {sha256.lower()} is pinned (detector.sha256)"
            )
        if reason := saved_model.defect(unpacked.directory):
            raise ModelError(f"{shown} is refused: its content is no SavedModel: {reason}")
        fetched = datetime.now(UTC).isoformat(timespec="seconds")
        contents = Contents(found, file.stat().st_size, unpacked.files)
        entry.replace(unpacked.directory, Manifest(shown, origin, fetched, contents), scratch)

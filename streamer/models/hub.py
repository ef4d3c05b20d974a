"""Has hub modules in the cache: downloads, checks, repairs. Called by the main thread; TensorFlow only when it must.

tensorflow-hub does the resolving, not kagglehub: its http form serves tfhub.dev, Kaggle's model pages and any .tar.gz
by one route into one cache under one lock, and what arrives is one archive whose checksum can be pinned. kagglehub
knows Kaggle's handles only, keeps a cache of its own, unpacks before one could look, and wants API credentials for
models that ask for consent (its README, "Authenticate"). A page that wants a login is told from an archive, with the
remedy. tfhub.dev forwards to Kaggle, which has answered some programs with 403 (tensorflow-hub issues 922 and 932):
then too the archive, downloaded in a browser, is taken as a file.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from streamer.errors import ModelError
from streamer.models import archive, leftovers, saved_model, tensorflow_import
from streamer.models.archive import Contents, CutShort
from streamer.models.downloads import Body, Transient
from streamer.models.handles import Url
from streamer.models.hub_cache import Entry, Manifest, sha256_of

STALL_TIMEOUT_S = 30.0
"""A server that sends nothing for so long has failed."""
ATTEMPTS = 3
BACKOFF_S = 1.0
"""Before the second attempt; twice as long before each further one."""

_CHUNK_BYTES = 1 << 16
_PLAIN_EVERY_S = 5.0


def entry_of(source: Url | Path, folder: Path) -> Entry:
    """Where the module belongs in the cache `folder`; hashes a file.

    Raises:
        ModelError: the file cannot be read.
    """
    return Entry(folder / (source.key if isinstance(source, Url) else _sha256(source)))


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
    """Have a whole module in the cache. On failure the cache is as it was.

    Args:
        source: an address, or an archive on this machine.
        entry: of `entry_of`.
        sha256: what the archive must have, hex.
        thorough: check what is already there byte for byte.
        progress: show a bar on stderr; None: on a terminal, and without one a line every few seconds.
        timeout_s: give up when the server is silent for so long.
        attempts: how often a connection or a failing server is tried.

    Returns:
        Its folder.

    Raises:
        ModelError: it cannot be had; one line with the remedy, without login.
    """
    for attempt in range(attempts):
        if not entry.defect(sha256=sha256, thorough=thorough):
            return entry.directory
        try:
            _install(source, entry, sha256, thorough=thorough, progress=progress, timeout_s=timeout_s)
        except Transient:
            if attempt == attempts - 1:
                raise
            time.sleep(BACKOFF_S * 2**attempt)  # a signal ends it
    if reason := entry.defect(sha256=sha256):
        raise ModelError(f"{_shown(source)} was fetched into {entry.directory}, but {reason}; is it used by another?")
    return entry.directory


def _install(
    source: Url | Path, entry: Entry, sha256: str | None, *, thorough: bool, progress: bool | None, timeout_s: float
) -> None:
    shown = _shown(source)

    def install(body: Body, folder: Path) -> Manifest:
        contents = _unpack(body, folder, shown, progress=progress)
        if sha256 is not None and contents.sha256 != sha256.lower():
            raise ModelError(
                f"{shown} is refused: its SHA-256 is {contents.sha256}, but {sha256.lower()} is pinned "
                "(detector.sha256, --sha256)"
            )
        try:
            saved_model.read_signatures(folder)
        except ModelError as error:
            raise ModelError(f"{shown} is refused: {str(error).replace(str(folder), 'its content')}") from error
        return Manifest(shown, body.origin, datetime.now(UTC).isoformat(timespec="seconds"), contents)

    try:
        entry.directory.parent.mkdir(parents=True, exist_ok=True)
        leftovers.sweep(entry.drafts())
        tensorflow_import.tensorflow_hub()
        from streamer.models.hub_resolver import ModuleResolver

        resolve = ModuleResolver(install, timeout_s=timeout_s)
        resolve(source, shown, entry, is_whole=lambda: not entry.defect(sha256=sha256, thorough=thorough))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(
            f"cannot write {entry.directory}: {reason}; free some space, or let STREAMER_CACHE name another folder"
        ) from error


def _unpack(body: Body, folder: Path, shown: str, *, progress: bool | None) -> Contents:
    with _Watched(body, progress=progress) as watched:
        try:
            return archive.unpack(watched, folder, shown=shown)
        except CutShort as error:
            if body.size_bytes is None:
                raise Transient(str(error)) from error  # the connection broke off without saying so
            raise


class _Watched:
    """Bytes of an archive, shown as they come."""

    def __init__(self, body: Body, *, progress: bool | None) -> None:
        from tqdm import tqdm  # type: ignore[import-untyped]

        # Without a terminal a line now and then, and none for what is quickly done.
        pause_s = 0.1 if progress or sys.stderr.isatty() else _PLAIN_EVERY_S
        self._source = body.source
        self._bar = tqdm(
            total=body.size_bytes,
            desc=body.origin,
            unit="B",
            unit_scale=True,
            disable=progress is False,
            delay=pause_s if pause_s == _PLAIN_EVERY_S else 0,
            mininterval=pause_s,
        )

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._source.read(min(size, _CHUNK_BYTES) if size >= 0 else _CHUNK_BYTES)
        self._bar.update(len(chunk))
        return chunk


def _shown(source: Url | Path) -> str:
    return source.shown if isinstance(source, Url) else str(source)


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error

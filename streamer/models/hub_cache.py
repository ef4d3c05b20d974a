"""What lies in the cache of hub modules, and whether it is whole. Without TensorFlow; called by the main thread.

One entry is a folder named as tensorflow-hub names it (`handles.Url.key`), or by the SHA-256 of the archive where that
was a file. Beside it lie a manifest (`KEY.json`: where it came from, every file with its size and checksum) and what
tensorflow-hub writes: a descriptor and, during a download, a lock. An entry without a manifest was put there by hand or
by `hub.load`, and is accepted if it looks whole.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from streamer.models import saved_model
from streamer.models.archive import Contents, FileRecord
from streamer.models.handles import without_login

# NodeDef.op is field 2 of its message: 0x12, length, name. How an op is listed elsewhere begins with another byte.
_VARIABLE_NODES = tuple(bytes([0x12, len(op)]) + op for op in (b"VarHandleOp", b"VariableV2", b"Variable"))


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where an entry came from and what it must hold.

    Attributes:
        handle: as given, without login.
        origin: the address or file that gave the archive in the end, without login and query.
        fetched: when, UTC, ISO 8601.
        contents: checksum and size of the archive, and all files.
    """

    handle: str
    origin: str
    fetched: str
    contents: Contents

    def to_json(self) -> str:
        """As it lies on disk."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read it back.

        Raises:
            ValueError, KeyError, TypeError: it is none.
        """
        raw: dict[str, Any] = json.loads(text)
        contents = raw["contents"]
        files = {
            str(name): FileRecord(int(file["size_bytes"]), str(file["sha256"]))
            for name, file in contents["files"].items()
        }
        return cls(
            str(raw["handle"]),
            str(raw["origin"]),
            str(raw["fetched"]),
            Contents(str(contents["sha256"]), int(contents["size_bytes"]), files),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One module in a cache; it may not be there.

    Attributes:
        directory: its folder.
    """

    directory: Path

    @property
    def repair_directory(self) -> Path:
        """Where its successor grows while the folder is occupied."""
        return self.directory.with_name(f"{self.directory.name}.repair")

    @property
    def manifest_path(self) -> Path:
        """The manifest beside it."""
        return self.directory.with_name(f"{self.directory.name}.json")

    def manifest(self) -> Manifest | None:
        """Where it came from; None if that is not written down legibly."""
        try:
            return Manifest.from_json(self.manifest_path.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def described_handle(self) -> str | None:
        """The handle that tensorflow-hub wrote into its descriptor, without login; None if there is none.

        It writes `Module: HANDLE` as the first line (tensorflow-hub 0.16.1, resolver.py,
        `_write_module_descriptor_file`).
        """
        try:
            text = self.directory.with_name(f"{self.directory.name}.descriptor.txt").read_text(encoding="utf-8")
            return without_login(text.partition("\n")[0].removeprefix("Module: ")) or None
        except (OSError, ValueError):
            return None

    def drafts(self) -> list[Path]:
        """What is on its way in or out beside it: temporary folders and files, a successor, a predecessor."""
        beside = self.directory.parent.glob(f"{self.directory.name}.*")
        return [path for path in beside if path.name.endswith((".tmp", ".old", ".repair"))]

    @property
    def is_occupied(self) -> bool:
        """Whether something lies there; an empty folder, as cleaners of temporary files leave it, is nothing."""
        return self.directory.is_dir() and any(self.directory.iterdir())

    def size_bytes(self) -> int | None:
        """On disk; None if it is not there."""
        files = (path for path in self.directory.rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files) if self.is_occupied else None

    def defect(self, *, sha256: str | None = None, thorough: bool = False) -> str:
        """Why it cannot be used, "" if it can.

        Args:
            sha256: what its archive must have had; then every file is checked against the manifest, byte for byte.
            thorough: check every file so in any case. Otherwise presence and sizes are looked at, which is quick.
        """
        if not self.is_occupied:
            return "it is not there"
        manifest = self.manifest()
        if manifest is None:
            if sha256 is not None:
                return "it was put there by hand, so that its checksum is not known"
            return saved_model.incomplete(self.directory) or _missing_checkpoint(self.directory)
        if sha256 is not None and manifest.contents.sha256 != sha256.lower():
            return f"it is of another archive, with the SHA-256 {manifest.contents.sha256}"
        return _differing_file(self.directory, manifest, by_checksum=thorough or sha256 is not None)

    def write(self, manifest: Manifest) -> None:
        """Lay the manifest beside it.

        Raises:
            OSError: it cannot be written; an earlier one stays.
        """
        draft = self.directory.with_name(f"{self.directory.name}.{uuid.uuid4().hex}.tmp")
        try:
            draft.write_text(manifest.to_json(), encoding="utf-8")
            draft.replace(self.manifest_path)
        finally:
            draft.unlink(missing_ok=True)

    def replace(self, successor: Path) -> None:
        """Put a whole module in its place.

        Raises:
            OSError: it cannot be moved; then what was there is there again.
        """
        old = self.directory.with_name(f"{self.directory.name}.{uuid.uuid4().hex}.old")
        self.directory.rename(old)
        try:
            successor.rename(self.directory)
        except BaseException:
            old.rename(self.directory)
            raise
        shutil.rmtree(old, ignore_errors=True)


def entries(folder: Path) -> Iterator[Entry]:
    """All entries in a cache, by name. What has a dot in its name is on its way in or out."""
    if folder.is_dir():
        yield from (Entry(path) for path in sorted(folder.iterdir()) if path.is_dir() and "." not in path.name)


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
    return saved_model.incomplete(directory)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _missing_checkpoint(directory: Path) -> str:
    """What is missing of the weights, "" if the graph has none or all files are there.

    A checkpoint is `variables.index` and `variables.data-I-of-N` for all I below N (TensorFlow's tensor bundle format).
    """
    try:
        graph = (directory / saved_model.FILE_NAME).read_bytes()
    except OSError as error:
        return f"its {saved_model.FILE_NAME} cannot be read: {error.strerror}"
    if not any(node in graph for node in _VARIABLE_NODES):
        return ""
    present = {path.name for path in (directory / "variables").glob("variables.*") if path.stat().st_size}
    if "variables.index" not in present:
        return "its graph has variables, but there is no variables/variables.index"
    shards = [match for name in present if (match := re.fullmatch(r"variables\.data-(\d+)-of-(\d+)", name))]
    if not shards or len(shards) < int(shards[0][2]):
        return "its graph has variables, but not all of variables/variables.data-* are there"
    return ""

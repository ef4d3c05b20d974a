"""Unpacks the archive of a module without trust in its content. Main thread.

`tarfile` alone is not enough: it accepts a tar that ends at a header, reads headers of any size into memory, and
unpacks any amount of data.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast

from streamer.errors import ModelError
from streamer.models.saved_model import FILE_NAME

MAX_UNPACKED_BYTES = 16 * 10**9
"""More than the largest detector (the high-accuracy model has 64 M parameters), less than most disks."""
MAX_MEMBERS = 100_000
REMEDY_BY_HAND = "download the .tar.gz in a browser and name that file instead"
"""The remedy where a server does not give the archive to a program."""

_CHUNK_BYTES = 1 << 18
_HEADER_BYTES = 16 << 20  # the headers of one member; tarfile holds them in memory
_BLOCK_BYTES = 512
_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|!--)", re.IGNORECASE)


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """At most `size` bytes, b"" at the end."""
        ...


class CutShort(ModelError):
    """The archive ends too early: the file is incomplete, or the connection broke off without an error."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Size of a file of a module, and its SHA-256 in hex."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Unpacked:
    """An unpacked module.

    Attributes:
        directory: the folder with the SavedModel; the archive may have it in a subfolder.
        files: by path in this folder, with forward slashes.
    """

    directory: Path
    files: Mapping[str, FileRecord]


def unpack(file: Path, target: Path, *, shown: str, max_bytes: int = MAX_UNPACKED_BYTES) -> Unpacked:
    """Unpack a .tar.gz or .tar completely; all checksums of gzip are checked.

    Args:
        file: the archive.
        target: an empty folder; its content is undefined after an error.
        shown: what messages call the archive.
        max_bytes: the most that the archive may unpack to.

    Raises:
        CutShort: the archive ends too early.
        ModelError: no archive, a damaged one, members that do not belong there, or not exactly one SavedModel.
        OSError: the file cannot be read, or the folder cannot be written.
    """
    with file.open("rb") as packed:
        head = packed.read(_BLOCK_BYTES)
        packed.seek(0)
        is_gzip = head.startswith(b"\x1f\x8b")
        if _PAGE.match(head):
            raise ModelError(f"{shown} is a web page (a login page?) and no archive; {REMEDY_BY_HAND}")
        if not is_gzip and head[257:262] != b"ustar":
            raise ModelError(f"{shown} is no .tar.gz archive; {REMEDY_BY_HAND}")
        source = _Bounded(cast(Readable, gzip.GzipFile(fileobj=packed) if is_gzip else packed), max_bytes)
        try:
            files = _unpack(source, target, shown)
            if not is_gzip and source.tail.strip(b"\0"):  # a tar ends with empty blocks
                raise EOFError
        except EOFError as error:
            raise CutShort(f"{shown} is cut short; fetch it again") from error
        except (tarfile.TarError, gzip.BadGzipFile, zlib.error) as error:
            raise ModelError(f"{shown} is no .tar.gz archive, or a damaged one; fetch it again") from error
    return _module(target, files, shown)


def copy(source: Readable, target: IO[bytes]) -> FileRecord:
    """Copy everything; returns size and checksum."""
    digest, size_bytes = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
        size_bytes += len(chunk)
        target.write(chunk)
    return FileRecord(size_bytes, digest.hexdigest())


class _TooLarge(Exception):
    """The archive gave more bytes than allowed."""


class _Bounded:
    """A stream with a limit that moves on with the members."""

    def __init__(self, source: Readable, max_bytes: int) -> None:
        self._source = source
        self.max_bytes = max_bytes
        self._total = self._bound = 0
        self.tail = b""

    def allow(self, size_bytes: int) -> None:
        """Allow so many more bytes, and what tarfile reads ahead."""
        self._bound = min(self.max_bytes, self._total + size_bytes + _CHUNK_BYTES)

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._source.read(size)
        self._total += len(chunk)
        if self._total > self._bound:
            raise _TooLarge
        self.tail = (self.tail + chunk)[-_BLOCK_BYTES:]
        return chunk


def _unpack(source: _Bounded, target: Path, shown: str) -> dict[str, FileRecord]:
    files: dict[str, FileRecord] = {}
    members = claimed_bytes = 0
    try:
        source.allow(_HEADER_BYTES)
        with tarfile.open(fileobj=cast(Any, source), mode="r|") as tar:
            for member in tar:
                members += 1
                claimed_bytes += member.size  # a sparse member claims more than the archive contains
                if members > MAX_MEMBERS or claimed_bytes > source.max_bytes:
                    raise _TooLarge
                name, path = _place(member, target, shown)
                if member.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                else:
                    source.allow(member.size)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with cast(IO[bytes], tar.extractfile(member)) as content, path.open("wb") as out:
                        files[name] = copy(content, out)
                source.allow(_HEADER_BYTES)
        while source.read(_CHUNK_BYTES):  # the checksum of gzip is at the end
            source.allow(_HEADER_BYTES)
    except _TooLarge as error:
        raise ModelError(f"{shown} unpacks to more than {source.max_bytes / 1e9:g} GB and is refused") from error
    return files


def _place(member: tarfile.TarInfo, target: Path, shown: str) -> tuple[str, Path]:
    """The path of a member in the module, and on disk."""
    if not (member.isdir() or member.isreg()):
        raise ModelError(f"{shown} is refused: its member {member.name!r} is a link or a device")
    parts = [part for part in re.split(r"[/\\]" if "\\" in str(target) else "/", member.name) if part not in ("", ".")]
    path = target.joinpath(*parts)
    if member.name.startswith(("/", "\\")) or ".." in parts or not path.is_relative_to(target):
        raise ModelError(f"{shown} is refused: its member {member.name!r} points outside the module")
    return "/".join(parts), path


def _module(target: Path, files: Mapping[str, FileRecord], shown: str) -> Unpacked:
    """The folder with the SavedModel; other files of the archive are left out."""
    if FILE_NAME in files:
        return Unpacked(target, files)
    roots = [name.removesuffix(FILE_NAME) for name in files if name.endswith(f"/{FILE_NAME}")]
    if not roots:
        raise ModelError(f"{shown} holds no {FILE_NAME}: it is no TensorFlow module")
    if len(roots) > 1:
        found = ", ".join(root.rstrip("/") for root in roots[:3])
        raise ModelError(f"{shown} holds several modules ({found}, ...); unpack it and name one folder")
    (root,) = roots
    own = {name.removeprefix(root): record for name, record in files.items() if name.startswith(root)}
    return Unpacked(target / root, own)

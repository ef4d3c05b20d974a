"""Unpacks the archive of a module as it arrives, trusting nothing in it. Called by the main thread.

tensorflow-hub 0.16.1 has an extraction of its own (file_utils.py, `extract_tarfile_to_destination`), which refuses `..`
and links too. It is not used: it ends without an error where a tar is cut at a header, checks no checksum of gzip,
unpacks without bound, fails on archives without entries for their folders, and loses the reason when the disk is full.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import tarfile
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast

from streamer.errors import ModelError
from streamer.models.saved_model import FILE_NAME

MAX_UNPACKED_BYTES = 16 * 10**9
"""More than any detector weighs (the one of record has 64 M parameters), less than what fills most disks."""
MAX_MEMBERS = 100_000

_CHUNK_BYTES = 1 << 18
_HEADER_BYTES = 16 << 20  # the headers of one member; tarfile holds them in memory
_BLOCK_BYTES = 512


class Readable(Protocol):
    """Something that gives bytes until it is empty."""

    def read(self, size: int = ..., /) -> bytes:
        """At most `size` bytes, b"" at the end."""
        ...


class CutShort(ModelError):
    """The archive ends too early: the file is not whole, or the connection broke off without saying so."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of a module: its size, and its SHA-256 in hex."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What was unpacked.

    Attributes:
        sha256: of the archive, hex.
        size_bytes: of the archive.
        files: by path inside the module, with forward slashes.
    """

    sha256: str
    size_bytes: int
    files: Mapping[str, FileRecord]


def unpack(source: Readable, target: Path, *, shown: str, max_bytes: int = MAX_UNPACKED_BYTES) -> Contents:
    """Unpack a .tar.gz or .tar into an empty folder, all of it read, every checksum of gzip checked.

    Where the SavedModel lies in a folder of the archive, that folder alone is kept and becomes `target`.

    Args:
        source: the archive, read to its end.
        target: exists and is empty; may hold anything when this fails.
        shown: what the archive is called in messages.
        max_bytes: the most that it may hold.

    Raises:
        CutShort: the archive ends too early.
        ModelError: no archive, a damaged one, one with members that do not belong there, or without a SavedModel.
        OSError: the disk is full, or the like.
    """
    archive = _Archive(source)
    try:
        if archive.looks_like_a_page:
            raise ModelError(f"{shown} is a web page (a login page?) and no archive; {remedy_by_hand()}")
        if not archive.looks_like_one:
            raise ModelError(f"{shown} is no .tar.gz archive; {remedy_by_hand()}")
        files = _unpack(_Bounded(archive.plain(), max_bytes), target, shown, needs_end=not archive.is_gzip)
    except EOFError as error:
        raise CutShort(f"{shown} is cut short; fetch it again") from error
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error) as error:
        raise ModelError(f"{shown} is no .tar.gz archive, or a damaged one; fetch it again") from error
    return Contents(archive.sha256, archive.size_bytes, _lift(target, files, shown))


def remedy_by_hand() -> str:
    """What helps where a server does not give the archive to a program."""
    return "download the .tar.gz in a browser and name that file instead"


class _Archive:
    """The bytes of the archive, counted and hashed on their way."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        self.size_bytes = 0
        self._ahead = b""
        while len(self._ahead) < _BLOCK_BYTES and (more := self._take(_BLOCK_BYTES)):
            self._ahead += more
        self.is_gzip = self._ahead.startswith(b"\x1f\x8b")
        self.looks_like_one = self.is_gzip or self._ahead[257:262] == b"ustar"
        self.looks_like_a_page = bool(re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|!--)", self._ahead, re.I))

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def _take(self, size: int) -> bytes:
        chunk = self._source.read(size)
        self._digest.update(chunk)
        self.size_bytes += len(chunk)
        return chunk

    def read(self, size: int = -1, /) -> bytes:
        if self._ahead:
            size = len(self._ahead) if size < 0 else size
            chunk, self._ahead = self._ahead[:size], self._ahead[size:]
            return chunk
        return self._take(_CHUNK_BYTES if size < 0 else size)

    def plain(self) -> Readable:
        """The tar inside."""
        return gzip.GzipFile(fileobj=cast(Any, self)) if self.is_gzip else self


class _Bounded:
    """Gives bytes up to a bound that moves on with the members."""

    def __init__(self, source: Readable, max_bytes: int) -> None:
        self._source = source
        self.max_bytes = max_bytes
        self._total = self._bound = 0
        self.tail = b""

    def allow(self, size_bytes: int) -> None:
        """Let so much more come; tarfile reads ahead by a few blocks."""
        self._bound = min(self.max_bytes, self._total + size_bytes + _CHUNK_BYTES)

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._source.read(size)
        self._total += len(chunk)
        if self._total > self._bound:
            raise _TooLarge
        self.tail = (self.tail + chunk)[-_BLOCK_BYTES:]
        return chunk


class _TooLarge(Exception):
    """More came than was allowed."""


def _unpack(source: _Bounded, target: Path, shown: str, *, needs_end: bool) -> dict[str, FileRecord]:
    files: dict[str, FileRecord] = {}
    members = claimed_bytes = 0
    try:
        source.allow(_HEADER_BYTES)
        with tarfile.open(fileobj=cast(Any, source), mode="r|") as tar:
            for member in tar:
                members += 1
                claimed_bytes += member.size  # of a sparse member more than comes through `source`
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
        while source.read(_CHUNK_BYTES):  # what follows the last member belongs to the checksums too
            source.allow(_HEADER_BYTES)
    except _TooLarge as error:
        raise ModelError(f"{shown} unpacks to more than {source.max_bytes / 1e9:g} GB and is refused") from error
    if needs_end and source.tail.strip(b"\0"):
        raise EOFError
    return files


def _place(member: tarfile.TarInfo, target: Path, shown: str) -> tuple[str, Path]:
    """Where a member belongs: its path inside the module, and on disk."""
    if not (member.isdir() or member.isreg()):
        raise ModelError(f"{shown} is refused: its member {member.name!r} is a link or a device")
    parts = [part for part in re.split(r"[/\\]" if "\\" in str(target) else "/", member.name) if part not in ("", ".")]
    path = target.joinpath(*parts)
    if member.name.startswith(("/", "\\")) or ".." in parts or not path.is_relative_to(target):
        raise ModelError(f"{shown} is refused: its member {member.name!r} points outside the module")
    return "/".join(parts), path


def copy(source: Readable, target: IO[bytes]) -> FileRecord:
    """Copy all and say what it was."""
    digest, size_bytes = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
        size_bytes += len(chunk)
        target.write(chunk)
    return FileRecord(size_bytes, digest.hexdigest())


def _lift(target: Path, files: Mapping[str, FileRecord], shown: str) -> Mapping[str, FileRecord]:
    """Make the folder with the SavedModel the root of `target`; the files by their path in it."""
    if FILE_NAME in files:
        return files
    found = [name.rpartition("/")[0] for name in files if name.endswith(f"/{FILE_NAME}")]
    if not found:
        raise ModelError(f"{shown} holds no {FILE_NAME}: it is no TensorFlow module")
    if len(found) > 1:
        raise ModelError(f"{shown} holds several modules ({', '.join(found[:3])}, ...); unpack it and name one folder")
    aside = target / uuid.uuid4().hex
    (target / found[0]).rename(aside)
    for other in target.iterdir():
        if other.is_dir() and other != aside:
            shutil.rmtree(other)
        elif other != aside:
            other.unlink()
    for child in aside.iterdir():
        child.rename(target / child.name)
    aside.rmdir()
    prefix = found[0] + "/"
    return {name.removeprefix(prefix): record for name, record in files.items() if name.startswith(prefix)}

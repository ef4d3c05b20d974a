"""Valid and invalid archives of modules."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def of_folder(folder: Path, *, root: str = "", with_folders: bool = True, compressed: bool = True) -> bytes:
    """A folder's files; `root` puts them into a folder of the archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz" if compressed else "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() or with_folders:
                archive.add(path, root + str(path.relative_to(folder)), recursive=False)
    return buffer.getvalue()


def of_members(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    """An archive with these members, valid or not; always the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member, io.BytesIO(bytes(member.size)))
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return gzip.compress(buffer.getvalue(), mtime=0)


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """A link, device or pipe."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def snapshot(folder: Path) -> Mapping[str, bytes | None]:
    """Every file with its content, and every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }

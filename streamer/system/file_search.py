"""Finds files below a folder: every folder is read once, so loops of symbolic links end. Any thread.

`glob` follows a link to a folder above it again and again: two such links make 2^40 paths.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from streamer.system.output_names import split_pattern

log = logging.getLogger(__name__)

ANY_FOLDERS = "**"


def files_below(folder: Path, enters: Callable[[Path], bool] = lambda _: True) -> Iterator[Path]:
    """The files in a folder and in all folders below it, without hidden names; in no order.

    A folder that a symbolic link names is read, unless it is found without the link, too. A folder that cannot be read
    is left out with a warning.

    Args:
        folder: where the search begins.
        enters: whether a folder is searched.

    Raises:
        OSError: `folder` cannot be read.
    """
    folders, links, read = [folder], list[Path](), set[tuple[int, int]]()
    while folders or links:
        current = folders.pop() if folders else links.pop()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in read:
                continue
            read.add((status.st_dev, status.st_ino))
            with os.scandir(current) as found:
                entries = sorted((one for one in found if not one.name.startswith(".")), key=lambda one: one.name)
        except OSError as error:
            if current == folder:
                raise
            log.warning("%s is left out: %s", current, error.strerror)
            continue
        for entry in entries:
            path = current / entry.name
            if not path.is_dir():
                yield path
            elif enters(path):
                (links if entry.is_symlink() else folders).append(path)


def matching_files(pattern: str, enters: Callable[[Path], bool] = lambda _: True) -> list[Path]:
    """The files that a glob pattern with `**` matches, in no order. Hidden names are left out.

    Args:
        pattern: as of `glob.glob(pattern, recursive=True)`.
        enters: see `files_below`.

    Raises:
        OSError: the folder in which the search begins exists and cannot be read.
    """
    base, rest = split_pattern(pattern)
    if not base.is_dir():
        return []
    parts = [part for part in rest.split("/") if part not in ("", ".")]
    return [path for path in files_below(base, enters) if _matches(parts, path.parts[len(base.parts) :])]


def _matches(parts: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the parts of a pattern match the folders and the name of a file."""
    if not parts or not names:
        return not parts and not names
    if parts[0] != ANY_FOLDERS:
        return fnmatchcase(names[0], parts[0]) and _matches(parts[1:], names[1:])
    return len(parts) == 1 or any(_matches(parts[1:], names[at:]) for at in range(len(names)))

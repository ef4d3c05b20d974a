"""Which files are pictures, and which pictures a folder or a pattern has, in natural order. Pure; any thread."""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from streamer.errors import SourceUnavailable
from streamer.sources.images.heif import read_still
from streamer.system import output_names, paths
from streamer.system.file_search import ANY_FOLDERS, matching_files

logger = logging.getLogger(__name__)

# fmt: off
IMAGE_SUFFIXES = frozenset({
    ".avif", ".bmp", ".dib", ".dpx", ".exr", ".gif", ".hdr", ".heic", ".heif", ".j2k", ".jfif", ".jp2",
    ".jpe", ".jpeg", ".jpg", ".jxl", ".pam", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi",
    ".ras", ".sgi", ".tga", ".tif", ".tiff", ".webp", ".xbm",
})
# fmt: on
NUMBER = re.compile(r"%(?:0?\d+)?d")
"""The number in a pattern such as `shot%04d.png`."""
PATTERN = re.compile(rf"[*?\[]|{NUMBER.pattern}")
_HEAD_BYTES = 1 << 16
"""Enough to see whether a file is animated: the chunk that says so comes before the pixels."""


def is_still(path: Path) -> bool:
    """Whether a file is one picture: an image format by its suffix, and no animation by its content.

    Raises:
        SourceUnavailable: a HEIF image that is not supported.
    """
    if path.suffix.lower() not in IMAGE_SUFFIXES - {".gif"}:
        return read_still(path) is not None
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return True  # reported when it is opened
    if head[4:8] == b"ftyp":  # HEIF, or a video with the wrong suffix
        return read_still(path) is not None
    if head[:4] == b"RIFF":
        return not (head[8:16] == b"WEBPVP8X" and head[20] & 2)
    return b"acTL" not in head.partition(b"IDAT")[0]  # APNG


def find_images(pattern: str) -> list[Path]:
    """The image files of a directory or pattern, in natural order; a path of a file gives that file.

    Outputs of earlier runs (`streamer.system.output_names`) are left out, and a warning says so.

    Raises:
        SourceUnavailable: there are none.
    """
    folder = Path(pattern)
    try:
        if paths.is_file(folder):
            return [folder]
        found, base = list_files(pattern), folder if paths.is_dir(folder) else output_names.searched_folder(pattern)
    except OSError as error:
        raise SourceUnavailable(f"{pattern}: {error.strerror}; check its permissions") from error
    images = [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES and paths.is_file(path)]
    kept = [path for path in images if not output_names.is_output_in(base, path)]
    if len(kept) < len(images):
        logger.warning("%s: %d pictures of an earlier run are left out", pattern, len(images) - len(kept))
    if not kept:
        where = "this folder has no video and no image" if paths.is_dir(folder) else "no video and no image matches"
        raise SourceUnavailable(f"{pattern}: {where} (.mp4, .mkv, .mov, .png, .jpg, .heic, ...)")
    return sorted(kept, key=lambda path: natural_key(str(path)))


def pictures_of(source: str) -> list[Path]:
    """The pictures of a folder or pattern, in no order; none for any other source, or if the folder cannot be read."""
    is_pattern = PATTERN.search(source) is not None and paths.is_local(source) and not paths.exists(source)
    try:
        found = list_files(source) if paths.is_dir(source) or is_pattern else []
    except OSError:
        return []
    return [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES]


def list_files(pattern: str) -> list[Path]:
    """What a folder holds, without hidden names, or what a pattern matches; in no order. With `**`: files only.

    Raises:
        OSError: the folder cannot be read.
    """
    folder = Path(pattern)
    if paths.is_dir(folder):
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    if NUMBER.search(pattern):
        numbered = re.compile(r"\d+".join(re.escape(part) for part in NUMBER.split(pattern)))
        wild = "*".join(glob.escape(part) for part in NUMBER.split(pattern))
        return [Path(name) for name in glob.glob(wild) if numbered.fullmatch(name)]  # noqa: PTH207
    if ANY_FOLDERS in pattern:
        return matching_files(pattern)
    # Path.glob does not support absolute patterns.
    return [Path(name) for name in glob.glob(pattern)]  # noqa: PTH207


def relative_names(files: Sequence[Path]) -> list[str]:
    """The name of each file, with its folders below the one that they have in common, separated by /."""
    base = os.path.commonpath([path.absolute().parent for path in files])
    return [Path(os.path.relpath(path.absolute(), base)).as_posix() for path in files]


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """A sort key that compares numbers in names by value; case only breaks ties."""
    parts = re.split(r"(\d+)", name.casefold())
    return (*((int(part), "") if part.isdecimal() else (-1, part) for part in parts), (-1, name))

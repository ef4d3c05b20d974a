"""Finds the files of a batch, and the name of each below their common folder. Reads folders; any thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from streamer.errors import ConfigError, SourceUnavailable
from streamer.run.inputs import VIDEO_SUFFIXES, without_outputs
from streamer.sources.images.files import list_files, natural_key
from streamer.system import paths
from streamer.system.file_search import files_below
from streamer.system.output_names import split_pattern
from streamer.system.secrets import redacted

_WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class BatchFiles:
    """The files of a batch.

    Attributes:
        names: path of each file to its path below the common folder, separated by `/`; in natural order.
        notes: what was left out, one line each.
    """

    names: dict[str, str]
    notes: tuple[str, ...] = ()


def find_files(given: Sequence[str], out: Path) -> BatchFiles:
    """The files that the user names. What is inside the output folder is left out, and so are outputs of earlier runs.

    A folder stands for all videos in it and below. A pattern stands for the videos that it matches; for all files that
    it matches if none has the suffix of a video.

    Args:
        given: patterns, folders, files; at least one.
        out: the output folder, which need not exist.

    Raises:
        ConfigError: an address.
        SourceUnavailable: a name or a pattern matches nothing, or a folder cannot be read.
    """
    notes: list[str] = []
    found: dict[str, None] = {}
    bases = []
    for one in given:
        base, files = _expanded(one, out, notes)
        bases.append(base.absolute())
        found.update(dict.fromkeys(os.path.normpath(file) for file in files))
    common = os.path.commonpath(bases)
    names = {file: os.path.relpath(Path(file).absolute(), common).replace(os.sep, "/") for file in found}
    by_name = {name: file for file, name in names.items()}  # one file may be named in two ways
    ordered = sorted(by_name, key=natural_key)
    return BatchFiles({by_name[name]: name for name in ordered}, tuple(notes))


def _expanded(given: str, out: Path, notes: list[str]) -> tuple[Path, list[str]]:
    """The folder in which the search begins, and the files."""
    if paths.scheme_of(given) and not paths.exists(given):
        raise ConfigError(
            f"{redacted(given)} is an address; 'streamer batch' takes files, 'streamer run' takes one address"
        )
    if paths.is_file(given):
        return Path(given).parent, [given]
    if paths.is_dir(given):
        return Path(given), _videos(given, Path(given), lambda: files_below(Path(given)), out, notes)
    if not _WILD & set(given):
        raise SourceUnavailable(f"{given}: no such file or folder")
    return split_pattern(given)[0], _videos(given, split_pattern(given)[0], lambda: list_files(given), out, notes)


def _videos(given: str, base: Path, search: Callable[[], Iterable[Path]], out: Path, notes: list[str]) -> list[str]:
    try:
        found = [path for path in search() if paths.is_file(path)]
    except OSError as error:
        raise SourceUnavailable(f"{given}: {error.strerror}; check its permissions") from error
    kept = _outside(found, base, out)
    videos = [path for path in kept if path.suffix.lower() in VIDEO_SUFFIXES]
    if not videos and not paths.is_dir(given):
        videos = kept
    originals = without_outputs([str(path) for path in videos], notes, base)
    if not originals:
        if videos or (found and not kept):
            raise SourceUnavailable(f"{given}: every file that it matches is the output of an earlier run")
        what = "has no video" if paths.is_dir(given) else "matches no file; put a pattern into quotes"
        raise SourceUnavailable(f"{given}: {what}")
    return originals


def _outside(found: Iterable[Path], base: Path, out: Path) -> list[Path]:
    """The files that are not in the output folder, if that is below the folder that is searched."""
    real_out, real_base = Path(os.path.realpath(out)), Path(os.path.realpath(base))
    if real_base not in real_out.parents:
        return list(found)

    @cache
    def is_outside(folder: Path) -> bool:
        return not Path(os.path.realpath(folder)).is_relative_to(real_out)

    return [path for path in found if is_outside(path.parent)]

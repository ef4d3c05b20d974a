"""What the files of a recording are called, and which files are its own.

Pure but for looking at folders; used by whichever thread owns the recording.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path

from streamer.errors import SinkUnavailable
from streamer.system import paths

_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "j": 3, "y": 2}
"""Directives of `strftime` that are digits of a fixed number in every locale."""
_DEFAULT = "-%Y%m%d-%H%M%S"
_DIRECTIVE = re.compile("%(.?)", re.DOTALL)
_NUMBER = r"(?:-[0-9]+)?"  # of a second file with the same time in its name
_PARTIAL = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial", re.DOTALL)
_LEAST_STEM_BYTES = 200  # that PartialFile keeps of a longer name


class NamePattern:
    """A path with directives of `strftime` for the local time at which a file begins.

    Args:
        pattern: such as `rec/%Y-%m-%d/front-%H%M%S.mp4`; date and time are added to a name that has no directive.

    Attributes:
        suffix: of all files, with its dot.

    Raises:
        SinkUnavailable: a directive other than %Y %m %d %H %M %S %j %y (and %% for %), or a name without suffix.
    """

    def __init__(self, pattern: str | Path) -> None:
        path = Path(pattern)
        self._asked = str(pattern)
        if not path.suffix or "%" in path.suffix:
            raise SinkUnavailable(f"recording {pattern}: end the name in a container's suffix such as .mp4")
        if "%" not in str(pattern):
            path = path.with_name(f"{path.stem}{_DEFAULT}{path.suffix}")
        self.suffix = path.suffix
        self._path = path
        self._folders = [(part, self._characters(part)) for part in path.parent.parts]
        self._stem = self._characters(path.stem)

    def __str__(self) -> str:
        return self._asked

    def at(self, moment: datetime, taken: Collection[Path]) -> Path:
        """A name for a file that begins now: none that exists or is in `taken`.

        Args:
            moment: local time.
            taken: names that are spoken for.
        """
        return free_name(Path(_DIRECTIVE.sub(lambda found: _digits(moment, found[1]), str(self._path))), taken)

    def files(self) -> Iterator[Path]:
        """The finished files that there are."""
        own = re.compile(f"{''.join(self._stem)}{_NUMBER}{re.escape(self.suffix)}")
        for folder in self.folders():
            for path in folder.iterdir():
                if own.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                    yield path

    def partials(self) -> Iterator[Path]:
        """The unfinished files that there are, of this process and of others."""
        own = re.compile(f"{''.join(self._stem)}{_NUMBER}")
        for folder in self.folders():
            for path in folder.iterdir():
                stem = partial_stem(path)
                if stem is None or path.suffix != self.suffix or not path.is_file():
                    continue
                if own.fullmatch(stem) or (len(os.fsencode(stem)) >= _LEAST_STEM_BYTES and self._begins(stem)):
                    yield path

    def _begins(self, stem: str) -> bool:
        """Whether the name of a file of this recording may begin so, of which the end was cut off."""
        return re.fullmatch("".join(self._stem[: len(stem)]), stem) is not None

    def folders(self) -> list[Path]:
        """The folders that may hold files of this recording and exist."""
        found = [Path()]
        for part, characters in self._folders:
            if "%" not in part:
                found = [folder / part for folder in found if paths.is_dir(folder / part)]
                continue
            own = re.compile("".join(characters))
            found = [
                entry
                for folder in found
                for entry in folder.iterdir()
                if own.fullmatch(entry.name) and entry.is_dir() and not entry.is_symlink()
            ]
        return found

    def is_dated_folder(self, folder: Path) -> bool:
        """Whether the folder of a file got its name from the time, so that an empty one may go."""
        return bool(self._folders) and "%" in self._folders[-1][0] and folder in self.folders()

    def _characters(self, part: str) -> list[str]:
        """A regular expression for each character of a part of the path."""
        characters: list[str] = []
        end = 0
        for found in _DIRECTIVE.finditer(part):
            characters += map(re.escape, part[end : found.start()])
            end = found.end()
            if found[1] == "%":
                characters.append("%")
            elif found[1] in _WIDTHS:
                characters += ["[0-9]"] * _WIDTHS[found[1]]
            else:
                known = " ".join(f"%{one}" for one in _WIDTHS)
                raise SinkUnavailable(f"recording {self._asked}: no {found[0]} in a name; use {known}")
        return characters + list(map(re.escape, part[end:]))


def partial_stem(path: Path) -> str | None:
    """Of an unfinished file (`PartialFile`), the name that it was to have, without suffix; None of any other file."""
    found = _PARTIAL.fullmatch(path.stem)
    return found[1] if found else None


def partials_of(path: Path) -> Iterator[Path]:
    """The unfinished files that were to become one file."""
    if paths.is_dir(path.parent):
        for found in path.parent.iterdir():
            stem = partial_stem(found)
            if stem is not None and found.suffix == path.suffix and (stem == path.stem or _is_cut(stem, path.stem)):
                yield found


def free_name(first: Path, taken: Collection[Path]) -> Path:
    """A name that nothing has, `-2` and so on added where that is needed.

    Args:
        first: the name that is wanted.
        taken: names that are spoken for.
    """
    path, number = first, 1
    while path in taken or paths.exists(path):
        number += 1
        path = first.with_name(f"{first.stem}-{number}{first.suffix}")
    return path


def _is_cut(stem: str, whole: str) -> bool:
    return len(os.fsencode(stem)) >= _LEAST_STEM_BYTES and whole.startswith(stem)


def _digits(moment: datetime, directive: str) -> str:
    # glibc writes years before 1000 with fewer digits; a machine without a clock battery may start there.
    return "%" if directive == "%" else moment.strftime(f"%{directive}").zfill(_WIDTHS[directive])

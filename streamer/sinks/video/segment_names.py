"""Names of a recording's files, and which files belong to it.

It reads folders and nothing else. Used by the thread that owns the recording.
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
"""Directives of `strftime` with a fixed number of digits in every locale."""
_WHOLE = [{*"HMS", year, *day} for year in "Yy" for day in ("md", "j")]
"""Directives that tell a whole time together."""
_DEFAULT = "-%Y%m%d-%H%M%S"
_DIRECTIVE = re.compile("%(.?)", re.DOTALL)
_NUMBER = r"(?:-[0-9]+)?"  # of further files with the same time in the name
_PARTIAL = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial", re.DOTALL)
_LEAST_STEM_BYTES = 200  # PartialFile shortens longer names


class NamePattern:
    """A path with directives of `strftime` for the local time at which a file begins.

    Args:
        pattern: such as `rec/%Y-%m-%d/front-%H%M%S.mp4`; date and time are added to a name without a directive.

    Attributes:
        suffix: of all files, with its dot.

    Raises:
        SinkUnavailable: a directive other than %Y %m %d %H %M %S %j %y (and %% for %), or a name without suffix.
    """

    def __init__(self, pattern: str | Path) -> None:
        path = Path(pattern)
        self._given = str(pattern)
        if not path.suffix or "%" in path.suffix:
            raise SinkUnavailable(f"recording {pattern}: end the name with the suffix of a container, such as .mp4")
        if "%" not in str(pattern):
            path = path.with_name(f"{path.stem}{_DEFAULT}{path.suffix}")
        self.suffix = path.suffix
        self._path = path
        self._folders = [(part, self._characters(part)) for part in path.parent.parts]
        self._stem = self._characters(path.stem)
        self._name = re.compile(f"{''.join(self._stem)}{_NUMBER}{re.escape(self.suffix)}")
        self._directives, self._times = _times_in(str(path.with_suffix("")), self.suffix)

    def __str__(self) -> str:
        return self._given

    def at(self, moment: datetime, taken: Collection[Path]) -> Path:
        """A name for a file that begins at a moment; it does not exist and is not in `taken`.

        Args:
            moment: local time.
            taken: names for other files.
        """
        return free_name(Path(_DIRECTIVE.sub(lambda found: _digits(moment, found[1]), str(self._path))), taken)

    def begin_of(self, path: Path) -> float | None:
        """The local time in the name of a file, in seconds since 1970; None if the names have no whole time.

        Args:
            path: from `files`.
        """
        found = self._times.fullmatch(str(path))
        if found is None or not any(needed <= set(self._directives) for needed in _WHOLE):
            return None
        # strptime refuses a directive that comes twice, as in %Y%m%d/%Y%m%d-%H%M%S.
        digits = dict(zip(self._directives, found.groups(), strict=True))
        text, form = " ".join(digits.values()), " ".join(f"%{one}" for one in digits)
        try:
            return datetime.strptime(text, form).timestamp()
        except ValueError:
            return None

    def files(self) -> Iterator[Path]:
        """The finished files."""
        for folder in self.folders():
            for path in folder.iterdir():
                if self._name.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                    yield path

    def owns(self, path: Path) -> bool:
        """Whether a file of this path, which need not exist, is taken for a file of this recording."""
        folders = path.parent.parts
        return (
            self._name.fullmatch(path.name) is not None
            and len(folders) == len(self._folders)
            and all(re.fullmatch("".join(own), one) for (_, own), one in zip(self._folders, folders, strict=True))
        )

    def partials(self) -> Iterator[Path]:
        """The partial files of this and of other processes."""
        own = re.compile(f"{''.join(self._stem)}{_NUMBER}")
        for folder in self.folders():
            for path in folder.iterdir():
                stem = partial_stem(path)
                if stem is None or path.suffix != self.suffix or not path.is_file():
                    continue
                if own.fullmatch(stem) or (len(os.fsencode(stem)) >= _LEAST_STEM_BYTES and self._begins(stem)):
                    yield path

    def _begins(self, stem: str) -> bool:
        """Whether a shortened name may belong to a file of this recording."""
        return re.fullmatch("".join(self._stem[: len(stem)]), stem) is not None

    def folders(self) -> list[Path]:
        """The existing folders that may have files of this recording."""
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
        """Whether the name of a folder is from the time, so that it is removed when it is empty."""
        return bool(self._folders) and "%" in self._folders[-1][0] and folder in self.folders()

    def _characters(self, part: str) -> list[str]:
        """A regular expression for each character of a path component."""
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
                raise SinkUnavailable(f"recording {self._given}: a name cannot have {found[0]}; use {known}")
        return characters + list(map(re.escape, part[end:]))


def partial_stem(path: Path) -> str | None:
    """The intended name of a partial file (`PartialFile`) without suffix; None for other files."""
    found = _PARTIAL.fullmatch(path.stem)
    return found[1] if found else None


def intended(partial: Path) -> Path:
    """The path that a partial file will have; a long name is shortened."""
    return partial.with_name(f"{partial_stem(partial)}{partial.suffix}")


def partials_of(path: Path) -> Iterator[Path]:
    """The partial files for a path."""
    if paths.is_dir(path.parent):
        for found in path.parent.iterdir():
            stem = partial_stem(found)
            if stem is not None and found.suffix == path.suffix and (stem == path.stem or _is_cut(stem, path.stem)):
                yield found


def free_name(first: Path, taken: Collection[Path]) -> Path:
    """The first of a name, the name with `-2`, and so on, that is free.

    Args:
        first: the preferred name.
        taken: names for other files.
    """
    path, number = first, 1
    while path in taken or paths.exists(path):
        number += 1
        path = first.with_name(f"{first.stem}-{number}{first.suffix}")
    return path


def _times_in(stem: str, suffix: str) -> tuple[list[str], re.Pattern[str]]:
    """The directives of a pattern without its suffix, and an expression whose groups are their digits."""
    directives, expression, end = [], "", 0
    for found in _DIRECTIVE.finditer(stem):
        expression += re.escape(stem[end : found.start()])
        end = found.end()
        if found[1] == "%":
            expression += "%"
        else:
            directives.append(found[1])
            expression += f"([0-9]{{{_WIDTHS[found[1]]}}})"
    return directives, re.compile(f"{expression}{re.escape(stem[end:])}{_NUMBER}{re.escape(suffix)}")


def _is_cut(stem: str, whole: str) -> bool:
    return len(os.fsencode(stem)) >= _LEAST_STEM_BYTES and whole.startswith(stem)


def _digits(moment: datetime, directive: str) -> str:
    # glibc writes years before 1000 with fewer digits.
    return "%" if directive == "%" else moment.strftime(f"%{directive}").zfill(_WIDTHS[directive])

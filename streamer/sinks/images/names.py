"""The file name of each annotated picture: one file, a folder, or numbered files. Used by the thread of the sink."""

from __future__ import annotations

import re
from pathlib import Path

from streamer.errors import ConfigError, SinkUnavailable
from streamer.interfaces import StreamInfo
from streamer.sinks.images.formats import ENCODERS, suffix_for
from streamer.sources.images.files import NUMBER, relative_names
from streamer.system import paths
from streamer.values.frame import Frame

_NUMBERED = "%06d.jpg"  # as in MOT Challenge sequences
_SHOWN = 3
"""Names in a message about existing files."""


def is_folder(to: str) -> bool:
    """Whether an output is a folder of pictures: it ends in / or has no suffix of a picture."""
    return to.endswith("/") or Path(to).suffix.lower() not in ENCODERS


def is_pattern(to: str) -> bool:
    """Whether an output is a pattern for numbered pictures, such as `shots/%06d.jpg`."""
    return not is_folder(to) and NUMBER.search(Path(to).name) is not None


class PictureNames:
    """Gives each frame the path of its picture.

    In a folder, a picture keeps its name; its suffix changes where pictures of that type are not written
    (`formats.suffix_for`). Frames of a video are numbered from 000001. In a pattern, frames are numbered from 1, too.

    Args:
        to: the output as the user named it.
        info: of the source.

    Raises:
        ConfigError: the pattern has more than one number.
    """

    def __init__(self, to: str, info: StreamInfo) -> None:
        self.single: Path | None = None
        """The only file; None for a folder or a pattern."""
        self._by_file: dict[str, Path] = {}
        self._pattern: Path | None = None
        path = Path(to)
        if is_pattern(to):
            if len(NUMBER.findall(path.name)) > 1 or "%" in NUMBER.sub("", path.name):
                raise ConfigError(f"-o {to}: give one number, such as {path.parent / _NUMBERED}")
            self.folder, self._pattern = path.parent, path
        elif not is_folder(to):
            self.folder, self.single = path.parent, path
        else:
            self.folder = path
            if info.files:
                self._by_file = _names_of(info, path)
            else:
                self._pattern = path / _NUMBERED

    def path_of(self, frame: Frame) -> Path:
        """The path of the picture of a frame."""
        if self.single is not None:
            return self.single
        if self._pattern is not None:
            number = NUMBER.sub(lambda found: found[0] % (frame.index + 1), self._pattern.name)
            return self._pattern.with_name(number)
        # A picture that is played in real time has no name.
        return self._by_file[frame.file or next(iter(self._by_file))]

    def check_free(self) -> None:
        """Refuse pictures that exist.

        Raises:
            SinkUnavailable: with the first names.
        """
        taken = [path.name for path in self._by_file.values() if paths.exists(path)]
        if self._pattern is not None and paths.is_dir(self.folder):
            parts = map(re.escape, NUMBER.split(self._pattern.name))
            numbered = re.compile(r"\d+".join(parts))
            taken = sorted(path.name for path in self.folder.iterdir() if numbered.fullmatch(path.name))
        if taken:
            more = f" and {len(taken) - _SHOWN} more" if len(taken) > _SHOWN else ""
            listed = ", ".join(taken[:_SHOWN])
            raise SinkUnavailable(f"{self.folder} has {listed}{more} already; choose another folder or set overwrite")

    def check_not_read(self, info: StreamInfo) -> None:
        """Refuse a folder whose pictures are read.

        Raises:
            SinkUnavailable: an output would be an input now or in the next run.
        """
        outputs = {path.absolute() for path in self._by_file.values()}
        inside = self.folder.absolute()
        for file in map(Path, info.files):
            if file.absolute() in outputs or (self.single is None and inside in file.absolute().parents):
                raise SinkUnavailable(f"pictures are read from {file.parent}; write them into another folder")


def _names_of(info: StreamInfo, folder: Path) -> dict[str, Path]:
    """The path for each picture of the source; a name that is taken by another one keeps its suffix before the new one.

    `IMG_1.HEIC` becomes `IMG_1.jpg`, or `IMG_1.HEIC.jpg` beside an `IMG_1.jpg`.
    """
    files = [Path(file) for file in info.files]
    names = relative_names(files)
    made = {name: name for name in names if Path(name).suffix.lower() in ENCODERS}
    taken = set(made)
    for name, file in zip(names, files, strict=True):
        if name not in made:
            suffix = suffix_for(str(file))
            plain = str(Path(name).with_suffix(suffix))
            made[name] = plain if plain not in taken else name + suffix
            taken.add(made[name])
    return {name: folder / made[name] for name in names}

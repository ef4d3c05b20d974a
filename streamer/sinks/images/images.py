"""Annotated pictures: one file, a folder of pictures, or numbered files.

The main thread enters and leaves the sink. One thread in between encodes and writes.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from streamer.config.output import OutputEntry
from streamer.errors import SinkError, SinkUnavailable
from streamer.features import SinkContext, SinkFeature
from streamer.interfaces import Scene
from streamer.sinks.images.encoding import PictureEncoder
from streamer.sinks.images.formats import encoder_for
from streamer.sinks.images.names import PictureNames, is_folder, is_pattern
from streamer.sinks.muxing.muxer import write_failure
from streamer.system import paths
from streamer.system.partial_file import PartialFile, completes, make_folder

logger = logging.getLogger(__name__)


class ImageSink(SinkFeature):
    """Writes each scene as a picture: the annotated picture if there is one, else the frame's own.

    A picture appears under its name when it is complete. Those that are complete stay, also after an error.

    Args:
        entry: `to` is a folder (`shots/`), numbered files (`shots/%06d.jpg`) or one file (`photo.jpg`), for which the
            source must have one frame. See `PictureNames` for the names in a folder, which is created. The suffix
            selects the format. `quality` is for JPEG and WebP; null: nearly no loss.
        context: `overwrite` replaces pictures that exist.

    Attributes:
        notes: what the files do not keep, one line each.
        written: pictures that are complete.

    Raises:
        SinkUnavailable: on entering, when pictures exist, are read from the same folder, or cannot be written there, or
            one file is for several frames.
        SinkError: a picture cannot be encoded or written, or a second frame came for one file.
    """

    stage = "images"
    main_thread = False
    wants_picture = True

    def __init__(self, entry: OutputEntry, context: SinkContext) -> None:
        self.notes: list[str] = []
        self.written = 0
        self._to = entry.to
        self._info = context.info
        self._overwrite = context.overwrite
        self._names = PictureNames(entry.to, context.info)
        self._encoder = PictureEncoder(context.info, entry.quality, self._note)
        self._open = self._made_folder = False
        self._partial: PartialFile | None = None  # of the only file

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """A path that ends in / or in the suffix of a picture, without a date."""
        is_path = "://" not in entry.to
        is_dated = re.search(r"%[a-zA-Z]", entry.to) is not None and not is_pattern(entry.to)
        return is_path and (entry.to.endswith("/") or not is_folder(entry.to)) and not is_dated

    @classmethod
    def file_of(cls, entry: OutputEntry) -> Path | None:
        """The file or the folder that it writes; None for numbered files."""
        return None if is_pattern(entry.to) else Path(entry.to)

    @property
    def destination(self) -> str:
        """Of numbered files; see `streamer.interfaces.DescribedSink`."""
        return f"writing {self._to}"

    @property
    def files(self) -> Sequence[Path]:
        """The pattern of numbered files, if there is one."""
        return [Path(self._to)] if self.written else []

    @classmethod
    def is_required(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """Always."""
        return True

    @classmethod
    def keeps_all(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """Always: every frame is a picture."""
        return True

    def __enter__(self) -> Self:
        names = self._names
        names.check_not_read(self._info)
        if names.single is not None:
            encoder_for(names.single)
            if self._info.live or (self._info.frame_count or 1) > 1:
                raise SinkUnavailable(_one_frame_only(names.single))
            self._partial = PartialFile(names.single, overwrite=self._overwrite)
        else:
            if not self._overwrite:
                names.check_free()
            self._made_folder = not paths.exists(names.folder)
            make_folder(names.folder)
            try:
                PartialFile(names.folder / "picture.jpg", overwrite=True).discard()  # whether it can be written to
            except SinkUnavailable:
                self._remove_folder()
                raise
        self._open = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._open = False
        partial, self._partial = self._partial, None
        if partial is not None and completes(kind) and self.written:
            partial.commit()
        elif partial is not None:
            partial.discard()
        self._remove_folder()

    def write(self, scene: Scene) -> None:
        """Encode the scene's picture and write it under its name."""
        if not self._open:
            raise SinkError(f"{self._to} is not open: enter the sink before writing")
        path = self._names.path_of(scene.frame)
        if self._partial is not None and self.written:
            raise SinkError(_one_frame_only(path))
        content = self._encoder.encode(encoder_for(path), scene)
        if self._partial is not None:
            _write(self._partial, path, content)
        else:
            make_folder(path.parent)
            partial = PartialFile(path, overwrite=self._overwrite)
            _write(partial, path, content)
            partial.commit()
        self.written += 1

    def _remove_folder(self) -> None:
        """Remove the folder that was made here, unless it has pictures."""
        if self._made_folder and not self.written:
            with contextlib.suppress(OSError):
                self._names.folder.rmdir()

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)
            logger.warning("%s: %s", self._to, line)


def _write(partial: PartialFile, path: Path, content: bytes) -> None:
    try:
        partial.path.write_bytes(content)
    except OSError as error:
        partial.discard()
        raise write_failure(path, error) from error


def _one_frame_only(path: Path) -> str:
    folder = path.with_suffix("")
    return (
        f"{path} holds one picture, but the input has more frames; write {folder}/ or {folder}-%06d{path.suffix}, "
        f"or a video such as {folder}.mp4"
    )

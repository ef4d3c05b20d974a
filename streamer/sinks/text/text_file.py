"""What all sinks that write a text file share.

Entered and left by the main thread, written by one thread in between.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from streamer.config.output import OutputEntry
from streamer.errors import SinkError
from streamer.features import SinkContext, SinkFeature
from streamer.interfaces import Scene
from streamer.sinks.muxing.muxer import write_failure
from streamer.system.partial_file import PartialFile, completes


class TextFileSink(SinkFeature):
    """A UTF-8 file with what `text_of` returns for each scene.

    Args:
        entry: `to` is the file; it is written beside it and moved there when it is complete.
        context: whether to replace a file that exists.

    Raises:
        SinkUnavailable: on entering, when the file exists or cannot be created.
        SinkError: when it cannot be written on, or not be completed.
    """

    stage: str
    main_thread = False
    wants_picture = False
    notes = ()

    def __init__(self, entry: OutputEntry, context: SinkContext) -> None:
        self._path = Path(entry.to)
        self._overwrite = context.overwrite
        self._partial: PartialFile | None = None
        self._file: TextIO | None = None

    @classmethod
    def file_of(cls, entry: OutputEntry) -> Path:
        """The file that it writes."""
        return Path(entry.to)

    @classmethod
    def is_required(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """Always: a file that could not be written is not tried again."""
        return True

    @classmethod
    def keeps_all(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """Always: what is kept in a file is complete."""
        return True

    @classmethod
    def from_settings(cls, entry: OutputEntry, context: SinkContext) -> Self:
        """The sink, not yet entered."""
        return cls(entry, context)

    @abstractmethod
    def text_of(self, scene: Scene) -> str:
        """The lines of a scene, each with its newline; empty if it has none."""

    def __enter__(self) -> Self:
        self._partial = PartialFile(self._path, overwrite=self._overwrite)
        try:
            # A line at a time: whoever reads along, through a pipe, is not to wait for a block to be full.
            self._file = self._partial.path.open("w", encoding="utf-8", newline="\n", buffering=1)
        except BaseException:
            self._partial.discard()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        partial, file = self._partial, self._file
        self._partial = self._file = None
        if partial is None or file is None:
            return
        with ExitStack() as cleanup:
            cleanup.callback(partial.discard)
            try:
                file.close()
            except OSError as failure:
                if completes(kind):
                    raise write_failure(self._path, failure) from failure
            if completes(kind):
                partial.commit()

    def write(self, scene: Scene) -> None:
        """Add the scene's lines."""
        if self._file is None:
            raise SinkError(f"{self._path} is not open: enter the sink before writing")
        try:
            self._file.write(self.text_of(scene))
        except OSError as error:
            raise write_failure(self._path, error) from error

"""The base of sinks that write lines of text. One thread writes a sink; the main thread enters and leaves it."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TextIO

from streamer.config.output import OutputEntry
from streamer.errors import SinkError, SinkUnavailable, SourceLost
from streamer.features import SinkContext, SinkFeature
from streamer.interfaces import Scene
from streamer.sinks.muxing.muxer import write_failure
from streamer.sinks.text.killed_runs import recover
from streamer.sinks.video.recovery import lock_own
from streamer.system.partial_file import PartialFile, completes
from streamer.values.labels import LabelTable
from tracking.types import Origin

ORIGINS = {int(origin): origin.name.lower() for origin in Origin}
"""The names of `Tracks.origin` in files."""
STANDARD_OUTPUT = "-"


class LabelTexts(dict[int, str]):
    """The text of each class of a label table, formatted once.

    Args:
        labels: the table.
        text_of: the text of one of its rows.
    """

    def __init__(self, labels: LabelTable, text_of: Callable[[LabelTable, int], str]) -> None:
        super().__init__()
        self.labels = labels
        self._text_of = text_of

    def __missing__(self, label: int) -> str:
        text = self[label] = self._text_of(self.labels, label)
        return text


class TextFileSink(SinkFeature):
    """A UTF-8 file that begins with `heading`, followed by what `text_of` returns for each scene.

    Args:
        entry: `to` is the file; it is written beside it and moved there when it is complete. `-` is standard output.
        context: whether to replace a file that exists; `on_close` is called when the reader of standard output is gone.

    Attributes:
        stage: see `streamer.interfaces.Sink`.
        heading: the first line with its newline, or empty.

    Raises:
        SinkUnavailable: on entering, if the file exists, or cannot be created or written.
        SinkError: if it cannot be written further, or cannot be completed.
    """

    stage: str
    heading = ""
    main_thread = False
    wants_picture = False
    notes = ()
    takes_standard_output = True

    def __init__(self, entry: OutputEntry, context: SinkContext) -> None:
        self._path = Path(entry.to)
        self._overwrite, self._live = context.overwrite, context.info.live
        self._on_close = context.on_close
        self._partial: PartialFile | None = None
        self._file: TextIO | None = None
        self._cleanup = ExitStack()

    @classmethod
    def file_of(cls, entry: OutputEntry) -> Path | None:
        """The file that it writes; None for standard output."""
        return None if entry.to == STANDARD_OUTPUT else Path(entry.to)

    @classmethod
    def is_required(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """True."""
        return True

    @classmethod
    def keeps_all(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """True."""
        return True

    @abstractmethod
    def text_of(self, scene: Scene) -> str:
        """The lines of a scene, each with its newline; may be empty."""

    def __enter__(self) -> Self:
        try:
            with ExitStack() as cleanup:
                to = os.dup(1) if str(self._path) == STANDARD_OUTPUT else self._begin(cleanup)
                # Line buffering: a program that reads through a pipe gets each line at once.
                self._file = open(to, "w", encoding="utf-8", newline="\n", buffering=1)  # noqa: PTH123
                cleanup.callback(self._file.close)
                self._write(self.heading)
                self._cleanup = cleanup.pop_all()
        except OSError as error:
            raise SinkUnavailable(str(write_failure(self._path, error))) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        partial, file = self._partial, self._file
        # A camera that does not come back ends the file, too: every line of it is complete.
        complete = completes(kind) or (self._live and kind is not None and issubclass(kind, SourceLost))
        self._partial = self._file = None
        with self._cleanup:
            if file is None:
                return
            try:
                file.close()
            except OSError as failure:
                if complete and not self._has_no_reader(failure):
                    raise write_failure(self._path, failure) from failure
            if complete and partial is not None:
                partial.commit()

    def write(self, scene: Scene) -> None:
        """Add the scene's lines."""
        if self._file is None:
            raise SinkError(f"{self._path} is not open: enter the sink before writing")
        try:
            self._write(self.text_of(scene))
        except OSError as error:
            raise write_failure(self._path, error) from error

    def _begin(self, cleanup: ExitStack) -> Path:
        """Make the hidden file; returns its path."""
        self._partial = partial = PartialFile(self._path, overwrite=self._overwrite)
        cleanup.callback(partial.discard)
        if partial.path != partial.final:  # not /dev/null
            held = lock_own(partial.path)  # no other run takes it for the file of a killed one
            if held is not None:
                cleanup.callback(os.close, held)
            recover(partial.final, self.heading)
        return partial.path

    def _write(self, text: str) -> None:
        """Write to the file. Once the reader of standard output is gone (`| head`), the run ends as if interrupted."""
        assert self._file is not None
        try:
            self._file.write(text)
        except OSError as error:
            if not self._has_no_reader(error):
                raise
            if self._on_close is not None:
                self._on_close()

    def _has_no_reader(self, error: OSError) -> bool:
        return self._partial is None and isinstance(error, BrokenPipeError)

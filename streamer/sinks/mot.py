"""Tracks as MOT Challenge text, one line a confirmed track and frame. Owned by the thread that writes it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from streamer.errors import SinkError
from streamer.mot import track_rows
from streamer.protocols import Scene
from streamer.sinks.partial import PartialFile, completes


class MotSink:
    """Writes `frame,id,left,top,width,height,score,-1,-1,-1`, frames counted from 1 (`Scene.frame.index` + 1),
    boxes clipped to the picture.

    Args:
        path: where to; written beside it and moved there when it is complete.
        overwrite: replace a file that is there already.

    Raises:
        SinkUnavailable: on entering, when `path` exists or cannot be created.
        SinkError: when it cannot be written on, or not be completed.
    """

    stage = "mot"
    main_thread = False
    wants_picture = False

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self._path = Path(path)
        self._overwrite = overwrite
        self._output: PartialFile | None = None
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        self._output = PartialFile(self._path, overwrite=self._overwrite)
        try:
            self._file = self._output.path.open("w", encoding="ascii", newline="\n")
        except BaseException:
            self._output.discard()
            raise
        return self

    def write(self, scene: Scene) -> None:
        """Add the confirmed tracks of the scene."""
        if self._file is None:
            raise SinkError(f"{self._path} is not open: enter the sink before writing")
        try:
            size = (scene.frame.width, scene.frame.height)
            self._file.writelines(track_rows(scene.frame.index, scene.tracks, size))
        except OSError as error:
            raise SinkError(f"cannot write {self._path}: {error.strerror or error}; free some space") from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        output, file = self._output, self._file
        self._output = self._file = None
        if output is None or file is None:
            return
        with ExitStack() as cleanup:
            cleanup.callback(output.discard)
            try:
                file.close()
            except OSError as reason:
                if completes(kind):
                    raise SinkError(f"cannot write {self._path}: {reason.strerror or reason}") from reason
            if completes(kind):
                output.commit()

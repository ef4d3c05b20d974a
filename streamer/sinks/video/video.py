"""Annotated video files: every frame with its own time, and the other streams of the input file.

The main thread enters and leaves the sink. One thread in between writes it and encodes.
"""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from streamer.config.output import OutputEntry
from streamer.errors import SinkError, SinkUnavailable, StreamerError
from streamer.features import SinkContext, SinkFeature
from streamer.interfaces import Scene
from streamer.sinks.encoding.encoder_delay import Delay, delay_for
from streamer.sinks.encoding.encoders import muxer_options
from streamer.sinks.muxing.muxer import Muxer
from streamer.sinks.muxing.stream_copy import StreamCopy
from streamer.sinks.video.disk_sync import DiskSync
from streamer.sinks.video.recovery import Recovery, lock_own, rewrite
from streamer.sinks.video.segment_names import partials_of
from streamer.sinks.video.writer import VideoWriter
from streamer.system import paths
from streamer.system.partial_file import PartialFile, completes

logger = logging.getLogger(__name__)


def is_special(path: Path) -> bool:
    """Whether a path is something else than an ordinary file, such as a pipe."""
    return paths.exists(path) and not paths.is_file(path)


class VideoSink(SinkFeature):
    """Writes scenes as a video file: the annotated picture if there is one, else the frame's own.

    The file has one frame per scene, with its presentation time as exactly as the container can store it. The other
    streams of the input are copied packet by packet, with chapters and tags. Times that go back or repeat are moved by
    a tick, and the times of an input that starts before or after 0 are shifted to start at 0.

    The file of a live source is crash-safe: the hidden partial file can be read except for its last second, and the
    next sink for the same path recovers it under another name, such as with `-2` (`streamer.sinks.video.recovery`).

    Args:
        entry: the suffix of `to` selects the container; the file gets its name when it is complete. `codec`
            is `h264`, `hevc`, `av1`, `vp9`, `mpeg4`, `ffv1`, ... or an encoder's name such as `h264_nvenc`; H.264 by
            default, AV1 in .webm, MPEG-4 in .avi. `crf` is on the encoder's own scale, a fixed quantiser for MPEG
            codecs. `options` may have `movflags`, too.
        context: the streams of `passthrough` are copied; `overwrite` replaces a file that exists.

    Attributes:
        notes: differences from the input, one line each; complete after the sink is left.

    Raises:
        SinkUnavailable: on entering, when the output cannot be made; no file is left then.
        SinkError: when it cannot be written or completed.
    """

    stage = "encode"
    main_thread = False
    wants_picture = True

    def __init__(self, entry: OutputEntry, context: SinkContext) -> None:
        self.notes: list[str] = []
        self._path = Path(entry.to)
        self._info = info = context.info
        self._delay = delay_for(info.average_fps) if info.live else Delay.ANY
        self._settings = entry
        self._overwrite = context.overwrite
        self._crash_safe = info.live and not is_special(self._path)
        self._passthrough = context.passthrough
        self._cleanup = ExitStack()
        self._writer: VideoWriter | None = None

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """Every path."""
        return "://" not in entry.to

    @classmethod
    def file_of(cls, entry: OutputEntry) -> Path:
        """The file that it writes."""
        return Path(entry.to)

    def __enter__(self) -> Self:
        source = self._info.path
        if source is not None and paths.exists(self._path) and self._path.samefile(source):
            raise SinkUnavailable(f"the output {self._path} is the input; choose another name")
        with ExitStack() as cleanup:
            partial = PartialFile(self._path, overwrite=self._overwrite)
            cleanup.callback(partial.discard)
            held = lock_own(partial.path) if self._crash_safe else None
            if held is not None:
                cleanup.callback(os.close, held)
            self._muxer = muxer = Muxer(partial.path, self._path, crash_safe=self._crash_safe)
            cleanup.callback(muxer.abandon)
            copy = None
            if self._passthrough is not None:
                copy = StreamCopy(self._passthrough, self._note)
                cleanup.callback(copy.close)
                muxer.index_first = copy.is_silent
            self._writer = VideoWriter(self._path, self._info, self._settings, muxer, copy, self._note, self._delay)
            self._partial = partial
            if self._crash_safe:
                self._watch(cleanup)
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        writer, self._writer = self._writer, None
        with self._cleanup:
            if writer is None or not (completes(kind) or self._crash_safe):
                return
            if not writer.frames:
                self._note(f"there was no frame: {self._path} was not written")
                return
            try:
                writer.finish(interrupted=kind is not None)
                if self._muxer.second_pass is not None:
                    held = rewrite(self._partial.path, self._path, self._muxer.second_pass)
                    self._cleanup.callback(os.close, held)
            except StreamerError as failure:
                if self._muxer.begun:
                    self._partial.leave()
                    logger.warning("%s: the partial file is kept as %s", self._path, self._partial.path)
                if error is None:
                    raise
                logger.warning("%s", failure)  # the user is shown the error that ended the run
                return
            for line in writer.missing(self._partial.path):
                self._note(line)
            self._partial.commit(keep=self._crash_safe)

    def write(self, scene: Scene) -> None:
        """Encode the scene's picture and copy the other streams up to its time."""
        if self._writer is None:
            raise SinkError(f"{self._path} is not open: enter the sink before writing")
        self._writer.write(scene)

    def _watch(self, cleanup: ExitStack) -> None:
        sync = DiskSync()
        cleanup.callback(sync.close)
        sync.watch(self._partial.path)
        recovery = Recovery(self._path, lambda: partials_of(self._partial.final), muxer_options(self._settings))
        cleanup.callback(recovery.close)
        recovery.begin([self._partial.final])

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)
            logger.warning("%s: %s", self._path, line)

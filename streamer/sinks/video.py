"""Annotated video files: every frame that comes, with its own time, and all else that the input file holds.

Entered and left by the main thread, written by one thread in between; encoding happens there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from streamer import paths
from streamer.errors import SinkError, SinkUnavailable
from streamer.passthrough import Passthrough
from streamer.protocols import Scene, StreamInfo
from streamer.sinks.encoders import EncoderSettings
from streamer.sinks.muxer import Muxer
from streamer.sinks.partial import PartialFile, completes
from streamer.sinks.pixel_format import AUTO
from streamer.sinks.stream_copy import StreamCopy
from streamer.sinks.video_writer import VideoWriter

logger = logging.getLogger(__name__)


class VideoSink:
    """Writes scenes as a video file, the annotated picture where there is one, else the frame's own.

    As many frames come out as scenes go in, each with its own presentation time as exactly as the container can hold
    it. The other streams of the input are copied packet by packet, with chapters and tags. Times that go back or repeat
    are moved by a tick, and an input that starts before or after 0 is moved to start there.

    Args:
        path: the suffix picks the container. Written beside it and moved there when it is complete.
        info: of the pictures that will come.
        passthrough: the other streams of the input; None copies nothing.
        codec: `h264`, `hevc`, `av1`, `vp9`, `mpeg4`, `ffv1`, ... or an encoder's name such as `h264_nvenc`. H.264 by
            default, AV1 in .webm, MPEG-4 in .avi.
        crf: quality, lower is better, on the encoder's own scale; a fixed quantiser for MPEG codecs.
        preset: speed, as the encoder calls it.
        options: further options of the encoder by FFmpeg's names, and `movflags`.
        pixel_format: `auto`, `source` or FFmpeg's name of one (`pixel_format.coded_format`).
        overwrite: replace a file that is there already.
        threads: of the encoder, 0 lets it choose.

    Attributes:
        notes: what is not exactly as in the input, one line each; complete after the sink is left.

    Raises:
        SinkUnavailable: on entering, when the output cannot be made; nothing is left behind then.
        SinkError: when it cannot be written on, or not be completed.
    """

    stage = "encode"
    main_thread = False
    wants_picture = True

    def __init__(
        self,
        path: str | Path,
        info: StreamInfo,
        *,
        passthrough: Passthrough | None = None,
        codec: str | None = None,
        crf: float | None = None,
        preset: str | None = None,
        options: Mapping[str, str] | None = None,
        pixel_format: str = AUTO,
        overwrite: bool = False,
        threads: int = 0,
    ) -> None:
        self.notes: list[str] = []
        self._path = Path(path)
        self._info = info
        self._settings = EncoderSettings(codec, crf, preset, options or {}, threads, pixel_format)
        self._overwrite = overwrite
        self._passthrough = passthrough
        self._cleanup = ExitStack()
        self._writer: VideoWriter | None = None

    def __enter__(self) -> Self:
        source = self._info.path
        if source is not None and paths.exists(self._path) and self._path.samefile(source):
            raise SinkUnavailable(f"the output {self._path} is the input; choose another name")
        with ExitStack() as cleanup:
            partial = PartialFile(self._path, overwrite=self._overwrite)
            cleanup.callback(partial.discard)
            muxer = Muxer(partial.path, self._path)
            cleanup.callback(muxer.abandon)
            copy = None
            if self._passthrough is not None:
                copy = StreamCopy(self._passthrough, self._say)
                cleanup.callback(copy.close)
            self._writer = VideoWriter(self._path, self._info, self._settings, muxer, copy, self._say)
            self._partial = partial
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        writer, self._writer = self._writer, None
        with self._cleanup:
            if writer is None or not completes(kind):
                return
            if not writer.frames:
                self._say(f"no frame came: {self._path} was not made")
                return
            writer.finish(interrupted=kind is not None)
            for line in writer.missing(self._partial.path):
                self._say(line)
            self._partial.commit()

    def write(self, scene: Scene) -> None:
        """Encode the scene's picture and copy the other streams up to its time."""
        if self._writer is None:
            raise SinkError(f"{self._path} is not open: enter the sink before writing")
        self._writer.write(scene)

    def _say(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)
            logger.warning("%s: %s", self._path, line)

"""One file of a recording: made, written, and then completed or given up.

Used by one thread at a time: the one that writes the recording, then the one that completes its files.
"""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from streamer.config.output import OutputSettings
from streamer.errors import SinkError, SinkUnavailable, StreamerError
from streamer.interfaces import Scene, StreamInfo
from streamer.sinks.encoding.encoder_delay import Delay
from streamer.sinks.muxing.crash_safe import FRAGMENTED
from streamer.sinks.muxing.muxer import Muxer
from streamer.sinks.muxing.stream_copy import StreamCopy
from streamer.sinks.segments.streams import SegmentStreams
from streamer.sinks.video.disk_sync import DiskSync
from streamer.sinks.video.recovery import lock_own, rewrite
from streamer.sinks.video.writer import VideoWriter
from streamer.system.partial_file import PartialFile

log = logging.getLogger(__name__)


class Segment:
    """A file that is being recorded, under a hidden name until it is complete.

    The hidden file can be read at any moment but for its last second (`streamer.sinks.muxing.crash_safe`), and it is
    locked for as long as this exists: an unlocked one was left by a process that died
    (`streamer.sinks.video.recovery`).

    Args:
        path: the final name; its folders are made.
        info: of the pictures.
        settings: of the output.
        delay: how many pictures the encoder may hold back.
        begin: media time of the first frame, seconds: it becomes the file's time 0.
        streams: what it gets of the other streams of the input.
        sync: puts it on the disk while it is written; None leaves that to the kernel.

    Attributes:
        path: the final name.
        info: as given.
        begin: as given.
        streams: as given.
        notes: what is not exactly as in the input, one line each.

    Raises:
        SinkUnavailable: the file cannot be made, or the encoder does not open; nothing is left behind then.
    """

    def __init__(
        self,
        path: Path,
        info: StreamInfo,
        settings: OutputSettings,
        delay: Delay,
        begin: Fraction,
        streams: SegmentStreams | None = None,
        sync: DiskSync | None = None,
    ) -> None:
        self.path = path
        self.info = info
        self.begin = begin
        self.streams = streams
        self.notes: list[str] = []
        with ExitStack() as cleanup:
            self._partial = _made(path)
            cleanup.callback(self._partial.discard)
            held = lock_own(self._partial.path)
            if held is not None:
                cleanup.callback(os.close, held)
            self._muxer = Muxer(self._partial.path, path, survives=True)
            cleanup.callback(self._muxer.abandon)
            if sync is not None:
                cleanup.callback(sync.forget, self._partial.path)
                sync.watch(self._partial.path)
            copy = None
            if streams is not None:
                copy = StreamCopy(streams.passthrough, self._say)
                cleanup.callback(copy.close)
                streams.passthrough.begin()
            self._writer = VideoWriter(path, info, settings, self._muxer, copy, self._say, delay)
            self._cleanup = cleanup.pop_all()

    @property
    def frames(self) -> int:
        """How many were written."""
        return self._writer.frames

    @property
    def held_s(self) -> Fraction:
        """Media time of the pictures that the encoder keeps at the moment, seconds."""
        return self._writer.held_s

    @property
    def waits_for_streams(self) -> bool:
        """Whether nothing is on the disk yet because the index tells of streams of which no packet came."""
        return self._muxer.kind in FRAGMENTED and not self._muxer.begun

    def write(self, scene: Scene) -> None:
        """Raises SinkError when the encoder or the disk failed; `abandon` it then."""
        frame = scene.frame
        pts = frame.pts - round(self.begin / frame.time_base)
        self._writer.write(replace(scene, frame=replace(frame, pts=pts)))

    def complete(self) -> None:
        """Write what the encoder holds back and the ending, and give the file its name.

        Raises:
            SinkError: that failed; what can be read is left under the hidden name.
        """
        with self._cleanup:
            try:
                self._writer.finish(interrupted=False)  # of the other streams there is what belongs to this file
                if self._muxer.second_pass is not None:
                    held = rewrite(self._partial.path, self.path, self._muxer.second_pass)
                    self._cleanup.callback(os.close, held)
            except StreamerError as error:
                if not self._muxer.begun:
                    raise
                self._partial.leave()
                raise SinkError(f"{error}; what was recorded is kept as {self._partial.path}") from error
            self._partial.commit(keep=True)

    def abandon(self) -> None:
        """Write no more. What can be read is left under the hidden name, to be finished later."""
        if self._muxer.begun:
            self._partial.leave()
            log.warning(
                "%s: what was recorded so far is kept as %s until it can be finished", self.path, self._partial.path
            )
        self._cleanup.close()

    def discard(self) -> None:
        """Remove it. Fine after `complete`."""
        self._cleanup.close()

    def _say(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)


def _made(path: Path) -> PartialFile:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkUnavailable(f"cannot make the folder {path.parent}: {error.strerror}; choose another") from error
    return PartialFile(path)

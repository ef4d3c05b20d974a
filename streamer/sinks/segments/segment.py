"""One file of a recording. Used by one thread at a time: the one that writes the recording, then the finishing one."""

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
    """An open file of a recording, with a hidden name until it is complete.

    The hidden file can be read at any moment except for its last second (`streamer.sinks.muxing.crash_safe`). It is
    locked while this object exists: an unlocked hidden file is from a killed process (`streamer.sinks.video.recovery`).

    Args:
        path: the final name; its folders are made.
        info: of the frames.
        settings: of the output.
        delay: what the encoder may hold back.
        begin: media time of the first frame in seconds, which becomes time 0 of the file.
        streams: the other streams of the input for this file.
        sync: syncs the file to the disk while it is written; None leaves that to the kernel.

    Attributes:
        path, info, begin, streams: as given.
        start_time: when its first frame arrived, seconds since 1970; 0 before it.
        duration_s: of its frames, set when the last one is written; 0 before.
        notes: differences from the input, one line each.

    Raises:
        SinkUnavailable: the file cannot be made, or the encoder does not open; no file is left then.
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
        self.start_time = self.duration_s = 0.0
        with ExitStack() as cleanup:
            self._partial = _made(path)
            cleanup.callback(self._partial.discard)
            held = lock_own(self._partial.path)
            if held is not None:
                cleanup.callback(os.close, held)
            self._muxer = Muxer(self._partial.path, path, crash_safe=True)
            cleanup.callback(self._muxer.abandon)
            if sync is not None:
                cleanup.callback(sync.forget, self._partial.path)
                sync.watch(self._partial.path)
            copy = None
            if streams is not None:
                copy = StreamCopy(streams.passthrough, self._note)
                cleanup.callback(copy.close)
                streams.passthrough.begin()
            self._writer = VideoWriter(path, info, settings, self._muxer, copy, self._note, delay)
            self._cleanup = cleanup.pop_all()

    @property
    def frames(self) -> int:
        """How many were written."""
        return self._writer.frames

    @property
    def held_s(self) -> Fraction:
        """Media time of the frames that the encoder holds back, seconds."""
        return self._writer.held_s

    @property
    def waits_for_streams(self) -> bool:
        """Whether no frame is on the disk yet because the index waits for streams without a packet."""
        return self._muxer.kind in FRAGMENTED and not self._muxer.begun

    def write(self, scene: Scene) -> None:
        """Write a scene. Raises SinkError when the encoder or the disk failed; call `abandon` then."""
        frame = scene.frame
        pts = frame.pts - round(self.begin / frame.time_base)
        self._writer.write(replace(scene, frame=replace(frame, pts=pts)))

    def complete(self) -> None:
        """Write the encoder's last packets and the trailer, and rename the file.

        Raises:
            SinkError: that failed; the partial file is kept if it has frames.
        """
        with self._cleanup:
            try:
                self._writer.finish(interrupted=False)  # the other streams end with this file
                if self._muxer.second_pass is not None:
                    held = rewrite(self._partial.path, self.path, self._muxer.second_pass)
                    self._cleanup.callback(os.close, held)
            except StreamerError as error:
                if not self._muxer.begun:
                    raise
                self._partial.leave()
                raise SinkError(f"{error}; the partial file is kept as {self._partial.path}") from error
            self._partial.commit(keep=True)

    def abandon(self) -> None:
        """Stop writing. The partial file is kept if it has frames, and recovered later."""
        if self._muxer.begun:
            self._partial.leave()
            log.warning("%s: the partial file is kept as %s until it can be recovered", self.path, self._partial.path)
        self._cleanup.close()

    def discard(self) -> None:
        """Remove the file. Does nothing after `complete`."""
        self._cleanup.close()

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)


def _made(path: Path) -> PartialFile:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkUnavailable(f"cannot make the folder {path.parent}: {error.strerror}; choose another") from error
    return PartialFile(path)

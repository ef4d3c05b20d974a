"""One file of a recording: made, written, and then completed or given up.

Used by one thread at a time: the one that writes the recording, then the one that completes its files.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from streamer.errors import SinkUnavailable
from streamer.protocols import Scene, StreamInfo
from streamer.sinks.encoders import EncoderSettings
from streamer.sinks.muxer import Muxer
from streamer.sinks.partial import PartialFile
from streamer.sinks.recording_streams import PartStreams
from streamer.sinks.stream_copy import StreamCopy
from streamer.sinks.video_writer import VideoWriter


class Segment:
    """A file that is being recorded, under a hidden name until it is complete.

    The hidden file is locked for as long as this exists: the kernel frees the lock of a process that died, however it
    died, so an unlocked file is nobody's (`recording_retention.remove_stale`).

    Args:
        path: the final name; its folders are made.
        info: of the pictures.
        settings: of the encoder.
        begin: media time of the first frame, seconds: it becomes the file's time 0.
        streams: what it gets of the other streams of the input.

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
        settings: EncoderSettings,
        begin: Fraction,
        streams: PartStreams | None = None,
    ) -> None:
        self.path = path
        self.info = info
        self.begin = begin
        self.streams = streams
        self.notes: list[str] = []
        with ExitStack() as cleanup:
            self._partial = _made(path)
            cleanup.callback(self._partial.discard)
            self._lock = os.open(self._partial.path, os.O_RDONLY)
            cleanup.callback(os.close, self._lock)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            muxer = Muxer(self._partial.path, path)
            cleanup.callback(muxer.abandon)
            copy = None
            if streams is not None:
                copy = StreamCopy(streams.passthrough, self._say)
                cleanup.callback(copy.close)
                streams.passthrough.begin()
            self._writer = VideoWriter(path, info, settings, muxer, copy, self._say)
            self._cleanup = cleanup.pop_all()

    @property
    def frames(self) -> int:
        """How many were written."""
        return self._writer.frames

    def write(self, scene: Scene) -> None:
        """Raises SinkError when the encoder or the disk failed; `discard` it then."""
        frame = scene.frame
        pts = frame.pts - round(self.begin / frame.time_base)
        self._writer.write(replace(scene, frame=replace(frame, pts=pts)))

    def complete(self) -> None:
        """Write what the encoder holds back and the ending, and give the file its name.

        Raises:
            SinkError: that failed; nothing is left then.
        """
        with self._cleanup:
            self._writer.finish(interrupted=False)  # of the other streams there is what belongs to this file
            self._partial.commit()

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

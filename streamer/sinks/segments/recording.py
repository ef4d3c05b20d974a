"""Endless recordings: annotated video in files of a few minutes. Limits of size and age remove the oldest files.

The main thread enters and leaves the sink. One thread in between writes it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Self

from streamer.config.output import OutputEntry
from streamer.errors import SinkError, SinkUnavailable, StreamerError
from streamer.features import SinkContext
from streamer.interfaces import Scene
from streamer.sinks.encoding.encoders import muxer_options
from streamer.sinks.outage import Outage, RetryingSink
from streamer.sinks.segments.recorder import SEGMENT_S, Recorder
from streamer.sinks.video.recovery import Recovery
from streamer.sinks.video.retention import is_full, remove_old
from streamer.sinks.video.segment_names import NamePattern
from streamer.system import paths
from streamer.system.backoff import Backoff
from streamer.values.recordings import RecordedFile, RecordedFileState

log = logging.getLogger(__name__)

RESERVE_BYTES = 32 << 20
"""With less than this free, a file is completed while the disk has room for its index."""
_LONGEST_WAIT_S = 5.0  # a look at the free space of a disk is cheap


class RecordingSink(RetryingSink):
    """Records scenes into one file after the other: the annotated picture if there is one, else the frame's own.

    Every file starts with a keyframe at time 0 and gets its name when it is complete. Every scene is in exactly one
    file, and so is every packet of the other streams: the file in which it begins. The open file is completed however
    the sink is left, also after an error. When the process is killed or the power fails, at most 2 s are lost, and the
    next start finishes the partial files (`streamer.sinks.video.recovery`).

    Args:
        entry: `to` is a path with directives of `strftime` for the local time at which a file begins (`NamePattern`);
            date and time are added to a name without them. The suffix selects the container; folders are made; `-2`
            and so on are added to a name that exists. A file has `segment_s` of media time. The oldest files of this
            pattern are removed beyond `keep_gb` and after `keep_days`. The encoder is as in `VideoSink`. If `required`,
            a full disk is an error; otherwise scenes are skipped, and the sink tries again after growing waits.
            `on_change` begins a new file for frames of another size or format, or scales them.
        context: the streams of `passthrough` are copied; a new file begins when the streams change. `recorded` is
            called with files that begin, are complete or are removed, by several threads.
        reserve_bytes: the open file is completed when less than this is free.
        now: local time, for names and ages.
        clock: monotonic seconds, for waits between attempts.
        backoff: the waits between attempts.

    Attributes:
        notes: differences from the input, one line each; complete after the sink is left.
        written: recorded scenes. The writing thread replaces the value, so that any thread may read it.

    Raises:
        SinkUnavailable: an invalid pattern; on entering, an unusable folder, codec or option.
        SinkError: from `write`, when the encoder fails, or the disk of a `required` sink; on leaving, when the last
            file cannot be completed.
    """

    stage = "record"
    main_thread = False
    wants_picture = True

    def __init__(
        self,
        entry: OutputEntry,
        context: SinkContext,
        *,
        reserve_bytes: int = RESERVE_BYTES,
        now: Callable[[], datetime] = datetime.now,
        clock: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        self.notes: list[str] = []
        self.written = 0
        self._settings = entry
        self._info = replace(context.info, path=None, start=Fraction(0))
        self._passthrough = context.passthrough
        self._reserve_bytes = reserve_bytes
        self._now = now
        self._pattern = NamePattern(entry.to)
        self._outage = Outage(self._pattern, clock, backoff or Backoff(longest_s=_LONGEST_WAIT_S))
        self._recorded = context.recorded
        self._busy = threading.Lock()  # held while the recorder is used
        self._files: Sequence[Path] = ()
        self._recorder: Recorder | None = None  # between entering and leaving
        self._recovery = Recovery(
            self._pattern,
            self._pattern.partials,
            muxer_options(entry),
            self._remove_old,
            self._recovered,
            reserve_bytes,
        )

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """A path with a directive of `strftime`, or any path if the length of a file is given."""
        return "://" not in entry.to and (entry.segment_s is not None or re.search(r"%[a-zA-Z]", entry.to) is not None)

    @classmethod
    def keeps_all(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """Always: a file has every frame."""
        return True

    @property
    def destination(self) -> str:
        """The pattern and the length of a file, for the start of a run."""
        return f"recording to {self._pattern}, a new file every {self._settings.segment_s or SEGMENT_S:g} s"

    @property
    def files(self) -> Sequence[Path]:
        """The completed files that still exist, oldest first, once the sink is left; at most the newest 1000."""
        return [path for path in self._files if paths.exists(path)]

    def __enter__(self) -> Self:
        self._remove_old()
        recorder = Recorder(
            self._pattern,
            self._info,
            self._settings,
            self._passthrough,
            reserve_bytes=self._reserve_bytes,
            now=self._now,
            recovery=self._recovery,
            completed=self._remove_old,
            recorded=self._recorded,
            note=self._note,
        )
        try:
            recorder.try_file()
        except StreamerError as error:
            if self._settings.required or not is_full(error):
                recorder.close()
                raise SinkUnavailable(str(error)) from error
        self._outage.connected = True
        self._recorder = recorder
        self._recovery.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if not self._busy.acquire(blocking=False):
            log.warning("%s: another thread still writes to it: the last file is not completed", self._pattern)
            return
        try:
            self._leave(failed=error is not None)
        finally:
            self._busy.release()

    def _leave(self, *, failed: bool) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        try:
            recorder.finish()
        except StreamerError as error:
            if not failed:
                raise
            log.warning("%s", error)  # the user is shown the error that ended the run
        finally:
            self._files = recorder.completed
            recorder.close()
            self._recovery.close()
        if self.skipped:
            self._note(f"{self.skipped} scenes were not recorded: the disk was full or missing")

    def write(self, scene: Scene) -> None:
        """Record the scene's picture, or skip the scene while the disk is full."""
        with self._busy:
            if self._recorder is None:
                raise SinkError(f"{self._pattern} is not open: enter the sink before writing")
            if self._outage.waits:
                self._skip(scene, self._recorder)
                return
            try:
                if self._recorder.write(scene):
                    self._outage.opened()
            except StreamerError as error:
                self._fail(error, self._recorder)
                self._skip(scene, self._recorder)
            else:
                if self._outage.succeed():
                    self._recovery.begin(self._recorder.taken)  # the files that the full disk left partial
                self.written += 1

    def _fail(self, error: StreamerError, recorder: Recorder) -> None:
        recorder.abandon()
        if self._settings.required:
            raise SinkError(str(error)) from error
        if self._outage.lasts:
            self._remove_old()  # files that have become too old make room
        self._outage.fail(str(error))

    def _skip(self, scene: Scene, recorder: Recorder) -> None:
        recorder.skip(scene.frame.pts * scene.frame.time_base)
        self._outage.skip()

    def _remove_old(self) -> None:
        remove_old(self._pattern, self._settings, now=self._now(), removed=self._removed)

    def _removed(self, path: Path) -> None:
        self._recorded(RecordedFile(path.absolute(), RecordedFileState.REMOVED, str(self._pattern)))

    def _recovered(self, path: Path, lasted_s: float) -> None:
        state, name = RecordedFileState.COMPLETE, str(self._pattern)
        self._recorded(RecordedFile(path.absolute(), state, name, duration_s=lasted_s))

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)
            log.warning("%s: %s", self._pattern, line)

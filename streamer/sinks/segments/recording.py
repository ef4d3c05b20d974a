"""Recordings that never end: annotated video in files that are cut every few minutes, and old ones that go.

Entered and left by the main thread, written by one thread in between, which encodes. A file that was cut is completed
by a thread of the sink's own, because putting it on the disk may take longer than a frame may wait.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from types import TracebackType
from typing import Self

from streamer.config.output import OutputEntry
from streamer.errors import SinkError, SinkUnavailable, StreamerError
from streamer.features import SinkContext, SinkFeature
from streamer.interfaces import Scene, StreamInfo
from streamer.sinks.encoding.encoder_delay import MOST_S, Delay, delay_for
from streamer.sinks.encoding.encoders import muxer_options
from streamer.sinks.segments.finisher import Finisher
from streamer.sinks.segments.outage import Outage
from streamer.sinks.segments.segment import Segment
from streamer.sinks.segments.streams import RecordedStreams
from streamer.sinks.video.disk_sync import DiskSync
from streamer.sinks.video.leftovers import Leftovers
from streamer.sinks.video.retention import is_full, remove_old, require_room
from streamer.sinks.video.segment_names import NamePattern
from streamer.system.backoff import Backoff

log = logging.getLogger(__name__)

SEGMENT_S = 600.0
"""Media time of a file where the settings give none."""
RESERVE_BYTES = 32 << 20
"""With less than this free, a file is ended while its index still finds room."""
_LONGEST_WAIT_S = 5.0  # looking whether a disk has room disturbs nobody
_SILENT_S = Fraction(16, 10)
"""A file that is to have a stream of which nothing comes can be read from the first packet of all its streams on only:
after so long, a new one is begun without it."""


class RecordingSink(SinkFeature):
    """Records scenes into one file after the other, the annotated picture where there is one, else the frame's own.

    Every file starts with a key frame at time 0 and has its name only when it is complete. Every scene is in exactly
    one file, and so is every packet of the other streams: the one in which it begins. However the sink is left, also
    with an error, the file in hand is completed: what was recorded is whole. When the process is killed or the power
    fails, at most 2 s are lost, and the next start finishes what is left (`streamer.sinks.video.leftovers`).

    Args:
        entry: `to` is a path with directives of `strftime` for the local time at which a file begins (`NamePattern`);
            date and time are added to a name without. The suffix picks the container; folders are made; `-2` and so on
            are added to a name that is taken. A file has `segment_s` of media time, 600 s by default. The oldest files
            of this pattern are removed beyond `keep_gb` and after `keep_days`. The encoder is as in `VideoSink`. If
            `required`, a full disk is an error; otherwise scenes are skipped and it is tried again after waits that
            grow. `on_change` begins a new file for pictures of another size or format, or scales them.
        context: the streams of `passthrough` are copied; a new file begins when there are others than before.
        reserve_bytes: with less than this free, the file in hand is ended.
        now: local time, for names and ages.
        clock: monotonic seconds, for waits between attempts.
        backoff: the waits between attempts.

    Attributes:
        notes: what is not exactly as in the input, one line each; complete after the sink is left.
        written: scenes that were recorded.
        skipped: scenes that were not, because the disk was full.
        connected: whether scenes can be recorded at the moment.

    `written`, `skipped` and `connected` are replaced by the writing thread, never changed in place, so that any thread
    may read them.

    Raises:
        SinkUnavailable: a pattern that cannot work; on entering, a folder, codec or option that cannot.
        SinkError: from `write`, when the encoder fails, or the disk and the sink is `required`; on leaving, when the
            last file cannot be completed.
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
        self.skipped = 0
        self.connected = False
        self._pattern = NamePattern(entry.to)
        self._info = replace(context.info, path=None, start=Fraction(0))
        # 0.4, not the next float above
        self._segment_s = Fraction(entry.segment_s or SEGMENT_S).limit_denominator(1_000_000)
        self._delay = delay_for(context.info.average_fps)
        self._settings = entry
        self._required = bool(entry.required)
        self._on_change = entry.on_change or "reopen"
        self._reserve_bytes = reserve_bytes
        self._now = now
        self._outage = Outage(self._pattern, clock, backoff or Backoff(longest_s=_LONGEST_WAIT_S))
        self._busy = threading.Lock()  # held by whoever may use the file in hand
        self._finisher: Finisher | None = None  # there between entering and leaving
        self._passthrough = context.passthrough
        self._streams: RecordedStreams | None = None  # likewise
        self._segment: Segment | None = None
        self._sync: DiskSync | None = None  # likewise
        self._leftovers = Leftovers(
            self._pattern, self._pattern.partials, muxer_options(entry), self._remove_old, reserve_bytes
        )
        self._end = Fraction(0)  # of the last scene

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """A path with a directive of `strftime`, or any path if the length of a file is given."""
        return "://" not in entry.to and (entry.segment_s is not None or re.search(r"%[a-zA-Z]", entry.to) is not None)

    @classmethod
    def keeps_all(cls, entry: OutputEntry) -> bool:  # noqa: ARG003
        """Always: what is kept in a file is complete."""
        return True

    @classmethod
    def from_settings(cls, entry: OutputEntry, context: SinkContext) -> Self:
        """The sink, not yet entered."""
        return cls(entry, context)

    def __enter__(self) -> Self:
        self._remove_old()
        if self._passthrough is not None:
            self._streams = RecordedStreams(self._passthrough)
        finisher = Finisher(self._remove_old)
        try:
            self._begin(self._info, Fraction(0), finisher).discard()  # refuses now what cannot work
        except StreamerError as error:
            if self._required or not is_full(error):
                if self._streams is not None:
                    self._streams.close()
                raise SinkUnavailable(str(error)) from error
        self.connected = True
        self._finisher = finisher
        self._sync = DiskSync()
        self._leftovers.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._busy.acquire(blocking=False):
            log.warning("%s: still being written when it was left: its last file is lost", self._pattern)
            return
        try:
            finisher, self._finisher = self._finisher, None
            if finisher is None:
                return
            try:
                if self._streams is not None:
                    self._streams.take(self._end, last=True)
                    self._hand_out(self._streams, finisher, self._end)
                self._cut(finisher)
                self._settle(finisher)
            except StreamerError as failure:
                if error is None:
                    raise
                log.warning("%s", failure)  # the error of the run stays the one that is shown
            finally:
                finisher.close()
                self._leftovers.close()
                if self._sync is not None:
                    self._sync.close()
                if self._streams is not None:
                    self._streams.close()
            if self.skipped:
                self._say(f"{self.skipped} scenes were not recorded: the disk was full or away")
        finally:
            self._busy.release()

    def write(self, scene: Scene) -> None:
        """Record the scene's picture, or skip it while the disk is full."""
        with self._busy:
            if self._finisher is None:
                raise SinkError(f"{self._pattern} is not open: enter the sink before writing")
            if self._outage.waits:
                self._skip(scene)
                return
            try:
                self._write(scene, self._finisher)
            except StreamerError as error:
                self._give_up(error)
                self._skip(scene)
            else:
                if self._outage.succeed():
                    self.connected = True
                    self._leftovers.begin(self._finisher.taken)  # what could not be finished on a full disk
                self.written += 1

    def _write(self, scene: Scene, finisher: Finisher) -> None:
        picture = scene.picture if scene.picture is not None else scene.frame.picture
        exact = scene.frame.pts * scene.frame.time_base
        shown = replace(self._info, time_base=scene.frame.time_base)
        if self._on_change == "reopen":
            shown = replace(shown, width=picture.width, height=picture.height, pixel_format=picture.format.name)
            shown = replace(shown, sample_aspect_ratio=scene.frame.sample_aspect_ratio or shown.sample_aspect_ratio)
        segment, streams = self._segment, self._streams
        changed = streams is not None and streams.take(exact, None if segment is None else segment.streams)
        if segment is not None:
            late = self._loses_too_much(segment, exact)
            if changed or late or shown != segment.info or not 0 <= exact - segment.begin < self._segment_s:
                self._cut(finisher, exact)
            else:
                self._end_before_the_disk_is_full(segment, finisher)
        if self._segment is None:
            self._segment = self._begin(shown, exact, finisher)
        if streams is not None:
            self._hand_out(streams, finisher, exact)
        self._segment.write(scene)
        self._end = exact + scene.frame.duration * scene.frame.time_base

    def _loses_too_much(self, segment: Segment, now: Fraction) -> bool:
        """Whether more than a second of a file is not on the disk, which one that begins now does better."""
        silent = () if segment.streams is None else segment.streams.silent
        if segment.waits_for_streams and silent and now - segment.begin >= _SILENT_S:
            assert self._streams is not None
            if self._streams.leave_out(silent):
                return True
        if segment.held_s < MOST_S:
            return False
        if self._delay is Delay.NONE:
            self._say(
                f"the encoder keeps more than {MOST_S} s of pictures: they are lost when the power fails; "
                "set output.options or another output.codec"
            )
            return False
        self._delay = Delay.NONE
        return True

    def _hand_out(self, streams: RecordedStreams, finisher: Finisher, now: Fraction) -> None:
        """Give the packets that were taken to their files; the one before is completed once it has all of its own."""
        kept = None if finisher.kept is None else finisher.kept.streams
        streams.hand_out(kept, None if self._segment is None else self._segment.streams)
        if kept is not None and kept.is_complete(now):
            finisher.release()
            self._settle(finisher, leave=1)

    def _end_before_the_disk_is_full(self, segment: Segment, finisher: Finisher) -> None:
        try:
            require_room(segment.path, self._reserve_bytes)
        except SinkError:
            self._cut(finisher)
            self._settle(finisher)  # which may make room: the next file shows

    def _begin(self, info: StreamInfo, begin: Fraction, finisher: Finisher) -> Segment:
        path = self._pattern.at(self._now(), [*finisher.taken, *self._leftovers.taken])
        streams = None if self._streams is None else self._streams.part(begin)
        segment = Segment(path, info, self._settings, self._delay, begin, streams, self._sync)
        try:
            require_room(path, self._reserve_bytes)
        except SinkError:
            segment.discard()
            raise
        for line in segment.notes:
            self._say(line)
        self._outage.begin_file()
        return segment

    def _cut(self, finisher: Finisher, end: Fraction | None = None) -> None:
        """Let the file in hand be completed; with `end`, seconds, once it has all sound that begins before."""
        segment, self._segment = self._segment, None
        if segment is None:
            finisher.release()
        elif not segment.frames:
            segment.discard()
        elif segment.streams is not None and end is not None and end > segment.begin:
            segment.streams.end = end
            finisher.keep(segment)
        else:
            finisher.hand_over(segment)
        self._settle(finisher, leave=1)  # the one before is long complete, but when the disk is slow

    def _settle(self, finisher: Finisher, *, leave: int = 0) -> None:
        try:
            for line in finisher.settle(leave=leave):
                self._say(line)
        except StreamerError as error:
            if self._required:
                raise
            self._say(str(error))

    def _remove_old(self) -> None:
        remove_old(self._pattern, self._settings, now=self._now())

    def _give_up(self, error: StreamerError) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.abandon()
        self.connected = False
        if self._required:
            raise SinkError(str(error)) from error
        if self._outage.fail(error):
            self._remove_old()  # what has become too old meanwhile makes room

    def _skip(self, scene: Scene) -> None:
        if self._streams is not None and self._finisher is not None:
            now = scene.frame.pts * scene.frame.time_base
            self._streams.take(now)
            self._hand_out(self._streams, self._finisher, now)
        self.skipped += 1
        self._outage.skipped += 1

    def _say(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)
            log.warning("%s: %s", self._pattern, line)

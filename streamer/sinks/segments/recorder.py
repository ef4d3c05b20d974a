"""The files of a recording, one after the other, and the packets that go into each.

Used by the thread that enters and leaves the sink, and by the one that writes it. A thread of `Finisher` completes
files, because that may take longer than a frame can wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from functools import partial
from pathlib import Path

from streamer.config.output import OutputEntry
from streamer.errors import SinkError, StreamerError
from streamer.interfaces import Scene, StreamInfo
from streamer.media.passthrough import Passthrough
from streamer.sinks.encoding.encoder_delay import MOST_S, Delay, delay_for
from streamer.sinks.segments.finisher import Finisher
from streamer.sinks.segments.segment import Segment
from streamer.sinks.segments.streams import RecordedStreams
from streamer.sinks.video.disk_sync import DiskSync
from streamer.sinks.video.recovery import Recovery
from streamer.sinks.video.retention import require_room
from streamer.sinks.video.segment_names import NamePattern
from streamer.values.recordings import RecordedFile, RecordedFileState

SEGMENT_S = 600.0
"""Media time of a file where the settings do not tell it."""
_SILENT_S = Fraction(16, 10)
"""A file cannot be read before each of its streams has a packet. Where one has none for so long, the next file begins
without it."""


class Recorder:
    """Writes scenes to the open file, and begins and completes files.

    Args:
        pattern: of the names of files.
        info: of the expected frames.
        settings: of the output.
        passthrough: the other streams of the input; None records the video alone.
        reserve_bytes: the open file is completed when less than this is free.
        now: local time, for names.
        recovery: of partial files, which get names, too.
        completed: called by the finishing thread after each file.
        recorded: called by the writing thread with each file that begins, and by the finishing one with each that is
            complete.
        note: called with each difference from the input.
    """

    def __init__(
        self,
        pattern: NamePattern,
        info: StreamInfo,
        settings: OutputEntry,
        passthrough: Passthrough | None,
        *,
        reserve_bytes: int,
        now: Callable[[], datetime],
        recovery: Recovery,
        completed: Callable[[], None],
        recorded: Callable[[RecordedFile], None],
        note: Callable[[str], None],
    ) -> None:
        self._pattern = pattern
        self._info = info
        self._settings = settings
        # 0.4, not the nearest float
        self._segment_s = Fraction(settings.segment_s or SEGMENT_S).limit_denominator(1_000_000)
        self._delay = delay_for(info.average_fps)
        self._reserve_bytes = reserve_bytes
        self._now = now
        self._recovery = recovery
        self._note = note
        self._recorded = recorded
        self._streams = None if passthrough is None else RecordedStreams(passthrough)
        self._finisher = Finisher(partial(self._tell, RecordedFileState.COMPLETE), completed)
        self._sync = DiskSync()
        self._origin: float | None = None  # seconds since 1970 at media time 0
        self._segment: Segment | None = None  # the open file
        self._end = Fraction(0)  # of the last scene

    @property
    def taken(self) -> list[Path]:
        """Names that finished files will get."""
        return self._finisher.taken

    @property
    def completed(self) -> Sequence[Path]:
        """The newest completed files, oldest first."""
        return tuple(self._finisher.completed)

    def try_file(self) -> None:
        """Make a file and remove it, so that unusable settings are refused before the first scene.

        Raises:
            StreamerError: the file cannot be made.
        """
        self._begin(self._info, Fraction(0)).discard()

    def write(self, scene: Scene) -> bool:
        """Write a scene to the open file or to a new one. Returns whether a new file began.

        Raises:
            StreamerError: the disk or the encoder failed.
        """
        exact = scene.frame.pts * scene.frame.time_base
        shown = self._shown(scene)
        segment = self._segment
        changed = self._streams is not None and self._streams.take(exact, None if segment is None else segment.streams)
        if segment is not None:
            late = self._loses_too_much(segment, exact)
            if changed or late or shown != segment.info or not 0 <= exact - segment.begin < self._segment_s:
                self._cut(exact)
            else:
                self._end_before_the_disk_is_full(segment)
        begins = self._segment is None
        if self._segment is None:
            self._segment = self._begin(shown, exact)
        self._hand_out(exact)
        self._segment.write(scene)
        if begins:
            if scene.frame.arrival_wall_clock_s is not None:
                self._segment.start_time = scene.frame.arrival_wall_clock_s
            self._tell(RecordedFileState.OPEN, self._segment)
        self._end = exact + scene.frame.duration * scene.frame.time_base
        return begins

    def skip(self, until: Fraction) -> None:
        """Record no scene, and drop the packets up to a time in seconds that no file gets."""
        if self._streams is not None:
            self._streams.take(until)
            self._hand_out(until)

    def abandon(self) -> None:
        """Leave the open file as it is after a failure; `Recovery` finishes it later."""
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.abandon()

    def finish(self) -> None:
        """Complete the last file.

        Raises:
            StreamerError: that failed.
        """
        if self._streams is not None:
            self._streams.take(self._end, last=True)
            self._hand_out(self._end)
        self._cut()
        self._settle()

    def close(self) -> None:
        """End all threads."""
        self._finisher.close()
        self._sync.close()
        if self._streams is not None:
            self._streams.close()

    def _shown(self, scene: Scene) -> StreamInfo:
        """The frames for which the file of a scene is made."""
        shown = replace(self._info, time_base=scene.frame.time_base)
        if self._settings.on_change == "rescale":
            return shown
        picture = scene.shown
        return replace(
            shown,
            width=picture.width,
            height=picture.height,
            pixel_format=picture.format.name,
            sample_aspect_ratio=scene.frame.sample_aspect_ratio or shown.sample_aspect_ratio,
        )

    def _loses_too_much(self, segment: Segment, now: Fraction) -> bool:
        """Whether a power failure would lose more than a second of the file, and less of a new one."""
        silent = () if segment.streams is None else segment.streams.silent
        if segment.waits_for_streams and silent and now - segment.begin >= _SILENT_S:
            assert self._streams is not None
            if self._streams.leave_out(silent):
                return True
        if segment.held_s < MOST_S:
            return False
        if self._delay is Delay.NONE:
            self._note(
                f"the encoder holds back more than {MOST_S} s of frames: they are lost when the power fails; "
                "set output.options or another output.codec"
            )
            return False
        self._delay = Delay.NONE
        return True

    def _hand_out(self, now: Fraction) -> None:
        """Give packets to their files, and complete the previous file once it has all of its packets."""
        if self._streams is None:
            return
        kept = None if self._finisher.kept is None else self._finisher.kept.streams
        self._streams.hand_out(kept, None if self._segment is None else self._segment.streams)
        if kept is not None and kept.is_complete(now):
            self._finisher.release()
            self._settle(leave=1)

    def _end_before_the_disk_is_full(self, segment: Segment) -> None:
        try:
            require_room(segment.path, self._reserve_bytes)
        except SinkError:
            self._cut()
            self._settle()  # this may make room for the next file

    def _begin(self, info: StreamInfo, begin: Fraction) -> Segment:
        moment = self._now()
        path = self._pattern.at(moment, [*self._finisher.taken, *self._recovery.taken])
        streams = None if self._streams is None else self._streams.part(begin)
        segment = Segment(path, info, self._settings, self._delay, begin, streams, self._sync)
        try:
            require_room(path, self._reserve_bytes)
        except SinkError:
            segment.discard()
            raise
        for line in segment.notes:
            self._note(line)
        # A source that is not live has no times of arrival: media time counts from the first file.
        self._origin = moment.timestamp() - float(begin) if self._origin is None else self._origin
        segment.start_time = self._origin + float(begin)
        return segment

    def _cut(self, end: Fraction | None = None) -> None:
        """Let the open file be completed; with `end`, seconds, once it has all sound that begins before."""
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.duration_s = float(self._end - segment.begin)
        if segment is None:
            self._finisher.release()
        elif not segment.frames:
            segment.discard()
        elif segment.streams is not None and end is not None and end > segment.begin:
            segment.streams.end = end
            self._finisher.keep(segment)
        else:
            self._finisher.hand_over(segment)
        self._settle(leave=1)  # waits only where the disk is so slow that the file before is not complete yet

    def _tell(self, state: RecordedFileState, segment: Segment) -> None:
        lasted_s = segment.duration_s if state is RecordedFileState.COMPLETE else None
        begin_s, name = float(segment.begin), str(self._pattern)
        self._recorded(RecordedFile(segment.path.absolute(), state, name, segment.start_time, begin_s, lasted_s))

    def _settle(self, *, leave: int = 0) -> None:
        try:
            for line in self._finisher.settle(leave=leave):
                self._note(line)
        except StreamerError as error:
            if self._settings.required:
                raise
            self._note(str(error))

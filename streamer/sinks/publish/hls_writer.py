"""Writes a live HLS output: MPEG-TS segments that begin with keyframes, and their playlist.

FFmpeg's muxer breaks the rules for live playlists: its target duration follows the longest listed segment, and a pause
makes a segment as long as the pause. Used by the process of a connection (`streamer.sinks.publish.process`), which owns
the folder while it runs.
"""

from __future__ import annotations

import io
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from streamer.media.transport_stream import ContinuityCounters
from streamer.sinks.publish.hls_playlist import Entry, LivePlaylist, read
from streamer.system.partial_file import replace_file

FIRST_WAIT_S = 15.0
"""Time limit for the second frame of the first segment, which gives the frame rate."""
_LONGEST_TARGET_S = 30
_SLACK = 1.2  # a slow camera does not keep its rate exactly
_LEAD_TICKS = 90_000  # the clock of a transport stream (PCR) is ahead of its frames and not negative
_USUAL_STEP_S = 0.04
_LEAST_SEGMENT_S = 0.95  # encoders insert keyframes of their own
Add = Callable[[Any], Sequence[Any]]
"""Adds the streams to a container and returns them."""


class HlsWriter:
    """A folder with a live playlist.

    Args:
        playlist: the file; continued if it exists.
        first: the playlist to begin with otherwise.
        add: adds the streams of the connection to a segment.
        time_bases: seconds per tick of each stream.
    """

    def __init__(self, playlist: Path, first: LivePlaylist, add: Add, time_bases: Sequence[Fraction]) -> None:
        found = read(playlist)
        self._path = playlist
        self._list = first if found is None else found
        self._settled = found is not None  # the target duration was published
        self._discontinuity = bool(self._list.entries)
        self._add = add
        self._time_bases = time_bases
        self._segment: _Segment | None = None
        self._counters = ContinuityCounters()
        self._step_s = 0.0  # between the last two frames
        self._last_s: float | None = None
        self._epoch_s: float | None = None  # the wall clock at time 0 of this period
        self._dropped: deque[tuple[float, Path]] = deque()  # removal time and path of dropped segments
        self._longest_s = 0.0  # longest playlist so far

    @property
    def idle_s(self) -> float:
        """The longest wait for a frame before the open segment is closed."""
        return self._list.target_s + 0.5 if self._settled or self._step_s else FIRST_WAIT_S

    def write(self, stream: int, packet: av.Packet[Any]) -> None:
        """Write a packet, with times in ticks of its stream; a keyframe of stream 0, the video, begins a segment."""
        if stream == 0:
            assert packet.pts is not None
            time_s = float(packet.pts * self._time_bases[0])
            if self._segment is not None and packet.is_keyframe and time_s - self._segment.begins_s >= _LEAST_SEGMENT_S:
                self._finish(time_s)
            if self._segment is None:
                if not packet.is_keyframe:
                    return
                self._begin(time_s)
            if self._last_s is not None and time_s > self._last_s:
                self._step_s = time_s - self._last_s
            self._last_s = time_s
        if self._segment is not None:
            self._segment.write(stream, packet)

    def idle(self) -> None:
        """Close the segment after no packet arrived for `idle_s`; the next one does not continue it."""
        if self._segment is not None:
            self._finish(None)
            self._interrupt()

    def close(self) -> None:
        """Close the open segment."""
        self.idle()

    def _interrupt(self) -> None:
        self._discontinuity, self._epoch_s, self._last_s = True, None, None
        self._counters.clear()

    def _begin(self, time_s: float) -> None:
        if self._epoch_s is None:
            self._epoch_s = time.time() - time_s
        self._segment = _Segment(time_s, self._add, self._time_bases)

    def _finish(self, next_s: float | None) -> None:
        """Close the segment and list it; it lasts until `next_s`, or as long as its frames."""
        segment, self._segment = self._segment, None
        assert segment is not None
        assert self._last_s is not None
        assert self._epoch_s is not None
        whole_s = 0.0 if next_s is None else next_s - segment.begins_s
        if not self._settled:
            if round(whole_s) > self._list.target_s:
                target_s = min(math.ceil(whole_s * _SLACK), _LONGEST_TARGET_S)
                self._list = LivePlaylist(target_s, self._list.number, self._list.discontinuities)
            self._settled = True
        fits = 0.0 < whole_s < self._list.target_s + 0.5
        shown_s = self._last_s - segment.begins_s
        lasts_s = whole_s if fits else min(shown_s + (self._step_s or _USUAL_STEP_S), float(self._list.target_s))
        name = f"{self._path.stem}-{self._list.next_number}.ts"
        replace_file(self._path.parent / name, self._counters.renumbered(segment.content()))
        entry = Entry(name, lasts_s, self._epoch_s + segment.begins_s, self._discontinuity)
        self._discontinuity = False
        self._list, dropped = self._list.with_entry(entry)
        self._list.write(self._path)
        if next_s is not None and not fits:
            self._interrupt()
        self._remove(dropped)

    def _remove(self, dropped: Sequence[Entry]) -> None:
        """Delete segment files once players no longer need them (RFC 8216, 6.2.2)."""
        self._longest_s = max(self._longest_s, sum(one.duration_s for one in (*self._list.entries, *dropped)))
        now_s = time.monotonic()
        self._dropped += [(now_s + one.duration_s + self._longest_s, self._path.parent / one.name) for one in dropped]
        while self._dropped and self._dropped[0][0] <= now_s:
            self._dropped.popleft()[1].unlink(missing_ok=True)


class _Segment:
    """A segment in memory, an MPEG transport stream."""

    def __init__(self, begins_s: float, add: Add, time_bases: Sequence[Fraction]) -> None:
        self.begins_s = begins_s
        self._file = io.BytesIO()
        self._container: Any = av.open(self._file, "w", format="mpegts", container_options={"mpegts_copyts": "1"})
        self._streams = add(self._container)
        for stream, time_base in zip(self._streams, time_bases, strict=True):
            stream.time_base = time_base
        self._time_bases = time_bases

    def write(self, stream: int, packet: av.Packet[Any]) -> None:
        lead = round(Fraction(_LEAD_TICKS, 90_000) / self._time_bases[stream])
        assert packet.pts is not None
        assert packet.dts is not None
        packet.pts, packet.dts = packet.pts + lead, packet.dts + lead
        packet.time_base, packet.stream = self._time_bases[stream], self._streams[stream]
        self._container.mux(packet)

    def content(self) -> bytes:
        self._container.close()
        return self._file.getvalue()

"""Writes a live HLS output: segments of MPEG-TS that begin with key frames, and their playlist.

FFmpeg's own muxer does not keep the rules for lists that grow: its target duration follows the longest segment that is
listed at the moment, and a pause makes a segment as long as the pause. Used by the process of a connection
(`stream_process`), which owns the folder while it lives.
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
"""How long the first segment of all may wait for its second picture, from which the rate is known."""
_LONGEST_TARGET_S = 30
_SLACK = 1.2  # a slow camera does not keep its rate exactly
_LEAD_TICKS = 90_000  # the clock of a transport stream (PCR) runs ahead of its pictures, and is not negative
_USUAL_STEP_S = 0.04
_LEAST_SEGMENT_S = 0.95  # encoders put in key frames of their own
Add = Callable[[Any], Sequence[Any]]
"""Adds the streams to a container and gives them."""


class HlsWriter:
    """A folder with a playlist that grows.

    Args:
        playlist: its file, which is gone on with if it is there.
        begun: the numbers to begin with if it is not.
        add: adds the streams of the connection to a segment.
        time_bases: seconds per tick of each.
    """

    def __init__(self, playlist: Path, begun: LivePlaylist, add: Add, time_bases: Sequence[Fraction]) -> None:
        found = read(playlist)
        self._path = playlist
        self._list = begun if found is None else found
        self._settled = found is not None  # the target duration was told
        self._discontinuity = bool(self._list.entries)
        self._add = add
        self._time_bases = time_bases
        self._segment: _Segment | None = None
        self._counters = ContinuityCounters()
        self._step_s = 0.0  # between the last two pictures
        self._last_s: float | None = None
        self._epoch_s: float | None = None  # the wall clock at time 0 of this period
        self._gone: deque[tuple[float, Path]] = deque()  # when which file may go
        self._longest_s = 0.0  # that the list ever was

    @property
    def idle_s(self) -> float:
        """A picture is not waited for any longer before what is there is listed."""
        return self._list.target_s + 0.5 if self._settled or self._step_s else FIRST_WAIT_S

    def write(self, stream: int, packet: av.Packet[Any]) -> None:
        """Take a packet, its times in the ticks of its stream; of stream 0, the video, a key frame begins a segment."""
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
        """Nothing came for `idle_s`: what is there is listed, and what comes then does not continue it."""
        if self._segment is not None:
            self._finish(None)
            self._interrupt()

    def close(self) -> None:
        """List what is there."""
        self.idle()

    def _interrupt(self) -> None:
        self._discontinuity, self._epoch_s, self._last_s = True, None, None
        self._counters.clear()

    def _begin(self, time_s: float) -> None:
        if self._epoch_s is None:
            self._epoch_s = time.time() - time_s
        self._segment = _Segment(time_s, self._add, self._time_bases)

    def _finish(self, next_s: float | None) -> None:
        """List the segment, which lasts until `next_s`, or as long as its pictures."""
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
        self._list, gone = self._list.with_entry(entry)
        self._list.write(self._path)
        if next_s is not None and not fits:
            self._interrupt()
        self._remove(gone)

    def _remove(self, gone: Sequence[Entry]) -> None:
        """Delete files when nobody can ask for them any more (RFC 8216, 6.2.2)."""
        self._longest_s = max(self._longest_s, sum(one.duration_s for one in (*self._list.entries, *gone)))
        now_s = time.monotonic()
        self._gone += [(now_s + one.duration_s + self._longest_s, self._path.parent / one.name) for one in gone]
        while self._gone and self._gone[0][0] <= now_s:
            self._gone.popleft()[1].unlink(missing_ok=True)


class _Segment:
    """A transport stream in memory."""

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

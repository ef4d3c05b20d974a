"""One file with packets of a camera, which are not encoded again. Used by the thread of the clips.

The file has a hidden name until it is complete, and can be read at any moment (`streamer.sinks.muxing.crash_safe`). At
the end it is rewritten with its index in front, so that a browser can play it while it loads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av

from streamer.clips.packets import RingPacket, RingStream
from streamer.errors import SinkError, StreamerError
from streamer.sinks.muxing.crash_safe import FASTSTART
from streamer.sinks.muxing.muxer import Muxer, write_failure
from streamer.sinks.muxing.stream_copy import StreamCopy
from streamer.sinks.muxing.timing import MonotonicTicks, movie_timescale
from streamer.sinks.segments.streams import SegmentStreams
from streamer.sinks.video.recovery import lock_own, remux_in_place
from streamer.system.partial_file import PartialFile

MUXER_OPTIONS = {"movflags": FASTSTART}
_RECENT = 8
"""Pictures among which the neighbour of a reordered one is searched."""
_SHORTEST_PICTURE_S, _LONGEST_PICTURE_S = Fraction(1, 1000), Fraction(1)


class WrittenFile(NamedTuple):
    """A complete file: its duration in seconds, as players read it, and its size in bytes."""

    duration_s: float
    bytes: int


class ClipFile:
    """An open file. Its time 0 is the first picture.

    Args:
        path: the final name; its folder exists.
        stream: the video.
        time_base: of the frames' times.
        fps: frames per second; 25 if None.
        reorder_delay: how long before the next picture is shown a packet without a decoding time is decoded, seconds.
        sound: the audio for this file, with its times; None for none.
        note: gets a line for audio that cannot be copied.

    Raises:
        SinkUnavailable: the file cannot be made, or MP4 cannot hold the video; no file is left then.
    """

    def __init__(
        self,
        path: Path,
        stream: RingStream,
        time_base: Fraction,
        fps: Fraction | None,
        reorder_delay: Fraction,
        sound: SegmentStreams | None,
        note: Callable[[str], None],
    ) -> None:
        self.path = path
        self._step = 1 / (fps or Fraction(25))
        self._shown: deque[Fraction] = deque(maxlen=_RECENT)
        self._reorder_delay = reorder_delay
        with ExitStack() as cleanup:
            self._partial = PartialFile(path)
            cleanup.callback(self._partial.discard)
            held = lock_own(self._partial.path)
            if held is not None:
                cleanup.callback(os.close, held)
            self._muxer = Muxer(self._partial.path, path, crash_safe=True)
            cleanup.callback(self._muxer.abandon)
            self._added = stream.description.add_to(self._muxer.container, fps=fps or Fraction(25))
            self._added.time_base = time_base
            self._copy: StreamCopy | None = None
            if sound is not None:
                self._copy = StreamCopy(sound.passthrough, note)
                cleanup.callback(self._copy.close)
                sound.passthrough.begin()
                self._copy.add_to(self._muxer.container, self._added, Fraction(0), fragmented=True)
            others = self._copy.time_bases if self._copy is not None else []
            self._muxer.start({**MUXER_OPTIONS, "movie_timescale": str(movie_timescale(time_base, others))})
            self._ticks = MonotonicTicks(self._added)
            self._cleanup = cleanup.pop_all()

    def write(self, packet: RingPacket, shown: Fraction, next_shown: Fraction) -> None:
        """Write the next packet of the video, in decoding order, and the audio up to it.

        Args:
            packet: its time is not used.
            shown: when its picture is shown, seconds from the start of the file.
            next_shown: when the first picture is shown of those that are not decoded yet, itself included.

        Raises:
            SinkError: the disk failed, or the muxer refuses the packet.
        """
        content = packet.content
        made = content.packet()
        decoded = next_shown - self._reorder_delay if packet.delay is None else shown - packet.delay
        time_base = self._ticks.time_base
        made.dts = self._ticks.place(decoded)
        made.pts = max(round(shown / time_base), made.dts)
        made.duration = round(self._duration(packet, shown) / time_base)
        made.time_base, made.stream = time_base, self._added
        try:
            self._muxer.container.mux(made)
            if self._copy is not None:
                self._copy.copy_until(self._muxer.container, made.dts * time_base)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise write_failure(self.path, error) from error

    def _duration(self, packet: RingPacket, shown: Fraction) -> Fraction:
        """Of a picture, which players need for the last one only. RTP does not have it: the last distance of two."""
        stated = packet.content.duration * packet.stream.description.time_base
        distances = [abs(shown - other) for other in self._shown if other != shown]
        self._step = min([*distances, _LONGEST_PICTURE_S]) if distances else self._step
        self._shown.append(shown)
        return stated if stated > _SHORTEST_PICTURE_S else self._step

    def complete(self, end: Fraction) -> WrittenFile:
        """Write everything; the file still has its hidden name.

        Args:
            end: the audio ends here, seconds from the start of the file.

        Raises:
            SinkError: the disk failed.
        """
        try:
            if self._copy is not None:
                self._copy.copy_until(self._muxer.container, end, last=True)
                self._copy.close()
            self._muxer.finish()
            _, held = remux_in_place(self._partial.path, self.path, MUXER_OPTIONS)
            self._cleanup.callback(os.close, held)
            return measured(self._partial.path)
        except (av.error.FFmpegError, OSError) as error:
            raise write_failure(self.path, error) from error
        except StreamerError as error:
            raise SinkError(f"cannot finish {self.path}: {error}") from error

    def commit(self) -> None:
        """Give the complete file its name. Raises SinkError if that fails; no file is left then."""
        with self._cleanup:
            self._partial.commit()

    def discard(self) -> None:
        """Remove the file. Does nothing after `commit`."""
        self._cleanup.close()


def measured(path: Path) -> WrittenFile:
    """What players read of a complete file. Raises OSError or FFmpegError if it cannot be read."""
    with av.open(f"file:{path}", metadata_errors="replace") as read:
        return WrittenFile((read.duration or 0) / av.time_base, path.stat().st_size)

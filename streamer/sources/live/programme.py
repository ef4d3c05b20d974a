"""Detects that a transport stream continues as another one: other packet identifiers (PID), another table or codec.

FFmpeg adds the new streams to its own list, but PyAV ignores packets of streams that were unknown at opening: the video
would freeze. FFmpeg's list is read from its description of the input. Owned by the thread that reads.
"""

from __future__ import annotations

import re
import time
from typing import Any, cast

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.media.ffmpeg_log import capture_log

CHANGED = "programme changed"
"""The cause of the reconnection."""
_SILENT_S = 0.5
"""After this time without a frame, or three frame intervals, the stream list is checked."""
_CHECK_EVERY_S = 0.25
_VIDEO = re.compile(r"^  Stream #\d+:(\d+)\S*: Video: (\w+)", re.MULTILINE)


class ProgrammeWatch:
    """Compares the streams of a container with those at opening.

    Args:
        container: open. Only transport streams are watched: other formats cannot add streams.
        stream: the video that is read.

    Attributes:
        change: what has changed, for the log; "" while nothing has.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        self._watched = container.format.name == "mpegts"
        self._known = self._videos() if self._watched else {}
        self._frame_s = self._checked_s = time.monotonic()
        self._interval_s = 0.0
        self.change = ""

    def frame_arrived(self) -> None:
        """Call for each frame."""
        now_s = time.monotonic()
        self._interval_s += (now_s - self._frame_s - self._interval_s) / 8
        self._frame_s = now_s

    def unchanged(self) -> bool:
        """Whether reading can continue. Cheap while frames arrive; may be called within a read."""
        now_s = time.monotonic()
        silent_s = max(_SILENT_S, 3 * self._interval_s)
        if not self._watched or now_s - self._frame_s < silent_s or now_s - self._checked_s < _CHECK_EVERY_S:
            return not self.change
        self._checked_s = now_s
        videos = self._videos()
        before, now = self._known.get(self._stream.index, ""), videos.get(self._stream.index, "")
        if before != now:
            self.change = f"the video's codec changes from {before} to {now}"
        elif new := videos.keys() - self._known.keys():
            self.change = f"the video continues as another stream ({videos[min(new)]})"
        return not self.change

    def _videos(self) -> dict[int, str]:
        """Codecs of the video streams in FFmpeg's list, by index."""
        with capture_log(av.logging.INFO):
            description: str = cast(Any, self._container).dumps_format()  # not in PyAV's type stubs
        return {int(index): codec for index, codec in _VIDEO.findall(description)}

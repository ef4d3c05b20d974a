"""Notices that a transport stream goes on as another one: other packet identifiers (PID), another table, another codec.

FFmpeg adds the new streams to its own list, and PyAV passes over the packets of all that were not there at opening: the
picture just stands. What FFmpeg knows is read from its description of the input. Owned by the thread that reads.
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
"""The cause of such a reconnect, in short."""
_SILENT_S = 0.5
"""Without a picture for so long, or for three times the distance of two, it is looked whether there is another one."""
_LOOK_EVERY_S = 0.25
_VIDEO = re.compile(r"^  Stream #\d+:(\d+)\S*: Video: (\w+)", re.MULTILINE)


class ProgrammeWatch:
    """Compares what there is with what there was at opening.

    Args:
        container: open; only one whose streams may come later, a transport stream, is watched.
        stream: the video that is read.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        self._watched = container.format.name == "mpegts"
        self._known = self._videos() if self._watched else {}
        self._picture_s = self._looked_s = time.monotonic()
        self._interval_s = 0.0
        self.change = ""
        """What became of it, in words; "" while nothing did."""

    def picture_came(self) -> None:
        """Call for each picture."""
        now_s = time.monotonic()
        self._interval_s += (now_s - self._picture_s - self._interval_s) / 8
        self._picture_s = now_s

    def unchanged(self) -> bool:
        """Whether it is worth while to read on. Cheap while pictures come; may be asked within a read."""
        now_s = time.monotonic()
        silent_s = max(_SILENT_S, 3 * self._interval_s)
        if not self._watched or now_s - self._picture_s < silent_s or now_s - self._looked_s < _LOOK_EVERY_S:
            return not self.change
        self._looked_s = now_s
        videos = self._videos()
        before, now = self._known.get(self._stream.index, ""), videos.get(self._stream.index, "")
        if before != now:
            self.change = f"the video's codec changes from {before} to {now}"
        elif new := videos.keys() - self._known.keys():
            self.change = f"the video goes on as another stream ({videos[min(new)]})"
        return not self.change

    def _videos(self) -> dict[int, str]:
        """The codecs of the video streams that FFmpeg knows now, by index."""
        with capture_log(av.logging.INFO):
            description: str = cast(Any, self._container).dumps_format()  # not in PyAV's type stubs
        return {int(index): codec for index, codec in _VIDEO.findall(description)}

"""A recording, checked completely before it is replayed. Main thread; immutable afterwards."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterator
from pathlib import Path

from streamer.errors import ConfigError
from streamer.replay.event_log import (
    EVENTS,
    DetectorResult,
    Event,
    FrameArrived,
    FrameCaptured,
    FramesEntered,
    FramesSettled,
    PacketDiscarded,
    RunEnded,
    StreamOpened,
    read_events,
)
from streamer.replay.header import Header, read_header

log = logging.getLogger(__name__)


class Recording:
    """A folder that `run --record` wrote.

    Args:
        folder: of the recording.

    Attributes:
        folder: of the recording.
        header: how the run was set up.
        frames: how many frames were captured.
        ended: how the run ended; None if the recording stops before that.

    Raises:
        SourceUnavailable: the folder is not a recording, or cannot be read.
        ConfigError: the recording is damaged; the message has the line number.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.header: Header = read_header(folder)
        self.ended: RunEnded | None = None
        self._uses = array("B")  # a byte per frame: a run may have lasted for days
        self._in_flight = 0
        self._streams: set[int] = set()
        for number, event in enumerate(read_events(folder, warn=True), 1):
            try:
                self._check(event)
            except (ValueError, OverflowError) as error:
                raise ConfigError(f"{folder / EVENTS}, line {number}: {error}") from error
        self.frames = len(self._uses)
        if self.ended is None:
            log.warning("%s: the recording stops before the end of the run; it is played up to there", folder)

    def events(self) -> Iterator[Event]:
        """The events, in order."""
        return read_events(self.folder)

    def uses(self, index: int) -> int:
        """How often a frame was delivered to the display thread: on arrival, and with a detector's result."""
        return self._uses[index]

    def _check(self, event: Event) -> None:
        if isinstance(event, FrameCaptured):
            if event.index != len(self._uses):
                raise ValueError(f"frame {event.index} is captured where frame {len(self._uses)} is expected")
            self._uses.append(0)
        elif isinstance(event, FrameArrived | DetectorResult):
            if event.index >= len(self._uses):
                raise ValueError(f"frame {event.index} is delivered before it is captured")
            self._uses[event.index] += 1
            if isinstance(event, DetectorResult) and event.found is not None:
                event.found.detections()
        elif isinstance(event, FramesEntered):
            self._in_flight += event.frames
        elif isinstance(event, FramesSettled):
            self._in_flight -= event.frames
            if self._in_flight < 0:
                raise ValueError(f"more frames are settled as {event.state} than entered")
        elif isinstance(event, StreamOpened):
            self._streams.add(event.stream)
        elif isinstance(event, PacketDiscarded):
            if event.stream not in self._streams:
                raise ValueError(f"a packet of stream {event.stream} is discarded before the stream is opened")
        elif isinstance(event, RunEnded):
            self.ended = event

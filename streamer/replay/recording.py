"""A recording as a whole, checked before anything is played. Main thread; immutable afterwards."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterator
from pathlib import Path

from streamer.errors import ConfigError
from streamer.replay.event_log import (
    EVENTS,
    Arrival,
    Captured,
    Discarded,
    Ended,
    Entered,
    Event,
    Header,
    Opened,
    Result,
    Settled,
    read_events,
    read_header,
)

log = logging.getLogger(__name__)


class Recording:
    """What `run --record` left in a folder.

    Args:
        folder: the recording.

    Attributes:
        folder: likewise.
        header: how it was run.
        frames: how many frames came.
        ended: how the run ended; None if the recording stops before that.

    Raises:
        SourceUnavailable: it is none, or cannot be read.
        ConfigError: it is damaged; the message has the line.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.header: Header = read_header(folder)
        self.ended: Ended | None = None
        # A byte a frame: a run may have lasted for days.
        self._uses = array("B")
        self._in_flight = 0
        self._streams: set[int] = set()
        for number, event in enumerate(read_events(folder, says=True), 1):
            try:
                self._check(event)
            except (ValueError, OverflowError) as error:
                raise ConfigError(f"{folder / EVENTS}, line {number}: {error}") from error
        self.frames = len(self._uses)
        if self.ended is None:
            log.warning("%s: the recording stops before the end of the run; it is played up to there", folder)

    def events(self) -> Iterator[Event]:
        """What happened, in order."""
        return read_events(self.folder)

    def uses(self, index: int) -> int:
        """How often the main thread was given a frame: when it came, and when a detector was done with it."""
        return self._uses[index]

    def _check(self, event: Event) -> None:
        if isinstance(event, Captured):
            if event.index != len(self._uses):
                raise ValueError(f"frame {event.index} comes where frame {len(self._uses)} is expected")
            self._uses.append(0)
        elif isinstance(event, Arrival | Result):
            if event.index >= len(self._uses):
                raise ValueError(f"frame {event.index} is used before it came")
            self._uses[event.index] += 1
            if isinstance(event, Result) and event.found is not None:
                event.found.detections()
        elif isinstance(event, Entered):
            self._in_flight += event.frames
        elif isinstance(event, Settled):
            self._in_flight -= event.frames
            if self._in_flight < 0:
                raise ValueError(f"more frames end as {event.state} than came in")
        elif isinstance(event, Opened):
            self._streams.add(event.stream)
        elif isinstance(event, Discarded):
            if event.stream not in self._streams:
                raise ValueError(f"a packet of stream {event.stream} comes before the stream")
        else:
            self.ended = event

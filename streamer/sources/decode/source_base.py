"""The base class of sources: frames are iterated once, damage is collected, and closing has the right order.

Entered by the main thread, then owned by the capture thread.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from inspect import GEN_RUNNING, getgeneratorstate

from streamer.interfaces import Damage, StreamInfo
from streamer.media.passthrough import Passthrough
from streamer.values.frame import Frame

log = logging.getLogger(__name__)


class SourceBase:
    """A source whose `__enter__` sets `_info` and `_frames`; see `streamer.interfaces.Source`."""

    def __init__(self) -> None:
        self._info: StreamInfo | None = None
        self._frames: Generator[Frame] | None = None
        self._iterated = False
        self._damage: list[Damage] = []
        self._notes: list[str] = []
        self._passthrough: Passthrough | None = None

    @property
    def passthrough(self) -> Passthrough | None:
        """The other streams of the input; None where there are none."""
        return self._passthrough

    @property
    def notes(self) -> Sequence[str]:
        """What could not be passed on unchanged, one line each."""
        return self._notes

    @property
    def info(self) -> StreamInfo:
        """The properties of the stream.

        Raises:
            RuntimeError: the source was not entered.
        """
        if self._info is None:
            raise RuntimeError("a source has its info once it is entered")
        return self._info

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if self._frames is not None:
            if getgeneratorstate(self._frames) == GEN_RUNNING:
                # The capture thread hangs in a read and was abandoned. Closing the container would crash it.
                log.warning("a thread is still reading the source; it is left open")
                return
            self._frames.close()  # it must be closed before the container that it reads
            self._frames = None
        self._release()
        if self._passthrough is not None:
            self._passthrough.close()

    def _release(self) -> None:
        """Close the input of the frames. Called when the source is left, unless a thread still hangs in a read."""

    def __iter__(self) -> Iterator[Frame]:
        if self._frames is None or self._iterated:
            raise RuntimeError("a source is iterated once, inside its `with` block")
        self._iterated = True
        return self._frames

    def take_damage(self) -> list[Damage]:
        """The damage since the last call."""
        taken, self._damage = self._damage, []
        return taken

    def stop(self) -> None:
        """Nothing to wake: reading a file does not wait."""

    def _check_unused(self) -> None:
        if self._info is not None:
            raise RuntimeError("a source is used once")

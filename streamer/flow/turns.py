"""Turns at a detector that several streams share.

A detector thread of a live stream takes the newest frame when its stream has the turn. While it waits, newer
frames replace the waiting one.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Turns(Protocol):
    """The turns of one stream. Its detector thread calls `turn`; any thread may call `cancel`."""

    def turn(self) -> AbstractContextManager[None]:
        """Wait for the next turn.

        Returns:
            A context manager. The turn begins when it is entered, and ends when it is left or after the detection.

        Raises:
            Closed: `cancel` was called.
        """
        ...

    def cancel(self) -> None:
        """The stream ends: wake the thread that waits in `turn`. It may be called several times."""
        ...


class AlwaysTurn:
    """The turns of a stream with detectors of its own: no thread waits."""

    def turn(self) -> AbstractContextManager[None]:
        """Does not wait."""
        return nullcontext()

    def cancel(self) -> None:
        """No thread waits."""

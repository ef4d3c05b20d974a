"""Every error that Streamer raises on purpose.

Third-party errors are translated where they occur, `from` the original. A message is one line: it names the input and
the remedy, and never a credential. `exit_code` is what the command line returns: 2 for input that cannot work, 1 for
something that broke on the way.
"""

from __future__ import annotations


class StreamerError(Exception):
    """Base of all of them; the message is fit to be shown to a user."""

    exit_code = 1


class Interrupted(Exception):
    """The run was stopped by `Pipeline.stop` or by closing its window.

    This is no failure: every output is complete up to the last frame that was shown.
    """


class ConfigError(StreamerError):
    """A setting, option or argument that cannot work."""

    exit_code = 2


class _SourceError(StreamerError):
    cause: str
    """What the count of reconnects calls it: short and stable."""

    def __init__(self, message: str, cause: str = "failed") -> None:
        super().__init__(message)
        self.cause = cause


class SourceUnavailable(_SourceError):
    """The source cannot be opened until somebody mends something: missing, unreadable, wrong password, no video."""

    exit_code = 2


class SourceLost(_SourceError):
    """The source failed in a way that trying again may mend."""


class ModelError(StreamerError):
    """A model that cannot be fetched, verified or loaded."""

    exit_code = 2


class DetectorError(StreamerError):
    """The detector failed on a frame, which is lost to it; the next one may work."""

    cause = "detector error"
    """What the frame ledger calls it."""


class DetectorRestarted(DetectorError):
    """The detector hung on a frame and is replaced by a new one."""

    cause = "detector hung"


class DetectorHung(StreamerError):
    """The detector hung on a frame and is given up: the run ends."""


class SinkUnavailable(StreamerError):
    """An output that cannot be opened: it exists, is not writable, or its format cannot hold what is asked."""

    exit_code = 2


class SinkError(StreamerError):
    """An output that failed while it was being written (a full disk, a broken pipe)."""

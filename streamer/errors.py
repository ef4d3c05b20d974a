"""All errors that Streamer raises on purpose.

Third-party errors are translated where they occur, `from` the original. A message is one line with the input and the
remedy, and never contains a credential. `exit_code` is the exit code of the command line: 2 for invalid input, 1 for
a runtime failure.
"""

from __future__ import annotations


class StreamerError(Exception):
    """Base class of all errors. The message is meant for users."""

    exit_code = 1
    ends_all_runs = False
    """Of several runs, none can succeed."""


class Interrupted(Exception):
    """The run was stopped by `Pipeline.stop` or by closing its window.

    This is no failure: every output is complete up to the last frame that was shown.
    """


class ConfigError(StreamerError):
    """A setting, option or argument is invalid.

    Args:
        message: about the first problem.
        others: further problems of the same settings, one line each.
    """

    exit_code = 2

    def __init__(self, message: str, *others: str) -> None:
        super().__init__(message)
        self.problems = (message, *others)


class _SourceError(StreamerError):
    cause: str
    """Short and stable label in the count of reconnects."""

    def __init__(self, message: str, cause: str = "failed") -> None:
        super().__init__(message)
        self.cause = cause


class SourceUnavailable(_SourceError):
    """The source cannot be opened, and a retry does not help: missing, unreadable, wrong password, no video."""

    exit_code = 2


class SourceLost(_SourceError):
    """The source failed; a retry may help."""


class ModelError(StreamerError):
    """A model cannot be downloaded, verified or loaded."""

    exit_code = 2
    ends_all_runs = True


class DetectorError(StreamerError):
    """The detector failed on one frame. It may succeed on the next."""

    cause = "detector error"
    """Label in the frame ledger."""


class InvalidOutput(DetectorError):
    """The model gave numbers that are no detections, such as NaN or scores above 1."""


class DetectorRestarted(DetectorError):
    """The detector hung on a frame and was replaced by a new one."""

    cause = "detector hung"


class DetectorUnreachable(DetectorError):
    """The server that has the detector gave no detections for this frame: it is gone, not ready, or too late.

    A live run goes on however often this happens.
    """

    cause = "remote"


class DetectorHung(StreamerError):
    """The detector hung on a frame, so the run ends."""


class SinkUnavailable(StreamerError):
    """An output cannot be opened: it exists, is not writable, or its format cannot hold the content."""

    exit_code = 2


class SinkError(StreamerError):
    """An output failed while it was written (a full disk, a broken pipe)."""

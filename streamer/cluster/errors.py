"""The error of a cluster that cannot be used, and Ray's own errors in one line. Any thread."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from streamer.errors import StreamerError

INSTALL = "pip install 'streamer-video[ray]'"
_LONGEST = 200


class ClusterUnavailable(StreamerError):
    """There is no cluster at this address, it cannot be used, or Ray is not installed."""

    exit_code = 2


def imported_ray(*, client: bool = False) -> Any:
    """The module `ray`.

    Args:
        client: whether Ray's client is needed, which has requirements of its own.

    Raises:
        ClusterUnavailable: it is not installed.
    """
    missing = [name for name in ("ray", "grpc") if name == "ray" or client if importlib.util.find_spec(name) is None]
    if missing:
        raise ClusterUnavailable(f"a cluster needs Ray, which is not installed: {INSTALL}")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ClusterUnavailable(f"Ray cannot be imported ({first_line(error)}); repair it: {INSTALL}") from error


def first_line(error: BaseException) -> str:
    """What an error of Ray says, as one short line without the stack of another process."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" <>\t")] or [type(error).__name__]
    # Ray puts the stack of the other process first and the error last.
    line = lines[-1] if lines[0].startswith(("ray::", "\x1b", "Traceback")) or lines[0].endswith(":") else lines[0]
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"

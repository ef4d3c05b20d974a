"""Keeps Ray silent: its log lines, those of its workers, its warnings and usage statistics. Used by its own thread.

What matters of Ray's messages arrives as an error, which `streamer.cluster` translates.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("ray", "ray.util.client.logsclient", "ray.util.client.dataclient", "ray.util.client.worker")
"""The second does not pass its lines on to the first."""
_NEVER = logging.CRITICAL + 1


@contextmanager
def quiet_environment(reconnect_s: int) -> Iterator[None]:
    """Variables that Ray reads when it connects, and that its processes inherit; as before afterwards.

    Args:
        reconnect_s: how long calls wait for a cluster whose connection broke.
    """
    wanted = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
        "RAY_CLIENT_RECONNECT_GRACE_PERIOD": str(reconnect_s),
        "RAY_ENABLE_AUTO_CONNECT": "0",  # else a call after the connection broke starts a cluster on this machine
        "GRPC_VERBOSITY": "NONE",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: value for name, value in wanted.items() if before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)


def silence() -> None:
    """No line of Ray reaches the terminal from now on, for its threads end later than a connection.

    Called again after connecting: Ray sets its loggers up then. It prints errors of its own processes to standard
    output, such as that of a worker that ended, also with `log_to_driver=False`; it has no option against that.
    """
    warnings.filterwarnings("ignore", module=r"ray\.")
    prints = sys.modules.get("ray._private.worker")
    if prints is not None and hasattr(prints, "print_to_stdstream"):
        prints.print_to_stdstream = _print_nothing  # type: ignore[attr-defined]
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
        logger.setLevel(_NEVER)


def _print_nothing(*_arguments: object, **_options: object) -> None:
    """In place of Ray's function."""

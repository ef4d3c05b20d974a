"""The connection to a Ray cluster: addresses, errors in plain words, and what is imported lazily. Main thread."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from streamer.errors import ConfigError, StreamerError

LOCAL = "local"
"""The address of a cluster on this machine that lives as long as the run."""
_ADDRESS = re.compile(r"ray://(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(?P<port>\d{1,5}))?/?")
_DEFAULT_PORT = 10001
"""Of Ray's server for clients (`ray start --ray-client-server-port`)."""


class ClusterUnavailable(StreamerError):
    """There is no cluster at this address, or Ray is not installed."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """Where a cluster is.

    Attributes:
        host: of its head; empty for a cluster on this machine.
        port: of Ray's server for clients.
    """

    host: str = ""
    port: int = _DEFAULT_PORT

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address that a user typed: `local`, `ray://HOST` or `ray://HOST:PORT`.

        Raises:
            ConfigError: it is neither.
        """
        if text == LOCAL:
            return cls()
        found = _ADDRESS.fullmatch(text)
        if found is None:
            raise ConfigError(f"no cluster {text!r}: give ray://HOST, ray://HOST:PORT, or {LOCAL} for this machine")
        return cls(found["host"], int(found["port"] or _DEFAULT_PORT))

    def __str__(self) -> str:
        return f"ray://{self.host}:{self.port}" if self.host else LOCAL

"""The address that a web server listens on, as a user writes it. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from streamer.errors import ConfigError

_ADDRESS = re.compile(r"(?:(?P<host>\[[^\]]+\]|[^:]*):)?(?P<port>\d{1,5})")


class Address(NamedTuple):
    """Where a server listens.

    Attributes:
        host: an address or a name; empty for this machine only.
        port: 0 lets the system choose.
    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine reach it."""
        if self.host.lower() in ("", "localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_address(text: str, setting: str) -> Address:
    """The address of `[host]:port`, or of a port alone.

    Args:
        text: as the user wrote it.
        setting: its path, for the error.

    Raises:
        ConfigError: it is no such address.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise ConfigError(f"{setting} {text!r}: write HOST:PORT, or :9090 for this machine only")
    return Address((match["host"] or "").strip("[]"), int(match["port"]))

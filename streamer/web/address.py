"""The address that a web server listens on, as a user writes it, and those that other machines reach it by."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from streamer.errors import ConfigError

_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""An address of no machine by family (RFC 5737, RFC 3849)."""
_OF_ALL = {"0.0.0.0": (socket.AF_INET,), "::": (socket.AF_INET, socket.AF_INET6)}
"""The families of a server that listens on all addresses."""
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


def machine_addresses(families: Iterable[socket.AddressFamily] = tuple(_ELSEWHERE)) -> list[str]:
    """The addresses of this machine from which the system would send to others, at most one of a family."""
    found = []
    for family in families:
        # Nothing is sent: to connect a datagram socket only chooses its own address.
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_ELSEWHERE[family], 9))
            found.append(probe.getsockname()[0])
    return found


def urls_elsewhere(url: str, host: str) -> list[str]:
    """What other machines open, of a server that listens on all addresses; empty for any other.

    Args:
        url: for this machine, with a numeric address.
        host: that the server listens on.
    """
    parts = urlsplit(url)
    addresses = machine_addresses(_OF_ALL.get(host, ()))
    return [parts._replace(netloc=f"{_bracketed(one)}:{parts.port}").geturl() for one in addresses]


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address

"""Bounds the connections of a web server, so that clients do not use up the descriptors of the program.

A client that opens connections and sends little or nothing (Slowloris) keeps them until `IDLE_S`. Web server's thread.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable

from aiohttp import web

log = logging.getLogger(__name__)

MOST = 500
"""Connections at the same time."""
MOST_OF_ADDRESS = 200
"""Of another machine; behind a reverse proxy on this machine all clients have the same address."""
IDLE_S = 60.0
"""A connection without a complete request for this time is closed."""
HANDSHAKE_S = 10.0
"""Longest time of a TLS handshake."""


class Entrance(asyncio.Protocol):
    """Hands a new connection to the server, or closes it if there are too many.

    Args:
        server: of aiohttp.
        most, most_of_address: see `MOST` and `MOST_OF_ADDRESS`.
    """

    def __init__(self, server: web.Server, most: int = MOST, most_of_address: int = MOST_OF_ADDRESS) -> None:
        self._server = server
        self._most = most
        self._most_of_address = most_of_address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)
        if self._is_full(transport):
            transport.abort()
            return
        handler = self._server()
        transport.set_protocol(handler)
        handler.connection_made(transport)

    def _is_full(self, transport: asyncio.Transport) -> bool:
        others = self._server.connections
        if len(others) < min(self._most, self._most_of_address):
            return False
        host = _host(transport.get_extra_info("peername"))
        if len(others) < self._most:
            if host is None or host.is_loopback:
                return False
            if sum(_host(other.peername) == host for other in others) < self._most_of_address:
                return False
        log.debug("too many connections: one from %s was closed", host)
        return True


def entrance(server: web.Server) -> Callable[[], Entrance]:
    """Makes the protocol of each new connection."""
    return lambda: Entrance(server)


def _host(peer: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of a client; None for a Unix socket."""
    if not isinstance(peer, tuple):
        return None
    try:
        return ipaddress.ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return None

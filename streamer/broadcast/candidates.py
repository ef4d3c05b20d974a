"""The UDP sockets of a WebRTC connection: their ports, and the addresses under which a browser reaches them.

aioice (0.13) binds any port and leaves loopback out. Here sockets are bound within a range of ports, and the address in
the answer can be another one. Used by the web server's thread.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import socket
from collections.abc import Sequence

from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol, get_host_addresses

from streamer.errors import StreamerError

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_COMPONENT = 1
_BUFFER_BYTES = 256 << 10


class NoPort(StreamerError):
    """No UDP socket can be bound."""


async def gather(
    connection: Connection, *, ports: range | None, public_address: str | None, near: str | None = None
) -> None:
    """Bind the sockets of a connection and make its local candidates, in place of `Connection.gather_candidates`.

    Args:
        connection: nothing has been gathered for it yet.
        ports: the range to bind within; None for any.
        public_address: IP address that replaces those in the candidates.
        near: the address of this machine that the browser uses for HTTP; its candidate comes first.

    Raises:
        NoPort: no port of the range is free.
    """
    connection._local_candidates_start = True
    for preference, address in enumerate(_addresses(near, public_address)):
        protocol = await _bound(connection, address, ports)
        if protocol is None:
            continue
        host, port = protocol.transport.get_extra_info("sockname")[:2]
        shown = public_address or host
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=_COMPONENT,
            transport="udp",
            priority=candidate_priority(_COMPONENT, "host", 65_535 - preference),
            host=shown,
            port=port,
            type="host",
        )
        connection._protocols.append(protocol)
        connection._local_candidates.append(protocol.local_candidate)
    connection._local_candidates_end = True
    if not connection._local_candidates:
        where = "" if ports is None else f" within web.live.udp_ports {ports.start}-{ports.stop - 1}"
        raise NoPort(f"no free UDP port{where}: there are too many viewers, or no network")


def parse_ports(text: str | None) -> range | None:
    """The ports of `50000-50100`, both included; None for any."""
    if text is None:
        return None
    first, _, last = text.partition("-")
    return range(int(first), int(last) + 1)


def _addresses(near: str | None, public: str | None) -> Sequence[str]:
    """The addresses to bind, the best first; of the same IP version as the public one."""
    version = None if public is None else ipaddress.ip_address(public).version
    own = get_host_addresses(use_ipv4=version != 6, use_ipv6=version != 4)
    if near is None or version == 6:
        return own or [LOOPBACK]
    if ipaddress.ip_address(near).is_loopback:
        return [*own, LOOPBACK]
    return sorted(own, key=lambda address: address != near)


async def _bound(connection: Connection, address: str, ports: range | None) -> StunProtocol | None:
    """A socket at an address; None if none can be bound."""
    loop = asyncio.get_running_loop()
    for port in [0] if ports is None else random.sample(ports, len(ports)):
        try:
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: StunProtocol(connection), local_addr=(address, port)
            )
        except OSError as error:
            log.debug("no socket at %s:%d: %s", address, port, error)
            continue
        udp: socket.socket = transport.get_extra_info("socket")
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        return protocol
    return None

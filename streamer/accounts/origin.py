"""Under which names browsers may open the page, and from which pages they may change something. Pure.

A page of another site can make a browser send requests to this one. `Origin` says which page sent a request (RFC 6454).
With DNS rebinding that page has a name which suddenly leads to this machine; then `Host` has that name. Addresses in
numbers are not affected.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from streamer.web.address import Address

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing (RFC 9110, 9.2.1)."""
_PORTS = {"http": 80, "https": 443}


class Names:
    """The names of a site.

    Args:
        address: that the server listens on.
        others: further names, such as that of a reverse proxy.
    """

    def __init__(self, address: Address, others: Iterable[str]) -> None:
        machine = socket.gethostname().lower()
        own = {"localhost", machine, machine.partition(".")[0], f"{machine.partition('.')[0]}.local"}
        self._others = frozenset(name.lower().rstrip(".") for name in others)
        self._names = frozenset({*own, address.host.lower(), *self._others}) - {""}

    def know(self, host: str) -> bool:
        """Whether browsers may open the page under the name in `Host`."""
        name = _host_and_port(f"//{host}")[0]
        return _is_number(name) or name in self._names or name.endswith(".localhost")

    def allow(self, method: str, headers: Mapping[str, str]) -> bool:
        """Whether a request may come from the page that sent it.

        Programs other than browsers send no `Origin`. Browsers send one with every change and every WebSocket.

        Args:
            method: of the request.
            headers: of the request, case-insensitive.
        """
        if method in SAFE_METHODS and "Upgrade" not in headers:
            return True
        origin = headers.get("Origin")
        if origin is None:
            return headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")
        name, port = _host_and_port(origin)
        if name in self._others:
            return True
        scheme = origin.partition(":")[0].lower()
        host, own = _host_and_port(f"//{headers.get('Host', '')}")
        return bool(name) and (name, port or _PORTS.get(scheme)) == (host, own or _PORTS.get(scheme))


def _host_and_port(url: str) -> tuple[str, int | None]:
    """Host, in lower case and without a dot at its end, and port; "" if there is none."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "", None


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True

"""Quick checks of a server, without the library that will connect to it. Any thread."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from streamer.network import certificates

CHECK_EVERY_S = 1.0
"""Interval of checks while a server is unreachable; once it is reachable, the wait for the next attempt ends."""
ANSWER_WITHIN_S = 0.25
_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935, "rtmps": 443}
_OPTIONS = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
"""Every server answers it, without a login (RFC 2326, 10.1)."""
_HEAD = b"HEAD / HTTP/1.0\r\n\r\n"


def greeting(host: str, port: int, timeout_s: float = 1.0) -> bytes:
    """The first bytes of a server's answer to an RTSP request or, if it closes the connection, to an HTTP request.

    Args:
        host: name or number.
        port: number.
        timeout_s: the longest wait for each connection and each answer.

    Returns:
        b"" if it does not answer.
    """
    for request in (_OPTIONS, _HEAD):
        try:
            with socket.create_connection((host, port), timeout_s) as server:
                server.sendall(request)
                if answer := server.recv(64):
                    return answer
        except ConnectionResetError:
            continue
        except OSError:
            return b""
    return b""


def speaks_tls(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """Whether a server answers a TLS handshake, whatever its certificate.

    Args:
        host: name or number.
        port: number.
        timeout_s: the longest wait for the connection and for each answer.
    """
    try:
        with socket.create_connection((host, port), timeout_s) as server:
            certificates.context(verify=False).wrap_socket(server, server_hostname=host).close()
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # a refusal is TLS too
    except (OSError, ValueError):
        return False
    return True


def default_port(scheme: str) -> int | None:
    """The default port of a scheme."""
    return _DEFAULT_PORTS.get(scheme.lower())


def answers(url: str) -> bool:
    """Whether a server listens at an address and, for RTSP, answers a request.

    True where that cannot be checked (UDP, a folder). The system accepts connections also for a program that hangs, so
    an RTSP server that does not answer is unreachable. Takes twice `ANSWER_WITHIN_S` at most, and name resolution.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    port = parts.port or _DEFAULT_PORTS.get(scheme)
    if scheme in ("udp", "rtp", "srtp") or not parts.hostname or not port:
        return True
    try:
        with socket.create_connection((parts.hostname, port), ANSWER_WITHIN_S) as server:
            if scheme == "rtsp":
                server.sendall(_OPTIONS)
                return bool(server.recv(1))
            return True
    except OSError:
        return False

"""Whether a server is there, found out in a moment and without the library that will talk to it. Any thread."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from streamer.network import certificates

CHECK_EVERY_S = 1.0
"""While nobody answers; longer waits between two tries end then as soon as somebody does."""
ANSWER_WITHIN_S = 0.25
_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935, "rtmps": 443}
_OPTIONS = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
"""What any server answers, without a login (RFC 2326, 10.1)."""
_HEAD = b"HEAD / HTTP/1.0\r\n\r\n"


def greeting(host: str, port: int, timeout_s: float = 1.0) -> bytes:
    """The first bytes that a server says to a question of RTSP or, if it hangs up on that, of HTTP; they tell its kind.

    Args:
        host: its name or number.
        port: likewise.
        timeout_s: the longest wait for each connection, and for what it says.

    Returns:
        b"" if it says nothing.
    """
    for question in (_OPTIONS, _HEAD):
        try:
            with socket.create_connection((host, port), timeout_s) as server:
                server.sendall(question)
                if said := server.recv(64):
                    return said
        except ConnectionResetError:
            continue
        except OSError:
            return b""
    return b""


def speaks_tls(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """Whether a server answers to the greeting of TLS, whatever its certificate.

    Args:
        host: its name or number.
        port: likewise.
        timeout_s: the longest wait for the connection, and for each answer.
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
    """Where servers of a scheme listen that is named in no address."""
    return _DEFAULT_PORTS.get(scheme.lower())


def answers(url: str) -> bool:
    """Whether a server listens at an address, and answers where the protocol has a question for that (RTSP).

    True where that cannot be found out (UDP, a folder). The system takes connections also for a program that hangs: an
    RTSP server that says nothing is not there. Takes twice `ANSWER_WITHIN_S` at most, and what resolving a name takes.
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

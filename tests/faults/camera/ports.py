"""A port that stays reserved while nothing listens on it. Any thread."""

from __future__ import annotations

import socket


def reserve_port() -> socket.socket:
    """A socket that holds a free port of 127.0.0.1 until it is closed.

    It is bound but does not listen: connections are refused, the system gives the port to no other process, and a
    server that sets SO_REUSEADDR can listen on it (Linux).
    """
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved

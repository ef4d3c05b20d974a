"""A router between program and camera that can drop connections from its table: they stay open, but carry no data.

Its thread forwards bytes; any other thread may call `forget`.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Self

_CHUNK_BYTES = 1 << 16


class Router:
    """Forwards TCP connections to a port of this machine, inside `with`.

    Args:
        target_port: on 127.0.0.1.
    """

    def __init__(self, target_port: int) -> None:
        self._target = "127.0.0.1", target_port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._forgotten: set[socket.socket] = set()
        self._done = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="router", daemon=True)

    def __enter__(self) -> Self:
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._wake_write.send(b"e")
        self._thread.join()
        for end in (*self._peers, self._listening, self._wake_read, self._wake_write):
            end.close()
        self._selector.close()

    def forget(self) -> None:
        """All existing connections carry no data from now on; new ones do."""
        self._wake_write.send(b"f")
        self._done.acquire()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                end = key.fileobj
                assert isinstance(end, socket.socket)
                if end is self._wake_read:
                    if end.recv(1) == b"e":
                        return
                    self._forget()
                elif end is self._listening:
                    self._connect()
                elif end in self._peers:
                    self._pass_on(end)

    def _connect(self) -> None:
        near, _ = self._listening.accept()
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        for end, other in ((near, far), (far, near)):
            self._peers[end] = other
            self._selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, end: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = end.recv(_CHUNK_BYTES)
        other = self._peers[end]
        if data:
            if end not in self._forgotten:
                with contextlib.suppress(OSError):
                    other.sendall(data)
            return
        for closed in (end, other):
            self._selector.unregister(closed)
            self._forgotten.discard(closed)
            del self._peers[closed]
            closed.close()

    def _forget(self) -> None:
        self._forgotten.update(self._peers)
        self._done.release()

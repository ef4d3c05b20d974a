"""The connection to a Ray cluster: addresses, one connection per process, and errors in one line.

A thread of its own connects, stays for the life of the connection, and disconnects: Ray replaces the handler of SIGTERM
only on the main thread, and the processes of a local cluster end with the thread that started them. Ray is imported
there, so a program without a cluster does not import it.
"""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Self

from streamer.cluster import quiet, ray_client, ray_local
from streamer.cluster.errors import ClusterUnavailable
from streamer.cluster.figures import ObjectStoreFigures, object_store_figures
from streamer.cluster.ray_local import LocalCluster
from streamer.errors import ConfigError
from streamer.system.threads import Thread

__all__ = ["LOCAL", "Cluster", "ClusterAddress", "ClusterUnavailable", "LocalCluster", "connect"]

LOCAL = "local"
"""The address of a cluster on this machine that lives as long as the run."""
NAMESPACE = "streamer"
"""The namespace of all named actors of this program."""
_ADDRESS = re.compile(r"ray://(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(?P<port>\d{1,5}))?/?")
_DEFAULT_PORT = 10001
"""Of Ray's server for clients (`ray start --ray-client-server-port`)."""
_TIMEOUT_S = 120.0
"""A local cluster starts in 3 s on two idle cores, and a connection takes 1 to 3 s. One that Ray's server cannot serve
fails after 40 s, and the next one works."""
_END_S = 20.0
_GIVEN_UP_END_S = 1.0
"""Ctrl-C ends the wait for a cluster that hangs, but not Ray's attempt to connect, which ends with the process."""
_connection_lock = threading.Lock()


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
        if found is None or not 0 < int(found["port"] or _DEFAULT_PORT) < 1 << 16:
            raise ConfigError(f"no cluster {text!r}: give ray://HOST, ray://HOST:PORT, or {LOCAL} for this machine")
        return cls(found["host"], int(found["port"] or _DEFAULT_PORT))

    @property
    def is_local(self) -> bool:
        """Whether it is a cluster on this machine that lives as long as the run."""
        return not self.host

    def __str__(self) -> str:
        return f"ray://{self.host}:{self.port}" if self.host else LOCAL


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster while this process is connected to it. Any thread may use it.

    Attributes:
        address: of the cluster.
        ray: the module `ray`, connected.
    """

    address: ClusterAddress
    ray: Any = field(repr=False)

    @property
    def resources(self) -> Mapping[str, float]:
        """The total resources of all nodes: `CPU`, `GPU`, `memory` in bytes, and custom ones."""
        return {str(name): float(amount) for name, amount in self.ray.cluster_resources().items()}

    def object_store(self) -> ObjectStoreFigures | None:
        """The use of the object store on all nodes, and what was spilled to disk; None if Ray does not tell.

        Takes about 0.1 s, with `ray://` up to some seconds, because a process on the cluster asks there.
        """
        return object_store_figures(self.ray, remotely=not self.address.is_local)


@contextmanager
def connect(
    address: ClusterAddress | str,
    *,
    local: LocalCluster | None = None,
    namespace: str = NAMESPACE,
    timeout_s: float = _TIMEOUT_S,
    reconnect_s: int = 30,
) -> Iterator[Cluster]:
    """Connect this process to a cluster, or start one on this machine. On leaving, a local cluster is ended.

    Nothing of Ray appears on the terminal, usage statistics are off, and signal handlers stay as they are. While a
    local cluster starts, Ctrl-C is raised at once; the block ends when its processes have ended.

    Args:
        address: `local`, `ray://HOST` or `ray://HOST:PORT`, or parsed.
        local: the size of a local cluster; that of the machine if None.
        namespace: of named actors.
        timeout_s: how long connecting, or starting, may take.
        reconnect_s: how long calls wait for a cluster whose connection broke, before they fail; 0 fails at once.

    Raises:
        ConfigError: the address is invalid, or the process is connected to a cluster already.
        ClusterUnavailable: Ray is missing, no cluster answers, its version differs, or it refuses the token.
    """
    where = ClusterAddress.parse(address) if isinstance(address, str) else address
    if (ray := sys.modules.get("ray")) is not None and ray.is_initialized() and not _connection_lock.locked():
        yield Cluster(where, ray)  # a process of a cluster, which its cluster ends
        return
    if not _connection_lock.acquire(blocking=False):
        raise ConfigError(f"cannot connect to {where}: this process is connected to a cluster already")
    holder = _Holder(where, local or LocalCluster(), namespace, timeout_s, reconnect_s)
    try:
        ray = holder.connected(timeout_s)
        _restore_signal_handlers()
        yield Cluster(where, ray)
    finally:
        holder.end()


def _restore_signal_handlers() -> None:
    """Ray's native code replaces the handlers of SIGTERM and others by one that prints a stack and ends the process.

    Python does not notice, and still returns its own.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.getsignal(number) or signal.SIG_DFL)


class _Holder:
    """The thread that connects, waits, disconnects and then releases the lock of the process's connection."""

    def __init__(
        self, address: ClusterAddress, local: LocalCluster, namespace: str, timeout_s: float, reconnect_s: int
    ) -> None:
        self._address = address
        self._local = local
        self._namespace = namespace
        self._timeout_s = timeout_s
        self._reconnect_s = reconnect_s
        self._answers: SimpleQueue[Any] = SimpleQueue()
        self._ended = threading.Event()
        self._is_connected = False
        self._thread = Thread("cluster", self._hold, shared=True)
        self._thread.start()

    def connected(self, timeout_s: float) -> Any:
        """The module `ray`, as soon as it is connected."""
        try:
            answer = self._answers.get(timeout=timeout_s)
        except Empty:
            raise ClusterUnavailable(
                f"{self._address} did not answer within {timeout_s:g} s; see the cluster's state with 'ray status'"
            ) from None
        if isinstance(answer, BaseException):
            raise answer
        self._is_connected = True
        return answer

    def end(self) -> None:
        """Disconnect, and wait until that is done."""
        self._ended.set()
        self._thread.join(_END_S if self._is_connected or self._address.is_local else _GIVEN_UP_END_S)

    def _hold(self) -> None:
        try:
            quiet.silence()
            with quiet.quiet_environment(self._reconnect_s):
                self._connect_and_wait()
        except BaseException as error:  # `connected` raises it on the thread that waits
            self._answers.put(error)
        finally:
            _connection_lock.release()

    def _connect_and_wait(self) -> None:
        address = self._address
        opened = (
            ray_local.started(self._local, self._namespace)
            if address.is_local
            else ray_client.connected(address.host, address.port, self._namespace, self._timeout_s, self._ended)
        )
        with opened as ray:
            self._answers.put(ray)
            self._ended.wait()

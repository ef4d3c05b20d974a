"""A real Ray head with a server for clients on a free port of this machine, as `ray start --head` starts it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parents[1]
READY = b"Ray runtime started"
STORE_BYTES = 200_000_000
LISTENS_WITHIN_S = 30.0
OTHER_HEAD_ENDS_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True)
class RayHead:
    """A running head.

    Attributes:
        address: for clients.
        port, gcs_port: of the server for clients, and of the head itself.
        process: in a process group of its own.
    """

    address: str
    port: int
    gcs_port: int
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End all its processes at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing uses."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for(port: int) -> None:
    """Until something listens on a port of 127.0.0.1."""
    deadline_s = time.monotonic() + LISTENS_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline_s, f"nothing listens on port {port}"
            time.sleep(0.05)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """The wait for the head of another test does not count as time of this test, which is stopped if it hangs."""
    lock = FileLock("/tmp/streamer-ray-head.lock", timeout=OTHER_HEAD_ENDS_WITHIN_S)
    left_s, again_s = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        lock.acquire()
    finally:
        signal.setitimer(signal.ITIMER_REAL, left_s, again_s)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def ray_head(*, cpus: int = 4, token: str = "", ports: tuple[int, int] | None = None) -> Iterator[RayHead]:
    """Start a head and wait until it is ready; ends all its processes on leaving.

    One at a time on a machine: the servers for the clients of two heads may choose the same port.

    Args:
        cpus: how many its actors may ask for.
        token: what clients must send; no authentication if empty.
        ports: of the head and of its server for clients; free ones if None.
    """
    gcs_port, port = ports or tuple(free_ports(2))
    folder = tempfile.mkdtemp(prefix="rh", dir="/tmp")  # the path of a socket has at most 107 characters
    authentication = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {"RAY_AUTH_MODE": "disabled"}
    command = [
        *(sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--head", "--block"),
        *("--node-ip-address", "127.0.0.1", "--port", str(gcs_port), "--ray-client-server-port", str(port)),
        *("--num-cpus", str(cpus), "--object-store-memory", str(STORE_BYTES), "--include-dashboard", "false"),
        *("--disable-usage-stats", "--temp-dir", folder, "--min-worker-port", "0", "--max-worker-port", "0"),
    ]
    with _one_at_a_time():
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **authentication, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        head = RayHead(f"ray://127.0.0.1:{port}", port, gcs_port, process)
        assert process.stdout is not None
        try:
            told = iter(process.stdout.readline, b"")
            assert any(READY in line for line in told), "ray start failed"
            wait_for(port)  # the server for clients starts later than the head says
            yield head
        finally:
            head.kill()
            process.stdout.close()
            shutil.rmtree(folder, ignore_errors=True)

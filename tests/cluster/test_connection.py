"""Connections to a Ray cluster: addresses, errors in one line, and a local cluster that leaves nothing behind.

Ray reads its settings once per process, so what connects is a process of its own.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from streamer.cluster import connection, ray_client
from streamer.cluster.connection import ClusterAddress, ClusterUnavailable, connect
from streamer.errors import ConfigError
from tests.ray_head import RayHead, free_ports, ray_head

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-the-tests-0123456789"
LOCAL = """
import os, signal
import psutil
from streamer.cluster.connection import LocalCluster, connect
from streamer.system.interrupts import Interrupts
with Interrupts(), connect("local", local=LocalCluster(cpus=1, object_store_bytes=100_000_000)) as cluster:
    cluster.ray.get(cluster.ray.remote(lambda: print("of a worker")).remote())
    print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
    BODY
"""
AFTERWARDS = """
import psutil
from streamer.cluster import quiet
from streamer.cluster.errors import imported_ray
with quiet.quiet_environment(reconnect_s=0):
    ray = imported_ray()
try:
    ray.put(1)
except Exception as error:
    print(type(error).__name__)
print(len(psutil.Process().children(recursive=True)), "processes")
"""
REMOTE = """
import sys
from streamer.cluster.connection import connect
from streamer.errors import StreamerError
try:
    with connect(sys.argv[1]) as cluster:
        BODY
except StreamerError as error:
    sys.exit(f"{type(error).__name__} {error.exit_code} {error}")
"""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("local", ClusterAddress()),
        ("ray://head", ClusterAddress("head")),
        ("ray://10.0.0.7:6000/", ClusterAddress("10.0.0.7", 6000)),
        ("ray://[::1]:10002", ClusterAddress("[::1]", 10002)),
    ],
)
def test_an_address_has_a_host_and_a_port(text: str, address: ClusterAddress) -> None:
    assert ClusterAddress.parse(text) == address
    assert ClusterAddress.parse(str(address)) == address


@pytest.mark.parametrize("text", ["", "head", "http://head", "ray://", "ray://head:0", "ray://head:99999", "ray://a b"])
def test_another_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="give ray://HOST, ray://HOST:PORT, or local"):
        ClusterAddress.parse(text)


def test_without_ray_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ClusterUnavailable, match=r"pip install 'streamer-video\[ray\]'"), connect("local"):
        pass


def test_no_cluster_there() -> None:
    [port] = free_ports(1)
    message = f"no cluster at ray://127.0.0.1:{port}: Connection refused; start one with 'ray start --head"
    with pytest.raises(ClusterUnavailable, match=message), connect(f"ray://127.0.0.1:{port}"):
        pass


def test_after_a_failure_the_process_may_connect_again() -> None:
    for _ in range(2):
        with pytest.raises(ClusterUnavailable), connect("ray://127.0.0.1:1"):
            pass


def test_who_gives_up_does_not_wait_for_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's client cannot be told to stop. Ctrl-C and a time limit end the wait for it."""
    goes_on, messages = threading.Event(), list[str]()

    @contextmanager
    def hangs(*_: object) -> Iterator[None]:
        goes_on.wait()
        yield

    def attempt() -> None:
        try:
            with connect("ray://127.0.0.1:1", timeout_s=0.01):
                pass
        except ClusterUnavailable as error:
            messages.append(str(error))

    monkeypatch.setattr(ray_client, "connected", hangs)
    monkeypatch.setattr(connection, "_END_S", 3600)
    waits = threading.Thread(target=attempt, daemon=True)
    waits.start()
    waits.join(20)
    assert [one.partition(";")[0] for one in messages] == ["ray://127.0.0.1:1 did not answer within 0.01 s"]
    goes_on.set()
    assert connection._connection_lock.acquire(timeout=20)
    connection._connection_lock.release()


@pytest.mark.slow
def test_a_server_that_never_answers_is_no_cluster() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"ray://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ClusterUnavailable, match="something else answers there"), connect(address):
            pass


def python(script: str, body: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """A process that connects and does `body`; without authentication unless `variables` say so."""
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(ROOT), **variables}
    return subprocess.Popen(
        [sys.executable, "-c", script.replace("BODY", body), *arguments],
        env={name: value for name, value in environment.items() if value},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    out, error = process.communicate(timeout=100)
    return process.returncode, out, error


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["return", "error", "SIGINT", "SIGTERM", "SIGKILL"])
def test_a_local_cluster_ends_with_its_block(ending: str) -> None:
    """Its processes are gone, and nothing of Ray is on the terminal."""
    process = python(LOCAL, {"return": "pass", "error": "1 / 0"}.get(ending, "signal.pause()"))
    assert process.stdout is not None
    children = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
    assert len(children) >= 3  # the head, the node and a worker
    if ending.startswith("SIG"):
        process.send_signal(getattr(signal, ending))
    code, _, error = ended(process)
    assert code == {"return": 0, "error": 1, "SIGKILL": -signal.SIGKILL}.get(ending, -signal.SIGINT)
    last = {"error": "ZeroDivisionError: division by zero", "return": "", "SIGKILL": ""}.get(
        ending, "KeyboardInterrupt"
    )
    assert error.strip().rpartition("\n")[2] == last
    assert "of a worker" not in error
    # After SIGKILL, agents of the node (70 MB each) notice some minutes later that it is gone.
    awaited = children[:2] if ending == "SIGKILL" else children
    _, alive = psutil.wait_procs(awaited, timeout=30 if ending == "SIGKILL" else 0)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
def test_a_call_after_the_connection_starts_no_cluster() -> None:
    """As a call that ends a worker, when its cluster has gone away."""
    code, out, error = ended(python(AFTERWARDS, ""))
    assert (code, error) == (0, "")
    assert out.splitlines() == ["RaySystemError", "0 processes"]


@pytest.mark.slow
def test_a_local_cluster_keeps_signal_handlers_and_has_a_token() -> None:
    body = "print(signal.getsignal(signal.SIGTERM).__name__, cluster.object_store().spilled_bytes)"
    code, out, error = ended(python(LOCAL, body, RAY_AUTH_MODE=""))
    assert (code, error) == (0, "")
    assert out.splitlines()[1:] == ["_handle 0"]
    assert not (Path.home() / ".ray/auth_token").exists()


@pytest.fixture(scope="module")
def head() -> Iterator[RayHead]:
    with ray_head(cpus=1, token=TOKEN) as running:
        yield running


@pytest.mark.slow
def test_a_client_of_a_cluster_with_a_token(head: RayHead) -> None:
    body = """cluster.ray.get(cluster.ray.remote(lambda: print("of a worker")).remote())
        print(cluster.resources["CPU"], cluster.object_store().spilled_bytes)"""
    process = python(REMOTE, body, head.address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN)
    assert ended(process) == (0, "1.0 0\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"RAY_AUTH_MODE": "disabled"}, "needs a token; run 'ray get-auth-token' on the head"),
        ({"RAY_AUTH_MODE": "token"}, "needs a token, and there is none; run 'ray get-auth-token' on the head"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "other"}, "refuses the token; run 'ray get-auth-token'"),
    ],
)
def test_a_client_without_the_token(head: RayHead, variables: dict[str, str], message: str) -> None:
    code, out, error = ended(python(REMOTE, "pass", head.address, **variables))
    assert (code, out) == (1, "")
    assert error.startswith(f"ClusterUnavailable 2 {head.address} {message}")
    assert error.count("\n") == 1
    assert "other" not in error
    assert TOKEN not in error


@pytest.mark.slow
def test_the_port_of_the_head_itself_is_told(head: RayHead) -> None:
    own = f"ray://127.0.0.1:{head.gcs_port}"
    _, _, error = ended(python(REMOTE, "pass", own, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN))
    told = "is another port of Ray; give that of its server for clients, usually 10001"
    assert error == f"ClusterUnavailable 2 {own} {told}\n"


@pytest.mark.slow
def test_another_version_of_ray_is_told(head: RayHead) -> None:
    script = "import ray\nray.__version__ = '2.50.0'\n" + REMOTE
    _, _, error = ended(python(script, "pass", head.address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN))
    assert f"{head.address} runs Ray 2." in error
    assert "this machine Ray 2.50.0 and Python 3." in error
    assert error.count("\n") == 1

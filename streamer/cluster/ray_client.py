"""A connection to a Ray cluster through its server for clients. Used by the cluster's thread.

Before Ray's client connects, one call asks whether the server is there and takes the token: the client itself tries
three times, and says `ray client connection timeout` after 30 s, whatever the reason is.
"""

from __future__ import annotations

import importlib
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from streamer.cluster import quiet
from streamer.cluster.errors import INSTALL, ClusterUnavailable, first_line, imported_ray

_REACH_S = 5.0
_AGAIN_AFTER_S = 0.5
_PASSING = ("called ray.init twice", "Initialization failure", "Starting Ray client server failed")
"""What Ray 2.60 sometimes says on a busy machine, if another client has just left; the next connection works."""
_VERSION = re.compile(r"(Ray|Python): (\S+)")


@contextmanager
def connected(host: str, port: int, namespace: str, timeout_s: float, ended: Event) -> Iterator[Any]:
    """Connect; the module `ray`. Disconnects on leaving.

    Args:
        host, port: of the server for clients.
        namespace: of named actors.
        timeout_s: how long connecting may take; it is tried again in the first half only.
        ended: set by another thread when the connection is no longer wanted.

    Raises:
        ClusterUnavailable: Ray is missing, no cluster answers, its version differs, or it refuses the token.
    """
    where = f"ray://{host}:{port}"
    _reach(where, host.strip("[]"), port, min(timeout_s, _REACH_S))
    ray = imported_ray(client=True)
    _ask(ray, where, f"{host}:{port}", min(timeout_s, _REACH_S))
    try:
        _init(ray, where, namespace, ended, time.monotonic() + timeout_s / 2)
        _without_log_stream()
        quiet.silence()
        yield ray
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        if ray.is_initialized():
            raise  # from the block, not from the connection
        raise ClusterUnavailable(_reason(where, error)) from error
    finally:
        ray.shutdown()


def _init(ray: Any, where: str, namespace: str, ended: Event, again_until_s: float) -> None:
    """Ray's own connection; again where its server gave a new client the process of another one, or that died."""
    while True:
        try:
            ray.init(where, namespace=namespace, log_to_driver=False, logging_level="critical")
            return
        except (OSError, RuntimeError) as error:
            is_passing = any(text in str(error) for text in _PASSING)
            if not is_passing or time.monotonic() > again_until_s or ended.wait(_AGAIN_AFTER_S):
                raise
            ray.shutdown()


def _reach(where: str, host: str, port: int, timeout_s: float) -> None:
    try:
        socket.create_connection((host, port), timeout_s).close()
    except OSError as error:
        reason = "timed out" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise ClusterUnavailable(
            f"no cluster at {where}: {reason}; start one with 'ray start --head --ray-client-server-port {port}'"
        ) from error


def _ask(ray: Any, where: str, target: str, timeout_s: float) -> None:
    """One call without effect to the server for clients, with the token that Ray would send."""
    try:
        grpc = importlib.import_module("grpc")
        open_channel = importlib.import_module("ray._private.grpc_utils").init_grpc_channel
        messages = importlib.import_module("ray.core.generated.ray_client_pb2")
        services = importlib.import_module("ray.core.generated.ray_client_pb2_grpc")
    except (ImportError, AttributeError):  # another release of Ray, whose own error then has to do
        return
    try:
        channel = open_channel(target, options=[], asynchronous=False)
    except ray.exceptions.AuthenticationError as error:
        raise ClusterUnavailable(f"{where} needs a token, and there is none; {_token_remedy()}") from error
    try:
        question = messages.ClusterInfoRequest(type=messages.ClusterInfoType.PING)
        services.RayletDriverStub(channel).ClusterInfo(question, timeout=timeout_s, metadata=[("client_id", "ask")])
    except ray.exceptions.AuthenticationError as error:
        raise ClusterUnavailable(f"{where} needs a token, and there is none; {_token_remedy()}") from error
    except grpc.RpcError as error:
        raise ClusterUnavailable(_refusal(grpc, where, error)) from error
    finally:
        channel.close()


def _refusal(grpc: Any, where: str, error: Any) -> str:
    code = error.code()
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        sent = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
        return f"{where} {'refuses the token' if sent else 'needs a token'}; {_token_remedy()}"
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return f"{where} is another port of Ray; give that of its server for clients, usually 10001"
    return f"no cluster at {where}: something else answers there ({code.name.lower().replace('_', ' ')})"


def _token_remedy() -> str:
    return "run 'ray get-auth-token' on the head, then set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN here"


def _reason(where: str, error: Exception) -> str:
    text = str(error)
    if "Version mismatch" in text:
        theirs, ours = text.partition("This process")[::2]
        return (
            f"{where} runs {_versions(theirs)}, this machine {_versions(ours)}; install the same versions, such as "
            f"pip install 'ray[client]=={dict(_VERSION.findall(theirs)).get('Ray', '')}'"
        )
    if "ray[client]" in text:
        return f"{where} needs Ray's client, which is not installed: {INSTALL}"
    return f"cannot connect to {where}: {first_line(error)}; see the cluster's state with 'ray status'"


def _versions(text: str) -> str:
    found = dict(_VERSION.findall(text))
    return f"Ray {found.get('Ray', '?')} and Python {found.get('Python', '?')}"


def _without_log_stream() -> None:
    """The client prints what its server on the cluster logs; it has no option against that."""
    client = getattr(sys.modules.get("ray.util.client"), "ray", None)
    worker = client.get_context().client_worker if client is not None else None
    if worker is not None:
        worker.log_client.disable_logs()

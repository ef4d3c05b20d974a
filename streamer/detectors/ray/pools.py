"""Start, find, list and stop pools on a connected cluster. Main thread, and the thread that finds a lost pool again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from streamer.cluster.connection import NAMESPACE, Cluster, ClusterUnavailable
from streamer.cluster.errors import first_line
from streamer.detectors.ray import wire
from streamer.detectors.ray.address import actor_name, pool_of
from streamer.detectors.ray.values import PoolCard, PoolOrder, PoolStatus, Refused
from streamer.errors import ConfigError, ModelError
from streamer.system.suggestions import did_you_mean

T = TypeVar("T")

_HEAD = {"node:__internal_head__": 0.001}
"""Ray's own resource of the head: hosts know its address, and there is one port to open."""
_ANSWER_S = 30.0
_PROGRESS_S = 5.0


class NoPool(ConfigError):
    """There is no pool of this name."""


def names(cluster: Cluster) -> list[str]:
    """The names of all pools, sorted."""
    ray = cluster.ray
    actors = _translated(cluster, lambda: ray.util.list_named_actors(all_namespaces=True))
    pools = (pool_of(one["name"]) for one in actors if one["namespace"] == NAMESPACE)
    return sorted(pool for pool in pools if pool is not None)


def statuses(cluster: Cluster) -> Sequence[PoolStatus]:
    """How all pools are doing, by name."""
    asked = [_dispatcher(cluster, name).status.remote() for name in names(cluster)]
    try:
        found: Sequence[PoolStatus] = _translated(cluster, lambda: cluster.ray.get(asked, timeout=_ANSWER_S))
    except TimeoutError as error:
        raise ClusterUnavailable(f"{cluster.address}: a pool gives no answer within {_ANSWER_S:g} s") from error
    return found


def find(cluster: Cluster, name: str, *, limit_s: float = _ANSWER_S) -> PoolCard:
    """What a sender needs to use a pool; waits until one of its workers is ready.

    Raises:
        NoPool: there is none of this name; the message has the names that exist.
        ModelError: its detector cannot be loaded, or is not loaded within the limit.
        ClusterUnavailable: the cluster fails, or has another version of this program.
    """
    dispatcher = _dispatcher(cluster, name)
    try:
        asked = dispatcher.card.remote(limit_s)
        card = _translated(cluster, lambda: cluster.ray.get(asked, timeout=limit_s + _PROGRESS_S))
    except TimeoutError:  # Ray starts the dispatcher again
        card = None
    if card is None:
        raise ModelError(f"pool {name} on {cluster.address} is still loading its detector; try again later")
    if isinstance(card, Refused):
        raise ModelError(f"pool {name} on {cluster.address} has no detector: {card.message}")
    if not isinstance(card, PoolCard) or card.wire != wire.VERSION:
        raise ClusterUnavailable(f"{cluster.address} runs another version of Streamer; install the same version")
    return card


def start(cluster: Cluster, order: PoolOrder, progress: Callable[[PoolStatus], None]) -> PoolStatus:
    """Start a pool and wait until all of its workers are ready. It is stopped again if that fails.

    Args:
        cluster: where.
        order: what it consists of.
        progress: called when another worker is ready, and every few seconds.

    Raises:
        ConfigError: there is a pool of this name, or a wrong setting.
        ModelError: the detector cannot be loaded there.
    """
    if order.name in names(cluster):
        stop = f"streamer models stop {order.name} --cluster {cluster.address}"
        raise ConfigError(f"there is a pool {order.name!r} on {cluster.address} already; stop it with '{stop}'")
    from streamer.detectors.ray.dispatcher import PoolDispatcher  # with the web server, which senders do not need

    ray = cluster.ray
    options = {"name": actor_name(order.name), "namespace": NAMESPACE, "lifetime": "detached", "max_restarts": -1}
    dispatcher = ray.remote(PoolDispatcher).options(**options, num_cpus=0, resources=_HEAD).remote(order)
    try:
        ready = 0
        while True:
            asked = dispatcher.changed.remote(ready, _PROGRESS_S)
            status: PoolStatus = _translated(cluster, lambda asked=asked: ray.get(asked))  # type: ignore[misc]
            if status.refused:
                kind = ConfigError if status.is_usage else ModelError
                raise kind(f"cannot start pool {order.name} on {cluster.address}: {status.refused}")
            progress(status)
            ready = status.ready
            if ready == order.workers:
                return status
    except BaseException:
        with suppress(Exception):  # the cluster may be gone
            ray.kill(dispatcher)
        raise


def stop(cluster: Cluster, name: str) -> None:
    """End a pool and all of its workers.

    Raises:
        NoPool: there is none of this name.
    """
    dispatcher = _dispatcher(cluster, name)
    _translated(cluster, lambda: cluster.ray.kill(dispatcher))


def _dispatcher(cluster: Cluster, name: str) -> Any:
    try:
        return _translated(cluster, lambda: cluster.ray.get_actor(actor_name(name), namespace=NAMESPACE))
    except ValueError as error:
        known = names(cluster)
        others = f"there {'is' if len(known) == 1 else 'are'} {', '.join(known)}" if known else "it has no pools"
        meant = did_you_mean(name, known, otherwise=others)
        raise NoPool(f"no pool {name!r} on {cluster.address}; {meant}") from error


def _translated(cluster: Cluster, call: Callable[[], T]) -> T:
    """The result of a call of Ray.

    Raises:
        ClusterUnavailable: the cluster is gone, or cannot run this program.
        ValueError, TimeoutError: as Ray raises them.
    """
    try:
        return call()
    except (ValueError, TimeoutError):
        raise
    except (OSError, RuntimeError, ImportError, cluster.ray.exceptions.RayError) as error:
        if "No module named 'streamer" in str(error):
            raise ClusterUnavailable(
                f"{cluster.address} cannot import Streamer; install the same version on all of its machines"
            ) from error
        raise ClusterUnavailable(f"{cluster.address} failed: {first_line(error)}") from error

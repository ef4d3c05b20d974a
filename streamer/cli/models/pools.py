"""The commands `models serve`, `models pools` and `models stop`: detectors on a Ray cluster for many hosts."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.command import command
from streamer.cli.options import Assign, value
from streamer.errors import ConfigError

if TYPE_CHECKING:
    from streamer.cluster.connection import Cluster, ClusterAddress
    from streamer.detectors.ray.values import PoolOrder, PoolStatus

Address = Annotated[str, value("--cluster", "ADDRESS", "The Ray cluster: ray://HOST or ray://HOST:PORT.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the pool.")]

_SAID_EVERY_S = 15.0


def serve(
    name: Name,
    cluster: Address,
    detector: Annotated[
        str, value("--detector", "MODEL", "Model by name, or a file that the machines of the cluster have.")
    ] = "auto",
    actors: Annotated[int, typer.Option("--actors", min=1, max=1000, help="How many load the detector.")] = 1,
    cpus: Annotated[float, typer.Option("--cpus", min=0, help="CPUs that each reserves; also its threads.")] = 1,
    gpus: Annotated[float, typer.Option("--gpus", min=0, help="GPUs that each reserves; 0.5 shares one.")] = 0,
    host: Annotated[str, value("--host", "HOST", "Where the head of the cluster takes frames; 0.0.0.0: on all.")] = (
        "0.0.0.0"
    ),
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=1, max=65535, help="Its port. [dim]\\[default: the first free one from 10101 on][/]"
        ),
    ] = None,
    assign: Assign = None,
) -> None:
    """Run a detector on a Ray cluster for many hosts, which use it with --detector ray://HOST/NAME."""
    with command() as (terminal, _):
        from streamer.cluster.connection import connect
        from streamer.config.loading import load_settings
        from streamer.detectors.ray import pools
        from streamer.detectors.ray.address import PoolAddress, checked_name
        from streamer.detectors.ray.values import PoolOrder

        address = _address(cluster)
        path = Path(detector).expanduser()
        settings = load_settings(
            None, assign or (), {"detector.name": str(path.absolute()) if path.exists() else detector}
        ).detector
        if settings.threads == 1 and cpus >= 2:
            settings = settings.model_copy(update={"threads": int(cpus)})
        order = PoolOrder(checked_name(name), settings, actors, cpus, gpus, host, port, token=secrets.token_urlsafe(32))
        with connect(address) as connected:
            said = _Progress(connected, order, terminal.message)
            status = pools.start(connected, order, said)
        used = PoolAddress(address, name)
        terminal.message(f"{_sentence(status)}, on port {status.port} of the head; use it with --detector {used}")


def pools(cluster: Address) -> None:
    """List the detectors that run on a Ray cluster."""
    with command(prints=True) as (terminal, _):
        from rich.table import Table

        from streamer.cluster.connection import connect
        from streamer.detectors.ray import pools

        address = _address(cluster)
        with connect(address) as connected:
            found = pools.statuses(connected)
        if not found:
            terminal.line(f"no pools on {address}; 'streamer models serve NAME --cluster {address}' starts one")
            return
        table = Table(box=None, pad_edge=False)
        for heading in ("pool", "detector"):
            table.add_column(heading, overflow="fold")
        for heading in ("actors", "hosts", "detected", "too late", "restarts", "port"):
            table.add_column(heading, justify="right")
        for one in found:
            counts = (one.senders, one.detected, one.dropped, one.restarted, one.port)
            table.add_row(one.name, one.detector, f"{one.ready}/{one.workers}", *map(str, counts))
        terminal.table(table)


def stop(name: Name, cluster: Address) -> None:
    """End a detector on a Ray cluster."""
    with command() as (terminal, _):
        from streamer.cluster.connection import connect
        from streamer.detectors.ray import pools

        address = _address(cluster)
        with connect(address) as connected:
            pools.stop(connected, name)
        terminal.message(f"pool {name} on {address} has ended")


def _address(text: str) -> ClusterAddress:
    from streamer.cluster.connection import ClusterAddress

    address = ClusterAddress.parse(text)
    if address.is_local:
        raise ConfigError(
            "a local cluster ends with its command, so it has no pools; start one with 'ray start --head'"
        )
    return address


def _sentence(status: PoolStatus) -> str:
    """`pool people runs 2 actors of nanodet`."""
    return f"pool {status.name} runs {status.workers} actor{'s' * (status.workers != 1)} of {status.detector}"


class _Progress:
    """Says what the start of a pool waits for, from time to time."""

    def __init__(self, cluster: Cluster, order: PoolOrder, say: Callable[[str], None]) -> None:
        self._cluster, self._order = cluster, order
        self._say = say
        self._said_s = time.monotonic()

    def __call__(self, status: PoolStatus) -> None:
        if status.ready == status.workers or time.monotonic() - self._said_s < _SAID_EVERY_S:
            return
        self._said_s = time.monotonic()
        free = self._cluster.ray.available_resources()
        order = self._order
        room = f"{free.get('CPU', 0):g} CPUs and {free.get('GPU', 0):g} GPUs are free on the cluster"
        self._say(
            f"{status.ready} of {status.workers} actors are ready; each needs {order.num_cpus:g} CPUs and "
            f"{order.num_gpus:g} GPUs, {room}"
        )

"""What Ray's errors mean for the workers of a pool. Pure functions; any thread."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Any

from streamer.cluster.errors import first_line
from streamer.errors import ConfigError, StreamerError

_NOT_THERE = re.compile(r"No module named '?streamer[\w.]*'?|cannot import name '\w+' from 'streamer[\w.]*'")
"""What Python says if the package is missing, or is an older one."""


_BECAUSE = re.compile(r"The actor died because [^\n.]*")
"""In the middle of Ray's description of an actor."""


class ClusterLost(StreamerError):
    """The cluster went away during the run, or has no worker left."""

    ends_all_runs = True


class Failure(Enum):
    """What has failed."""

    CALL = auto()
    """The program on the worker, with an error that nobody expected; the worker goes on."""
    PROCESS = auto()
    """The process of the worker ended; Ray starts another in its place."""
    ACTOR = auto()
    """The worker cannot be started, or Ray does not start it again."""
    CLUSTER = auto()
    """The connection to the cluster."""


def failure_of(ray: Any, error: BaseException) -> Failure:
    """The kind of an error of a call.

    Args:
        ray: the module.
        error: of the call.
    """
    kinds = ray.exceptions
    if isinstance(error, kinds.RayTaskError):
        return Failure.CALL
    if isinstance(error, kinds.ActorUnavailableError):
        return Failure.PROCESS
    if isinstance(error, kinds.RayActorError):
        return Failure.ACTOR
    if isinstance(error, kinds.LocalRayletDiedError) or not isinstance(error, kinds.RayError):
        return Failure.CLUSTER
    return Failure.PROCESS  # a result that was lost with its node, or a node without memory


def checked(ray: Any, error: BaseException, address: str) -> None:
    """Raise what ends the run.

    Args:
        ray: the module.
        error: of a call.
        address: of the cluster, for messages.

    Raises:
        ConfigError: the cluster has no room for objects, or its workers do not have this program.
        ClusterLost: the connection is lost.
    """
    kinds = ray.exceptions
    if isinstance(error, kinds.ObjectStoreFullError | kinds.OutOfDiskError):
        raise ConfigError(
            f"no room in the object store of {address}: set cluster.parts to more, shorter parts, cluster.in_flight "
            "to 1, or let the workers read the file by its path"
        ) from error
    if (found := _NOT_THERE.search(str(error))) is not None:
        raise ConfigError(
            f"the workers of {address} do not have this program ({found[0]}); install the same version of "
            "streamer-video there"
        ) from error
    if failure_of(ray, error) is Failure.CLUSTER:
        raise ClusterLost(f"the connection to {address} is lost; run again when it is back") from error


def reason(error: BaseException) -> str:
    """What an error of Ray says, in one short line."""
    because = _BECAUSE.search(str(error))
    return first_line(error) if because is None else because[0]

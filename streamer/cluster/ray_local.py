"""A Ray cluster on this machine that lives as long as the run. Used by the cluster's thread, which must outlive it.

The processes of the cluster end with the thread that started them, also if the program is killed (`PR_SET_PDEATHSIG`).
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from streamer.cluster import quiet
from streamer.cluster.errors import ClusterUnavailable, first_line, imported_ray

_LONGEST_FOLDER = 40
"""Ray's sockets lie 65 characters deeper, and the path of a socket has at most 107."""


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """The size of a local cluster; what is None is that of the machine.

    Attributes:
        cpus: how many CPUs its tasks and actors may ask for; more than the machine has are allowed.
        gpus: how many GPUs.
        object_store_bytes: memory for the objects that are passed between processes; 30% of the memory if None.
    """

    cpus: int | None = None
    gpus: int | None = None
    object_store_bytes: int | None = None


@contextmanager
def started(size: LocalCluster, namespace: str) -> Iterator[Any]:
    """Start a cluster; the module `ray`, connected to it. Ends all its processes and removes its files on leaving.

    Raises:
        ClusterUnavailable: Ray is missing, or the cluster does not start.
    """
    ray = imported_ray()
    with _own_token(), _short_folder() as folder:
        try:
            ray.init(
                "local",
                num_cpus=size.cpus,
                num_gpus=size.gpus,
                object_store_memory=size.object_store_bytes,
                namespace=namespace,
                include_dashboard=False,
                logging_level="critical",
                log_to_driver=False,
                _temp_dir=folder,
            )
            quiet.silence()
            yield ray
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            if ray.is_initialized():
                raise  # from the block, not from the start
            raise ClusterUnavailable(f"cannot start Ray on this machine: {first_line(error)}") from error
        finally:
            ray.shutdown()


@contextmanager
def _own_token() -> Iterator[None]:
    """A token of this run, so that no other user of the machine can use the cluster; the user's own settings are kept.

    Ray turns tokens on for a local cluster, and would write a token into the home folder.
    """
    names = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")
    before = {name: os.environ.get(name) for name in names}
    if not any(before.values()):
        os.environ["RAY_AUTH_TOKEN"] = _token()
    try:
        yield
    finally:
        for name in names:
            if before[name] is None:
                os.environ.pop(name, None)


@cache
def _token() -> str:
    """One for this process: Ray reads it once, and sends it to the next local cluster, too."""
    return secrets.token_hex(32)


@contextmanager
def _short_folder() -> Iterator[str]:
    """A new folder for sockets, logs and spilled objects."""
    usual = tempfile.gettempdir()
    folder = tempfile.mkdtemp(prefix="ray-", dir=usual if len(usual) <= _LONGEST_FOLDER - 12 else "/tmp")
    try:
        yield str(Path(folder).resolve())
    finally:
        shutil.rmtree(folder, ignore_errors=True)

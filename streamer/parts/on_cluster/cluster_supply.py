"""Where a run with `--cluster` gets the parts of its file from: workers on a Ray cluster. Main thread, unless said.

The run joins the parts while others are still detected; see `streamer.parts.joining`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

from streamer.config.settings import ClusterSettings
from streamer.errors import ConfigError
from streamer.parts.on_cluster.deliveries import PoolStatus
from streamer.parts.on_cluster.part_pool import PartPool
from streamer.parts.on_cluster.worker_group import WorkerGroup
from streamer.parts.plan import Plan
from streamer.parts.values import PartDetections
from streamer.system.threads import Thread

_SOON_S = 10.0
_END_S = 5.0
_FRAMES_OF_A_PART = 16, 512
"""A part costs the decoding of the group of pictures before it; a worker that ends costs its part."""
_PARTS_OF_A_WORKER = 4
"""At least, so that all workers end at about the same time."""


class ClusterSupply:
    """The `PartSupply` of one file. Entering gives its parts to the workers; leaving takes back what is not detected.

    Args:
        group: the workers, until it is left.
        plan: the path of its input is absolute.
    """

    def __init__(self, group: WorkerGroup, plan: Plan) -> None:
        self._cluster, self._settings = group.cluster, group.settings
        self._pool = PartPool(group, plan)
        self._thread = Thread("pool", self._pool.run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self.close()
        self._thread.join(_END_S)

    @property
    def status(self) -> PoolStatus:
        """What the workers are doing. Any thread."""
        return self._pool.deliveries.status

    def start(self, say: Callable[[str], None]) -> None:
        """Wait until the first worker has loaded the detector. A wrong model or version is refused here.

        Args:
            say: gets one line if no worker starts, perhaps because there is no room on the cluster.

        Raises:
            ConfigError: a worker cannot detect this plan, or the workers differ; nothing has started in time.
            ClusterLost: the cluster went away.
            Interrupted: `close` was called.
        """
        soon_s = min(_SOON_S, self._settings.start_s)
        if self._pool.deliveries.wait_for_worker(soon_s):
            return
        if not self.status.started:
            say(f"no worker has started yet: {self._room()}")
        if self._pool.deliveries.wait_for_worker(self._settings.start_s - soon_s):
            return
        raise ConfigError(
            f"no worker has loaded the detector in {self._settings.start_s:g} s (cluster.start_s); "
            + ("it takes longer" if self.status.started else self._room())
        )

    def _room(self) -> str:
        needed = {"CPU": self._settings.num_cpus, "GPU": self._settings.num_gpus}
        needs = " and ".join(f"{amount:g} {name}" for name, amount in needed.items() if amount) or "nothing"
        try:
            has = self._cluster.resources
        except Exception:  # the connection is lost, which the pool finds out
            return f"each worker needs {needs}"
        return f"each worker needs {needs}, the cluster has {has.get('CPU', 0):g} CPU and {has.get('GPU', 0):g} GPU"

    def wait(self, number: int) -> PartDetections | None:
        """See `PartSupply`. Any thread. Also raises ClusterLost: the cluster went away."""
        return self._pool.deliveries.take(number)

    def close(self) -> None:
        """See `PartSupply`."""
        self._pool.close()


def worker_count(resources: Mapping[str, float], settings: ClusterSettings) -> int:
    """How many workers to ask for: those of the settings, or as many as there is room for, at least one.

    Args:
        resources: of the cluster: `CPU`, `GPU`.
        settings: of the workers.
    """
    if settings.workers is not None:
        return settings.workers
    needed = {"CPU": settings.num_cpus, "GPU": settings.num_gpus}
    room = [resources.get(name, 0.0) / amount for name, amount in needed.items() if amount]
    return max(int(min(room, default=1)), 1)


def part_count(frames: int | None, workers: int, settings: ClusterSettings) -> int:
    """How many parts a file has.

    Args:
        frames: of the file, as far as it says; None if unknown.
        workers: that detect it.
        settings: may have the number.
    """
    if settings.parts is not None:
        return settings.parts
    fewest = _PARTS_OF_A_WORKER * workers
    if frames is None:
        return fewest
    shortest, longest = _FRAMES_OF_A_PART
    return max(min(max(fewest, frames // longest), frames // shortest), 1)

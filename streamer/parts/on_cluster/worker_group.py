"""The workers on a cluster: actors, which live until the group is left and detect the parts of one file or of many.

Ray starts a worker again when its process ends (`max_restarts`); its parts are not retried by Ray (`max_task_retries`),
which would wait for that worker, but given to the next one that is free. The main thread enters and leaves the group;
the pool of each file makes calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from streamer.cluster.connection import Cluster
from streamer.config.settings import ClusterSettings
from streamer.parts.matching import SameWorkers
from streamer.parts.on_cluster.failures import checked
from streamer.parts.on_cluster.part_actor import PartActor


class WorkerGroup:
    """A context manager; entering asks Ray for the workers, leaving ends them all.

    Args:
        cluster: connected until the group is left.
        settings: of the workers.
        count: how many, from `worker_count`.
        same: compares the workers; the joins compare parts with the same.
        extensions: settings of features of other packages.
        many_files: keep the workers for the next file; otherwise they end when all parts of the first are detected.

    Attributes:
        actors: Ray's handles; none once they have ended.
    """

    def __init__(
        self,
        cluster: Cluster,
        settings: ClusterSettings,
        count: int,
        same: SameWorkers,
        *,
        extensions: Mapping[str, Mapping[str, Any]] | None = None,
        many_files: bool = False,
    ) -> None:
        self.cluster, self.settings, self.count, self.same = cluster, settings, count, same
        self.many_files = many_files
        self._extensions = {name: dict(values) for name, values in (extensions or {}).items()}
        self.actors: Sequence[Any] = ()

    def __enter__(self) -> Self:
        actor = self.cluster.ray.remote(PartActor).options(
            num_cpus=self.settings.num_cpus,
            num_gpus=self.settings.num_gpus,
            max_restarts=-1,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        parallel = max(int(self.settings.num_cpus), 1)
        try:
            self.actors = [actor.remote(parallel, self._extensions) for _ in range(self.count)]
        except Exception as error:  # of Ray, in a call that only sends
            checked(self.cluster.ray, error, str(self.cluster.address))
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self.end()

    def end(self) -> None:
        """End the workers; the pool of the only file, or whoever leaves the group once no pool is left."""
        actors, self.actors = self.actors, ()
        for actor in actors:
            with suppress(Exception):  # the connection is lost, and with it the workers
                self.cluster.ray.kill(actor)

"""The option `--cluster` of `run` and `batch`: plans a file, lets workers on Ray detect its parts, joins them.

The main thread calls it; the threads of a batch call `BatchOnCluster`.

Everything that is opened here is closed in the reverse order, however the run ends: the workers, then the connection or
the local cluster.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamer.cli.terminal import Terminal
from streamer.cluster.connection import ClusterAddress, LocalCluster, connect
from streamer.config.settings import Settings
from streamer.detectors import selection
from streamer.errors import ConfigError, Interrupted, ModelError
from streamer.features import SourceContext
from streamer.parts.joining import JoinedDetectors
from streamer.parts.matching import SameWorkers, joined_settings
from streamer.parts.on_cluster.cluster_supply import ClusterSupply, part_count, worker_count
from streamer.parts.on_cluster.worker_group import WorkerGroup
from streamer.parts.plan import Plan
from streamer.parts.planning import make_plan
from streamer.run.own_parts import OwnParts
from streamer.sources.selection import open_source
from streamer.system import paths
from streamer.system.secrets import redacted
from streamer.system.suggestions import counted

_OBJECT_STORE_BYTES = 512 << 20
"""Of a local cluster: the parts are taken out of it as soon as they are complete."""


@contextmanager
def parts_on_cluster(
    address: str, source: str, settings: Settings, terminal: Terminal, *, allow_mixed: bool
) -> Iterator[tuple[Settings, OwnParts]]:
    """The settings of a run of one file, and its detectors.

    Args:
        address: of the cluster, as the user gave it.
        source: the input, a file.
        settings: as the user gave them.
        terminal: gets messages and the state of the workers.
        allow_mixed: accept workers that compute different numbers.

    Raises:
        ConfigError: the address, the file or a setting does not fit; a worker cannot detect, or differs.
        ClusterUnavailable: there is no cluster.
        SourceUnavailable: the file cannot be read.
    """
    ClusterAddress.parse(address)
    if not paths.is_local(source):
        raise ConfigError(f"{redacted(source)} is no file; --cluster detects the parts of a file")
    _frame_count(source, settings)  # a file that cannot be read is refused before the cluster is connected
    with workers_on_cluster(address, settings, terminal, allow_mixed=allow_mixed) as group:
        plan = _planned(source, settings, group, terminal)
        with ClusterSupply(group, plan) as supply:
            terminal.message(f"{counted(len(plan.parts), 'part')} for {counted(group.count, 'worker')}")
            supply.start(terminal.message)
            first = counted(plan.parts[0].frames, "frame")
            terminal.message(f"detecting; output begins when part 0 is complete ({first})")
            joined = JoinedDetectors(plan, supply, group.same)
            with terminal.beside_progress(lambda: str(supply.status)):
                yield joined_settings(plan, settings), OwnParts(detectors=joined, observers=(joined,))
            if again := supply.status.again:
                terminal.message(f"{counted(again, 'part')} detected again, because a worker ended or failed")


@contextmanager
def workers_on_cluster(
    address: str, settings: Settings, terminal: Terminal, *, allow_mixed: bool, many_files: bool = False
) -> Iterator[WorkerGroup]:
    """The workers for one file, or for many. Arguments and errors as above."""
    where = ClusterAddress.parse(address)
    with suppress(ModelError):  # the file that has the classes may be on the workers only
        selection.check_classes(settings.detector)
    terminal.message("starting Ray on this machine" if where.is_local else f"connecting to {where}")
    with connect(where, local=_local_cluster(settings)) as cluster:
        count = worker_count(cluster.resources, settings.cluster)
        same = SameWorkers(allow_mixed=allow_mixed)
        group = WorkerGroup(
            cluster, settings.cluster, count, same, extensions=settings.extensions, many_files=many_files
        )
        with group:
            yield group


class BatchOnCluster:
    """The `streamer.run.several.RunParts` of a batch: the parts of its files go to the same workers.

    Args:
        group: the workers.
        settings: of every run.
    """

    def __init__(self, group: WorkerGroup, settings: Settings, terminal: Terminal) -> None:
        self._group, self._settings, self._terminal = group, settings, terminal
        self._lock = threading.Lock()  # guards all below
        self._supplies: set[ClusterSupply] = set()
        self._stopped = self._has_worker = False

    @contextmanager
    def of(self, source: str) -> Iterator[tuple[Settings, OwnParts]]:
        """See `RunParts`."""
        plan = _planned(source, self._settings, self._group, None)
        with ClusterSupply(self._group, plan) as supply:
            with self._lock:
                if self._stopped:
                    raise Interrupted
                self._supplies.add(supply)
            try:
                self._wait_for_worker(supply)
                joined = JoinedDetectors(plan, supply, self._group.same)
                yield joined_settings(plan, self._settings), OwnParts(detectors=joined, observers=(joined,))
            finally:
                with self._lock:
                    self._supplies.discard(supply)

    def _wait_for_worker(self, supply: ClusterSupply) -> None:
        """Refuse a cluster without room. Later files have no time limit: their parts wait behind those of others."""
        with self._lock:
            if self._has_worker:
                return
        supply.start(self._terminal.message)
        with self._lock:
            self._has_worker = True

    def stop(self) -> None:
        """See `RunParts`: wakes the runs that wait for their first part."""
        with self._lock:
            self._stopped = True
            supplies = list(self._supplies)
        for supply in supplies:
            supply.close()

    def discard(self) -> None:
        """See `RunParts`. Does nothing: the workers replace a detector that hangs."""


def _local_cluster(settings: Settings) -> LocalCluster:
    """Room for the workers; without a number of workers, the machine as it is."""
    wanted = settings.cluster
    cpus = None if wanted.workers is None else max(round(wanted.workers * wanted.num_cpus), 1)
    return LocalCluster(cpus=cpus, object_store_bytes=_OBJECT_STORE_BYTES)


def _frame_count(source: str, settings: Settings) -> int | None:
    """About how many frames the file has, as far as it says."""
    with open_source(source, settings.source, SourceContext()) as opened:
        info = opened.info
    if info.frame_count is None and info.duration_s is not None and info.average_fps is not None:
        return round(info.duration_s * info.average_fps)
    return info.frame_count


def _planned(source: str, settings: Settings, group: WorkerGroup, terminal: Terminal | None) -> Plan:
    parts = part_count(_frame_count(source, settings), group.count, settings.cluster)
    if terminal is None:
        return make_plan(Path(source), settings, parts)
    with terminal.file_progress(None, title="plan") as progress:
        return make_plan(Path(source), settings, parts, progress=progress.show)

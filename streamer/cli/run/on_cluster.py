"""The option `--cluster` of `run`: plans the file, lets workers on Ray detect its parts, joins them. Main thread.

Everything that is opened here is closed in the reverse order, however the run ends: the workers, then the connection or
the local cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamer.cli.terminal import Terminal
from streamer.cluster.connection import ClusterAddress, LocalCluster, connect
from streamer.config.settings import Settings
from streamer.detectors import selection
from streamer.errors import ConfigError, ModelError
from streamer.features import SourceContext
from streamer.parts.joining import JoinedDetectors
from streamer.parts.matching import SameWorkers, joined_settings
from streamer.parts.on_cluster.cluster_supply import ClusterSupply, part_count, worker_count
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
    """The settings of the run, and its detectors.

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
    where = ClusterAddress.parse(address)
    if not paths.is_local(source):
        raise ConfigError(f"{redacted(source)} is no file; --cluster detects the parts of a file")
    with suppress(ModelError):  # the file that has the classes may be on the workers only
        selection.check_classes(settings.detector)
    frames = _frame_count(source, settings)
    wanted = settings.cluster
    named = "this machine" if where.is_local else str(where)
    terminal.message(f"starting Ray on {named}" if where.is_local else f"connecting to {named}")
    with connect(where, local=_local_cluster(settings)) as cluster:
        workers = worker_count(cluster.resources, wanted)
        plan = _planned(source, settings, part_count(frames, workers, wanted), terminal)
        same = SameWorkers(allow_mixed=allow_mixed)
        extensions = settings.extensions
        with ClusterSupply(cluster, plan, wanted, workers, same, extensions=extensions) as supply:
            terminal.message(f"{counted(len(plan.parts), 'part')} for {counted(workers, 'worker')} on {named}")
            supply.start(terminal.message)
            first = counted(plan.parts[0].frames, "frame")
            terminal.message(f"detecting; output begins when part 0 is complete ({first})")
            joined = JoinedDetectors(plan, supply, same)
            with terminal.beside_progress(lambda: str(supply.status)):
                yield joined_settings(plan, settings), OwnParts(detectors=joined, observers=(joined,))
            if again := supply.status.again:
                terminal.message(f"{counted(again, 'part')} detected again, because a worker ended or failed")


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


def _planned(source: str, settings: Settings, parts: int, terminal: Terminal) -> Plan:
    with terminal.file_progress(None, title="plan") as progress:
        return make_plan(Path(source), settings, parts, progress=progress.show)

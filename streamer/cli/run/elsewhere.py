"""The options of `run` for detections that other processes make: the parts of a plan, or a Ray cluster. Main thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamer.cli.terminal import Terminal
from streamer.config.settings import Settings
from streamer.errors import ConfigError
from streamer.parts.folder import FolderSupply
from streamer.parts.joining import JoinedDetectors
from streamer.parts.matching import SameWorkers, joined_settings
from streamer.parts.plan_file import check_input, read_plan
from streamer.parts.values import part_names
from streamer.run.own_parts import OwnParts
from streamer.system import paths
from streamer.system.secrets import redacted


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where detections come from, if this process does not detect.

    Attributes:
        plan: the plan whose parts are joined.
        parts_in: the folder of its parts; beside the plan if None.
        cluster: the address of a Ray cluster.
        allow_mixed: join parts of workers that compute different numbers.
        wait_s: how long to wait while no part comes, seconds; no limit if None.

    Raises:
        ConfigError: options that exclude one another.
    """

    plan: Path | None = None
    parts_in: Path | None = None
    cluster: str | None = None
    allow_mixed: bool = False
    wait_s: float | None = None

    def __post_init__(self) -> None:
        if self.plan is not None and self.cluster is not None:
            raise ConfigError(
                "--plan joins parts that are detected elsewhere, --cluster detects them; give one of them"
            )
        for name, value in (("--parts-in", self.parts_in), ("--wait-for", self.wait_s)):
            if value is not None and self.plan is None:
                raise ConfigError(f"{name} is for the parts of a plan; give --plan, too")
        if self.wait_s is not None and not self.wait_s >= 0:  # NaN compares false
            raise ConfigError(f"--wait-for is a number of seconds from 0 on, not {self.wait_s:g}")
        if self.allow_mixed and not self.is_used:
            raise ConfigError("--allow-mixed is for --plan and --cluster; give one of them")

    @property
    def is_used(self) -> bool:
        """Whether other processes detect."""
        return self.plan is not None or self.cluster is not None

    def refuse_several(self) -> None:
        """Several inputs: `batch` is for those.

        Raises:
            ConfigError: the options are for one input.
        """
        if self.is_used:
            raise ConfigError("--plan and --cluster are for one file; 'streamer batch' takes several")

    @contextmanager
    def parts(self, source: str, settings: Settings, terminal: Terminal) -> Iterator[tuple[Settings, OwnParts | None]]:
        """The settings of the run, and its detectors; None if this process detects.

        Args:
            source: the input.
            settings: as the user gave them. What they leave open is taken from the plan.
            terminal: gets messages.

        Raises:
            ConfigError: the plan is of another file, or of other settings; a part is unusable.
            SourceUnavailable: the plan or the folder of the parts cannot be read.
            ClusterUnavailable: there is no cluster at the address.
        """
        if self.cluster is not None:
            from streamer.cli.run.on_cluster import parts_on_cluster

            mixed = self.allow_mixed
            with parts_on_cluster(self.cluster, source, settings, terminal, allow_mixed=mixed) as on_cluster:
                yield on_cluster
            return
        if self.plan is None:
            yield settings, None
            return
        if not paths.is_local(source):
            raise ConfigError(f"{redacted(source)} is no file; --plan joins the parts of a file")
        plan = read_plan(self.plan)
        check_input(plan, Path(source))
        settings = joined_settings(plan, settings)
        folder = self.parts_in or self.plan.parent
        workers = SameWorkers(allow_mixed=self.allow_mixed)
        typed = f"streamer detect {paths.as_argument(self.plan)} --part K -o {paths.as_argument(f'{folder}/')}"

        def waiting(missing: Sequence[int]) -> None:
            there = "" if paths.is_dir(folder) else ", which does not exist yet"
            terminal.message(f"waiting for {part_names(missing)} of {len(plan.parts)} in {folder}{there}")
            terminal.message(f"to detect one: {typed}; --wait-for 0 detects here what is missing")

        supply = FolderSupply(folder, plan, workers, wait_s=self.wait_s, waiting=waiting)
        try:
            supply.look()
            joined = JoinedDetectors(plan, supply, workers)
            yield settings, OwnParts(detectors=joined, observers=(joined,))
        finally:
            supply.close()

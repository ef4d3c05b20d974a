"""The options of `run` for detections that other processes make: the parts of a plan, or a Ray cluster. Main thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamer.cli.terminal import Terminal
from streamer.config.settings import Settings
from streamer.errors import ConfigError
from streamer.run.own_parts import OwnParts


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where detections come from, if this process does not detect.

    Attributes:
        plan: the plan whose parts are joined.
        parts_in: the folder of its parts; beside the plan if None.
        cluster: the address of a Ray cluster.
        allow_mixed: join parts of workers that compute different numbers.

    Raises:
        ConfigError: options that exclude one another.
    """

    plan: Path | None = None
    parts_in: Path | None = None
    cluster: str | None = None
    allow_mixed: bool = False

    def __post_init__(self) -> None:
        if self.plan is not None and self.cluster is not None:
            raise ConfigError(
                "--plan joins parts that are detected elsewhere, --cluster detects them; give one of them"
            )
        if self.parts_in is not None and self.plan is None:
            raise ConfigError("--parts-in is the folder of the parts of a plan; give --plan, too")
        if self.allow_mixed and self.plan is None and self.cluster is None:
            raise ConfigError("--allow-mixed is for --plan and --cluster; give one of them")

    def refuse_several(self) -> None:
        """Several inputs: `batch` is for those.

        Raises:
            ConfigError: the options are for one input.
        """
        if self.plan is not None or self.cluster is not None:
            raise ConfigError("--plan and --cluster are for one file; 'streamer batch' takes several")

    @contextmanager
    def parts(self, source: str, settings: Settings, terminal: Terminal) -> Iterator[OwnParts | None]:
        """The detectors of the run; None if this process detects.

        Args:
            source: the input.
            settings: of the run.
            terminal: gets messages.
        """
        del source, settings, terminal
        yield None

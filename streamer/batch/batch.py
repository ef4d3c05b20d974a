"""A batch: many files, each with its outputs in one folder, resumed where it ended. Main thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from streamer.batch.files import BatchFiles, find_files
from streamer.batch.journal import Journal
from streamer.batch.resuming import BatchFolder, Work
from streamer.batch.settings_digest import settings_digest
from streamer.config.settings import Settings
from streamer.detectors import selection
from streamer.errors import ConfigError, ModelError
from streamer.run.inputs import Inputs, Plan, plan, refuse_existing
from streamer.run.output_paths import default_output
from streamer.run.outputs import Outputs
from streamer.run.runs_reporter import RunsReporter
from streamer.run.session import StopHook
from streamer.run.several import RunParts, SeveralRuns
from streamer.sinks.selection import sink_class

log = logging.getLogger(__name__)

_RENAMED = (
    "%s: %s is done already, as %s: names begin at the folder that all inputs have in common, which is another one "
    "now; give the same folders to go on"
)
_APART = "rename one of them, or give each an output folder of its own"


@dataclass(frozen=True, slots=True)
class BatchOutputs:
    """The outputs of each file.

    Attributes:
        folder: of all outputs; it is made.
        video: write the annotated video, unless `outputs` of the settings has others.
        csv, mot: write boxes as CSV, and tracks as MOT Challenge text.
        overwrite: replace files that no batch has written.
    """

    folder: Path
    video: bool = True
    csv: bool = False
    mot: bool = False
    overwrite: bool = False

    def of(self, settings: Settings, source: str, name: str) -> Outputs:
        """The outputs of a file.

        Args:
            settings: of the batch.
            source: its path.
            name: its path below the common folder of the inputs.

        Raises:
            ConfigError: an output of the settings that is no single file.
        """
        outputs = Outputs.of(
            settings,
            source,
            typed=[default_output(source)] if self.video and not settings.outputs else [],
            jsonl=Path("{name}.jsonl"),
            csv=Path("{name}.csv") if self.csv else None,
            mot=Path("{name}.txt") if self.mot else None,
            report=Path("{name}.report.json"),
            overwrite=self.overwrite,
            out_dir=self.folder / Path(name.replace("%", "_")).parent,  # %H would be a part of the time
        )
        for entry in outputs.entries:
            if sink_class(entry).file_of(entry) is None:
                raise ConfigError(f"outputs: {entry.to} is no single file; a batch writes files, such as {{name}}.mkv")
        return outputs


class BatchReporter(RunsReporter, Protocol):
    """Receives what happens in a batch."""

    def found(self, names: Mapping[str, str], work: Work) -> None:
        """What is done and what is to do, before the first run.

        Args:
            names: path of each input to its path below the common folder.
            work: all files.
        """
        ...


class Batch:
    """Runs files, some at the same time, and records which are done.

    Args:
        given: patterns, folders and files.
        outputs: of each file.
        settings: of every run.
        reporter: of the batch.
        jobs: how many files run at the same time.
        parts: makes what has the detectors of the files, if a file is to do; this process loads them if None.
        started_s: when the program began, on the monotonic clock; now if None.
    """

    def __init__(
        self,
        given: Sequence[str],
        outputs: BatchOutputs,
        settings: Settings,
        reporter: BatchReporter,
        *,
        jobs: int = 1,
        parts: Callable[[], AbstractContextManager[RunParts]] | None = None,
        started_s: float | None = None,
    ) -> None:
        self._given = given
        self._outputs = outputs
        self._settings = settings
        self._reporter = reporter
        self._jobs = jobs
        self._parts = parts
        self._started_s = started_s

    def run(self, *, on_ready: StopHook = lambda _: None) -> None:
        """Run the files that are not done.

        Args:
            on_ready: called before the first frame with the function that ends the batch.

        Raises:
            Interrupted: the user ended it. Files that were complete stay, the others leave nothing.
            SourceUnavailable: a pattern matches nothing.
            ConfigError: outputs with one name or that exist, settings that a batch cannot have, or another batch that
                writes into the folder.
            SinkUnavailable: the folder cannot be written.
            RunsFailed: some files failed; all have been tried, unless the disk is full.
        """
        self._check_settings()
        files = find_files(self._given, self._outputs.folder)
        planned = self._plan(files)
        for note in (*files.notes, *planned.notes):
            self._reporter.message(note)
        settings = settings_digest(self._settings)
        with Journal(self._outputs.folder) as journal:
            folder = BatchFolder(self._outputs.folder, files.names, journal, settings)
            if not self._outputs.overwrite:
                refuse_existing(path for run in planned.runs for path in folder.of_others(run))
            if renamed := folder.renamed():
                log.warning(_RENAMED, self._outputs.folder, *renamed)
            work = folder.plan_work(planned.runs)
            self._reporter.found(files.names, work)
            with self._parts() if self._parts is not None and work.to_do else nullcontext() as parts:
                SeveralRuns(
                    work.to_do,
                    self._settings,
                    self._reporter,
                    started_s=self._started_s,
                    jobs=self._jobs,
                    log=folder,
                    parts=parts,
                    keep_interrupted=False,
                ).run(on_ready=on_ready)

    def _plan(self, files: BatchFiles) -> Plan:
        """The runs of all files."""

        def outputs_of(source: str) -> Outputs:
            return self._outputs.of(self._settings, source, files.names[source])

        inputs = Inputs(tuple(files.names))
        return plan(inputs, self._settings.source, outputs_of, may_replace=lambda _: True, apart=_APART)

    def _check_settings(self) -> None:
        """Refuse an unknown class or model, and what only one run may have, before the output folder is made.

        Raises:
            ConfigError, ModelError: with the setting.
        """
        with suppress(ModelError) if self._parts is not None else nullcontext():  # the model may be elsewhere
            selection.check_classes(self._settings.detector)
        one_only = {"store.folder": self._settings.store.folder, "metrics.address": self._settings.metrics.address}
        for name, value in one_only.items():
            if value is not None and self._jobs > 1:
                raise ConfigError(f"{name} is for one run at a time; give one job, or remove the setting")

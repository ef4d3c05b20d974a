"""Decides which files of a batch are done, and records which are, so that a batch goes on where it was killed.

`plan_work` is called before the first run; the threads of the runs call `BatchLog`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from streamer.batch.file_identity import FileIdentity
from streamer.batch.journal import Entry, FileState, Journal
from streamer.errors import SinkError, SourceLost, StreamerError
from streamer.run.inputs import PlannedRun
from streamer.run.outcome import Outcome
from streamer.sinks.video.recovery import lock
from streamer.sinks.video.segment_names import partials_of

NEW = "new"
INTERRUPTED = "interrupted before"
FAILED = "failed before"
SETTINGS = "done with other settings"
INPUT = "changed since"
OUTPUTS = "have an output that is missing or changed"
"""Why a file is to do."""


@dataclass(frozen=True, slots=True)
class Work:
    """The files of a batch.

    Attributes:
        to_do: in the order in which they run. Those during which the program ended before come last: should one of them
            have ended it, the others are done.
        done: entries of the journal.
        why: number of files to do by reason.
    """

    to_do: tuple[PlannedRun, ...]
    done: tuple[Entry, ...]
    why: Mapping[str, int]


class BatchFolder:
    """The output folder, with the names under which the journal has inputs and outputs.

    Args:
        folder: of the outputs.
        names: path of each input to its name in the journal.
        journal: entered.
        settings: identifies the settings, from `settings_digest`.
    """

    def __init__(self, folder: Path, names: Mapping[str, str], journal: Journal, settings: str) -> None:
        self._folder = folder
        self._names = names
        self._journal = journal
        self._settings = settings

    def of_others(self, run: PlannedRun) -> list[Path]:
        """The outputs of a run that are none of this batch, or belong to another input of the same name.

        An input that was only moved is the same one; so is one that has changed in its place.
        """
        entry = self._journal.entry(self._names[run.source])
        if entry is not None and _is_of_another(entry, Path(run.source)):
            return list(run.outputs.files)
        return [path for path in run.outputs.files if not self._journal.has_written(self._key(path))]

    def renamed(self) -> tuple[str, str] | None:
        """The name of an input that is done under another one, and that one; None if there is none."""
        done = self._journal.names_of_done()
        for source, name in self._names.items():
            before = done.get(str(Path(source).absolute()), name)
            if before != name and self._journal.entry(name) is None:
                return name, before
        return None

    def plan_work(self, runs: Sequence[PlannedRun]) -> Work:
        """Compare the files with the journal. Reads those whose times have changed."""
        to_do: list[PlannedRun] = []
        last: list[PlannedRun] = []
        done: list[Entry] = []
        why: Counter[str] = Counter()
        for run in runs:
            entry = self._journal.entry(self._names[run.source])
            reason = self._reason(run, entry)
            if reason is None:
                assert entry is not None
                done.append(entry)
                continue
            why[reason] += 1
            exists = any(os.path.lexists(path) for path in run.outputs.files)
            (last if reason == INTERRUPTED else to_do).append(
                replace(run, outputs=replace(run.outputs, overwrite=run.outputs.overwrite or exists))
            )
        return Work((*to_do, *last), tuple(done), why)

    def _reason(self, run: PlannedRun, entry: Entry | None) -> str | None:
        """Why a file is to do; None if it is done."""
        if entry is None:
            return NEW
        if entry.state is not FileState.DONE or entry.input is None:
            return FAILED if entry.state is FileState.FAILED else INTERRUPTED
        if entry.settings != self._settings or set(entry.outputs) != set(self._outputs(run)):
            return SETTINGS
        if not entry.input.is_of(Path(run.source)):
            return INPUT
        written = ((identity, self._folder / name) for name, identity in entry.outputs.items())
        # An output without a frame is not written.
        return None if all(one is None or one.is_of(path) for one, path in written) else OUTPUTS

    def begin(self, run: PlannedRun) -> None:
        """Record that a file has begun; remove what a killed program has left of it. See `RunLog`."""
        name = self._names[run.source]
        before = self._journal.entry(name)
        if before is not None and before.state is FileState.BEGUN:
            for path in run.outputs.files:
                _remove_partials(path)
        read = None
        with suppress(OSError):  # the run reports a file that cannot be read
            read = FileIdentity.of(Path(run.source))
        self._journal.add(self._entry(name, run).model_copy(update={"input": read}))

    def end(self, run: PlannedRun, outcome: Outcome) -> Outcome:
        """Record that a file is done, or has failed. See `RunLog`."""
        if outcome.interrupted:
            return outcome
        name = self._names[run.source]
        entry = self._entry(name, run)
        if outcome.error is None:
            try:
                read = self._unchanged(name, run)
                written = {key: FileIdentity.of(path) for key, path in self._outputs(run).items() if path.exists()}
            except OSError as error:
                problem = SinkError(f"{error.filename}: {error.strerror}, right after it was written")
                outcome = replace(outcome, error=problem)
            except SourceLost as problem:
                outcome = replace(outcome, error=problem)
            else:
                done = {"state": FileState.DONE, "input": read, "outputs": {**entry.outputs, **written}}
                self._journal.add(entry.model_copy(update={**done, "figures": outcome.figures}))
                return outcome
        text = str(outcome.error) if isinstance(outcome.error, StreamerError) else repr(outcome.error)
        self._journal.add(entry.model_copy(update={"state": FileState.FAILED, "error": text}))
        return outcome

    def _unchanged(self, name: str, run: PlannedRun) -> FileIdentity:
        """What was read. Raises SourceLost if the file was changed meanwhile, OSError if it is gone."""
        begun = self._journal.entry(name)
        assert begun is not None
        source = Path(run.source)
        if begun.input is None or not begun.input.is_of(source):
            raise SourceLost(f"{source} was changed while it was read; run the command again when it is complete")
        return begun.input

    def _entry(self, name: str, run: PlannedRun) -> Entry:
        outputs = dict.fromkeys(self._outputs(run))
        source = str(Path(run.source).absolute())
        return Entry(file=name, state=FileState.BEGUN, settings=self._settings, source=source, outputs=outputs)

    def _outputs(self, run: PlannedRun) -> dict[str, Path]:
        """Name in the journal to path."""
        return {self._key(path): path for path in run.outputs.files}

    def _key(self, path: Path) -> str:
        return os.path.relpath(path, self._folder).replace(os.sep, "/")


def _is_of_another(entry: Entry, source: Path) -> bool:
    is_elsewhere = entry.source not in ("", str(source.absolute()))
    return is_elsewhere and entry.input is not None and not entry.input.is_of(source)


def _remove_partials(path: Path) -> None:
    """Remove the hidden files that a killed program has left for an output, unless another program writes them."""
    for partial in list(partials_of(path)):
        with suppress(OSError):
            held = lock(partial)
            partial.unlink()
            os.close(held)

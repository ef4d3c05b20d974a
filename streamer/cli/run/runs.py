"""Runs the inputs of the command `run`: one with its full report, several with a line each. Main thread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamer.cli.run.elsewhere import Elsewhere
from streamer.cli.run.several_report import RunsTerminal
from streamer.cli.terminal import Terminal
from streamer.config.settings import Settings
from streamer.errors import ConfigError
from streamer.replay.recorder import Recorder
from streamer.run.inputs import Inputs, plan
from streamer.run.output_lock import locked_outputs
from streamer.run.outputs import Outputs
from streamer.run.session import Session, StopHook
from streamer.run.several import SeveralRuns
from streamer.run.trackers import tracker_settings


def run_inputs(
    inputs: Inputs,
    settings: Settings,
    outputs: Mapping[str, Any],
    terminal: Terminal,
    where: Elsewhere,
    *,
    record: Path | None,
    started_s: float,
    on_ready: StopHook,
) -> None:
    """Run one input, or several one after the other.

    Args:
        inputs: from `find_inputs`.
        settings: of every run.
        outputs: keyword arguments of `Outputs.of`.
        terminal: gets messages, progress and reports.
        where: whether other processes detect.
        record: the folder of a recording; of one input only.
        started_s: when the program began, on the monotonic clock.
        on_ready: gets the function that ends the run.

    Raises:
        Interrupted: the user ended it.
        StreamerError: a run failed; of several inputs, the others have been run.
    """
    for note in inputs.notes:
        terminal.message(note)
    if len(inputs.sources) > 1:
        if record is not None:
            raise ConfigError("--record records one source; run each one alone")
        where.refuse_several()
        planned = plan(inputs, settings.source, lambda source: Outputs.of(settings, source, **outputs))
        for note in planned.notes:
            terminal.message(note)
        SeveralRuns(planned.runs, settings, RunsTerminal(terminal), started_s=started_s).run(on_ready=on_ready)
        return
    (source,) = inputs.sources
    made = Outputs.of(settings, source, **outputs)
    if made.use_standard_output:
        terminal.leave_output()
    if where.is_used:
        made.make_folders()
    locked = locked_outputs(made.files if where.is_used else ())
    with locked, where.parts(source, settings, terminal) as (settings, own):
        observers = [] if record is None else [Recorder(record, source, tracker_settings(settings))]
        session = Session(source, made, settings, terminal, started_s=started_s, observers=observers, own=own)
        session.run(on_ready=on_ready)

"""The command behind `main.py replay`. Main thread."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streamer.cli import commands
from streamer.cli.terminal import Terminal
from streamer.system.interrupts import Interrupts


def replay(
    folder: Path,
    outputs: Mapping[str, Any],
    config: Path | None,
    assignments: Sequence[str],
    tracker: str | None,
    *,
    quiet: bool,
    started_s: float,
) -> int:
    """Run a recorded run again; `outputs` is as for `Outputs.of`, `config` and `assignments` as for `load_settings`."""

    def work(terminal: Terminal, interrupts: Interrupts) -> None:
        from streamer.config.loading import load_settings
        from streamer.replay.recording import Recording
        from streamer.replay.session import ReplaySession
        from streamer.run.outputs import Outputs

        recording = Recording(folder)
        own = recording.header
        known = [f"tracker.name={own.tracker}"]
        known += [f"tracker.options.{name}={json.dumps(value)}" for name, value in own.tracker_options.items()]
        settings = load_settings(config, [*([] if tracker else known), *assignments], {"tracker.name": tracker})
        wanted = Outputs.of(settings, str(folder), **outputs)
        ReplaySession(recording, wanted, settings, terminal, interrupts, started_s=started_s).run()

    return commands.guarded(work, quiet=quiet)

"""The command `check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from streamer.cli.command import command
from streamer.cli.options import Assign, flag, value
from streamer.cli.serve.command import default_file
from streamer.errors import StreamerError
from streamer.system.suggestions import counted

if TYPE_CHECKING:
    from streamer.cli.terminal import Terminal
    from streamer.serve.checks.file import CheckedFile


def check(
    config: Annotated[
        Path | None,
        value(
            "--config",
            "FILE",
            "YAML file for 'serve' or 'run'.",
            default="the file of 'serve' without --config",
        ),
    ] = None,
    connect: Annotated[bool, flag("--connect", "Also open the sources; show size, frame rate and codec.")] = False,
    assign: Assign = None,
) -> None:
    """Check a configuration file without running it.

    Exit code 0: no problem. 2: an invalid setting. 1: with --connect, a source that cannot be opened.
    """
    with command(prints=True, has_options=False) as (terminal, _):
        from streamer.serve.checks.file import check_file

        file = config or default_file()
        if config is None and not file.exists():
            terminal.line(f"no {file} yet: 'streamer serve' starts without cameras, and its page makes the file")
            return
        checked = check_file(file, assign or [], site=config is None)
        for line in checked.lines:
            terminal.line(line)
        if connect:
            _connect(checked, terminal)


def _connect(checked: CheckedFile, terminal: Terminal) -> None:
    """Open the sources and show what they send.

    Raises:
        StreamerError: one cannot be opened.
    """
    from streamer.serve.checks.connect import connect_all

    failed, width = 0, max(map(len, checked.sources), default=0)
    for name, answer in connect_all(checked.sources):
        failed += not answer.is_open
        terminal.line(f"{name:{width}}  {answer.text}")
    if failed:
        raise StreamerError(f"{failed} of {counted(len(checked.sources), 'source')} cannot be opened")

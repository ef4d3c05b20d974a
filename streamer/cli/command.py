"""One command from its start to its exit code: messages, signals and errors."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from streamer.errors import ConfigError, Interrupted, StreamerError
from streamer.system import standard_streams
from streamer.system.interrupts import Interrupts

if TYPE_CHECKING:
    from streamer.cli.terminal import Terminal

FAILED = 1
INTERRUPTED_BASE = 128


@contextmanager
def command(
    *, quiet: bool = False, json_logs: bool = False, prints: bool = False, has_options: bool = True
) -> Iterator[tuple[Terminal, Interrupts]]:
    """The terminal and the signals of a command; an error inside becomes a message and an exit code.

    Args:
        quiet, json_logs, has_options: see `Terminal`.
        prints: the result of the command is what it prints. The command fails if that cannot be written, except where
            the reader has gone.

    Raises:
        typer.Exit: the command failed or was interrupted.
    """
    from streamer.cli.terminal import Terminal

    terminal, code = Terminal(quiet=quiet, json_logs=json_logs, has_options=has_options), 0
    if not prints:
        standard_streams.drop_unread_output()
    with Interrupts() as interrupts:
        try:
            yield terminal, interrupts
        except (Exception, KeyboardInterrupt) as error:
            code = _exit_code(error, terminal, interrupts)
        else:
            if prints and (reason := standard_streams.lost_output()):
                terminal.error(f"cannot write to standard output: {reason}")
                code = FAILED
    if code:
        raise typer.Exit(code)


def _exit_code(error: BaseException, terminal: Terminal, interrupts: Interrupts) -> int:
    """Report the error that ended a command."""
    number = interrupts.signal_number
    if isinstance(error, Interrupted) and number is None:  # the user closed the window
        return 0
    if isinstance(error, StreamerError):
        for problem in error.problems if isinstance(error, ConfigError) else (str(error),):
            terminal.error(problem)
        return error.exit_code
    # A library may turn KeyboardInterrupt into an error of its own: pydantic does so while it builds a model.
    if number is not None and (interrupts.raised or isinstance(error, Interrupted | KeyboardInterrupt)):
        terminal.message("interrupted")
        return INTERRUPTED_BASE + number
    if isinstance(error, ImportError):
        terminal.error(f"{error}; {_import_remedy(error)}")
    else:  # a bug: the text of a library may contain an address with its password, which the terminal hides
        terminal.crash("".join(traceback.format_exception(error)))
    return FAILED


def _import_remedy(error: ImportError) -> str:
    # OpenCV's wheel needs libraries that slim container images do not have.
    if any(library in str(error) for library in ("libGL", "libgthread", "libglib")):
        return "install the system's OpenGL and GLib libraries (Debian, Ubuntu: apt-get install libgl1 libglib2.0-0)"
    return "install the program's packages (make demo, or pip install .)"

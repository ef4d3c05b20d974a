"""The command line: its commands, their groups, and the exit code of the process.

Exit codes: 0 the command did its work, 1 something failed on the way, 2 the input cannot work, 130 / 143 / 129 ended by
Ctrl-C / SIGTERM / SIGHUP. Every command imports the heavy libraries that it needs, so `--help` answers at once.
"""

from __future__ import annotations

import sys

import typer

from streamer.cli import commands, evaluation_commands, model_commands
from streamer.system import standard_streams

app = typer.Typer(
    help="Accurate object detection on video, without making the video slow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (commands.run, commands.replay, commands.demo, commands.track, commands.probe):
    app.command()(command)

models = typer.Typer(help="Model weights: list, download, check.", no_args_is_help=True)
models.command("list")(model_commands.list_models)
models.command("fetch")(model_commands.fetch)
models.command("check")(model_commands.check)
models.command("labels")(model_commands.labels)
app.add_typer(models, name="models")

evaluate = typer.Typer(help="Measure tracks and displayed boxes, with or without ground truth.", no_args_is_help=True)
evaluate.command("tracking")(evaluation_commands.tracking)
evaluate.command("streaming")(evaluation_commands.streaming)
evaluate.command("video")(evaluation_commands.video)
app.add_typer(evaluate, name="evaluate")


def run_program(started_s: float) -> None:
    """Parse the arguments of the process, run the command and leave with its exit code.

    Args:
        started_s: when the program began, on the monotonic clock; commands find it in `typer.Context.obj`.
    """
    standard_streams.protect()
    try:
        app(obj=started_s)
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        if "streamer.flow.threads" in sys.modules:  # only then can a thread be left that does not end
            sys.modules["streamer.flow.threads"].leave(code)
        raise

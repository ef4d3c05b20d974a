"""The command line: its commands, their groups, and the exit code of the process.

Exit codes: 0 success, 1 runtime failure, 2 invalid input, 130 / 143 / 129 ended by Ctrl-C / SIGTERM / SIGHUP. Every
command imports the heavy libraries that it needs, so `--help` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from streamer.cli import commands
from streamer.cli.cluster import batch as batch_command
from streamer.cli.cluster import detect as detect_command
from streamer.cli.cluster import plan as plan_command
from streamer.cli.evaluate import detection, sequences
from streamer.cli.events import commands as event_commands
from streamer.cli.events import export as event_export
from streamer.cli.events import notify as notify_commands
from streamer.cli.events import recordings
from streamer.cli.models import commands as model_commands
from streamer.cli.models import pools as pool_commands
from streamer.cli.run_options import RunCommand
from streamer.cli.serve import check as check_command
from streamer.cli.serve import command as serve_command
from streamer.cli.serve import control_commands, user_commands
from streamer.system import standard_streams

NAME = "streamer"
HELP = """Detect and track objects in videos, webcams and IP cameras.

[not dim]streamer run clip.mp4                             writes clip.annotated.mp4
streamer run 0 --show                             webcam, in a window
streamer run rtsp://CAMERA/PATH -o rec/%H%M.mp4   IP camera, recorded[/]
"""


class FirstScreen(TyperGroup):
    """The help without the panel of -h and --version, so that it fits a terminal of 24 lines."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option -h of the program, which works but is not listed."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.hidden = True
        return option


app = typer.Typer(
    cls=FirstScreen,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=RunCommand)(commands.run)
app.command()(serve_command.serve)
app.command()(check_command.check)
app.command()(batch_command.batch)
for command in (commands.replay, commands.demo, commands.probe):
    app.command()(command)
for hidden in (plan_command.plan, detect_command.detect, commands.track):
    app.command(hidden=True)(hidden)

models = typer.Typer(help="List, download, check and serve models; show their classes.", no_args_is_help=True)
models.command("list")(model_commands.list_models)
models.command("fetch")(model_commands.fetch)
models.command("check")(model_commands.check)
models.command("labels")(model_commands.labels)
models.command("serve")(pool_commands.serve)
models.command("pools")(pool_commands.pools)
models.command("stop")(pool_commands.stop)
app.add_typer(models, name="models")

app.command()(recordings.export)
app.command(hidden=True)(control_commands.reload)  # as `cameras reload`, and the verb of systemctl
cameras = typer.Typer(help="List, add, remove and restart the cameras of a site.", no_args_is_help=True)
cameras.command("list")(control_commands.list_cameras)
cameras.command("add")(control_commands.add)
cameras.command("remove")(control_commands.remove)
cameras.command("restart")(control_commands.restart)
cameras.command("reload")(control_commands.reload)
app.add_typer(cameras, name="cameras")

user = typer.Typer(help="Add, remove and list the users of the page, and their tokens.", no_args_is_help=True)
user.command("add")(user_commands.add)
user.command("passwd")(user_commands.passwd)
user.command("remove")(user_commands.remove)
user.command("list")(user_commands.list_users)
user.command("token")(user_commands.token)
app.add_typer(user, name="user")

notify = typer.Typer(help="List and test the targets that are told of events.", no_args_is_help=True)
notify.command("list")(notify_commands.list_targets)
notify.command("test")(notify_commands.send_test)
app.add_typer(notify, name="notify")

events = typer.Typer(help="List, follow, export and delete stored events.", no_args_is_help=True)
events.command("list")(event_commands.list_events)
events.command("show")(event_commands.show)
events.command("follow")(event_commands.follow)
events.command("export")(event_export.export)
events.command("delete")(event_commands.delete)
events.command("favourite")(event_commands.favourite)
events.command("check")(event_commands.check)
app.add_typer(events, name="events")

evaluate = typer.Typer(help="Measure detections, tracks and displayed boxes.", no_args_is_help=True)
evaluate.command("detection")(detection.detection)
evaluate.command("tracking")(sequences.tracking)
evaluate.command("streaming")(sequences.streaming)
evaluate.command("video")(sequences.video)
evaluate.command("mot-to-coco")(detection.mot_to_coco)
app.add_typer(evaluate, name="evaluate")


def _show_version(wanted: bool) -> None:
    if wanted:
        package = sys.modules["streamer"]  # imported before this module, which must not import what is above it
        typer.echo(f"{NAME} {package.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Show the version and exit.", callback=_show_version, is_eager=True, hidden=True
        ),
    ] = False,
) -> None:
    pass


def run_program(started_s: float) -> None:
    """Parse the arguments of the process, run the command and leave with its exit code.

    Args:
        started_s: when the program began, on the monotonic clock; commands find it in `typer.Context.obj`.
    """
    standard_streams.protect()
    try:
        app(obj=started_s, prog_name=NAME)
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        if "streamer.flow.threads" in sys.modules:  # only then can a thread be left that does not end
            sys.modules["streamer.flow.threads"].leave(code)
        raise

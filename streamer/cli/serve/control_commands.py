"""The commands `reload` and `cameras`: they change a running `streamer serve` through its control socket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.command import command
from streamer.cli.options import flag, value
from streamer.errors import ConfigError

if TYPE_CHECKING:
    from streamer.serve.control.client import SiteClient

Socket = Annotated[
    Path | None,
    value("--socket", "PATH", "Control socket of the site.", default="that of the site that runs here"),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the camera.", show_default=False)]


def reload(socket: Socket = None) -> None:
    """Apply the changed settings file to the running site.

    Cameras whose settings are the same go on without a gap. An invalid file changes nothing.
    """
    with command(prints=True) as (terminal, _):
        terminal.line(site_at(socket).reload())


def list_cameras(
    as_json: Annotated[bool, flag("--json", "Print JSON.")] = False,
    socket: Socket = None,
) -> None:
    """List the cameras of the running site, with their state."""
    with command(prints=True) as (terminal, _):
        from streamer.cli.serve import camera_table

        cameras = site_at(socket).cameras()
        if as_json:
            terminal.json(cameras)
            return
        terminal.table(camera_table.table(cameras))
        for line in camera_table.faults(cameras):
            terminal.line(line)


def add(
    name: Name,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Address, webcam or file, as of 'run'.", show_default=False)
    ],
    output: Annotated[
        list[str] | None,
        value(
            "--output",
            "FILE|URL",
            "Output, as of 'run'; files are relative to the site's folder. Repeatable.",
            None,
            "-o",
        ),
    ] = None,
    assign: Annotated[
        list[str] | None,
        value("--set", "KEY=VALUE", "Setting of the camera, as in the site's file: detector.fps=1. Repeatable."),
    ] = None,
    socket: Socket = None,
) -> None:
    """Add a camera to the running site, until the next reload."""
    with command(prints=True) as (terminal, _):
        from streamer.config.loading import unchecked_values
        from streamer.system.secrets import SECRETS

        SECRETS.split(source)
        settings = unchecked_values(None, assign or (), {"source.uri": source})
        if output:  # those of the site's defaults, otherwise
            settings["outputs"] = [{"to": to} for to in output]
        site_at(socket).add(name, settings)
        terminal.line(f"added {name}; write it into the settings file as well, or the next reload removes it")


def remove(name: Name, socket: Socket = None) -> None:
    """End a camera of the running site, until the next reload."""
    with command(prints=True) as (terminal, _):
        site_at(socket).remove(name)
        terminal.line(f"removed {name}; delete it from the settings file as well, or the next reload adds it")


def restart(name: Name, socket: Socket = None) -> None:
    """End a camera of the running site and start it again."""
    with command(prints=True) as (terminal, _):
        site_at(socket).restart(name)
        terminal.line(f"restarted {name}")


def site_at(path: Path | None) -> SiteClient:
    """The site that is meant: that of a socket, or the only one that runs.

    Raises:
        ConfigError: none runs, or several.
    """
    from streamer.serve.control import paths
    from streamer.serve.control.client import SiteClient

    if path is not None:
        return SiteClient(path)
    found = paths.running()
    if not found:
        hidden = [folder for folder in paths.folders() if folder.exists() and not os.access(folder, os.R_OK | os.X_OK)]
        places = ", ".join(f"{folder}{' (try sudo)' * (folder in hidden)}" for folder in paths.folders())
        remedy = "start one with 'streamer serve --config FILE', or give its socket with --socket"
        raise ConfigError(f"no 'streamer serve' is running (no socket in {places}); {remedy}")
    if len(found) > 1:
        raise ConfigError(f"several sites are running; choose one: --socket {' or --socket '.join(map(str, found))}")
    return SiteClient(found[0])

"""The command `export`: a time span of a continuous recording as one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from streamer.cli.command import command
from streamer.cli.events.options import Config, Store, store_folder
from streamer.cli.options import Quiet, flag, value
from streamer.errors import ConfigError

if TYPE_CHECKING:
    from streamer.cli.terminal import Terminal
    from streamer.clips.exports.plan import ExportPlan, Span
    from streamer.clips.exports.writer import Exported
    from streamer.store.recordings import StoredRecording

_TOLD_S = 0.05
"""A file that begins so little before the time that was asked for begins there."""


def export(
    begin: Annotated[str, value("--from", "TIME", "Begin: '2026-11-26 10:15', 'yesterday 10:15', '2 hours ago'.")],
    end: Annotated[str, value("--to", "TIME", "End; a time of day alone is the first one after the begin.")] = "now",
    camera: Annotated[
        str | None, value("--camera", "NAME", "Name of the camera.", default="the only one of the store")
    ] = None,
    output: Annotated[
        Path | None, value("--output", "FILE", "Video to write.", None, "-o", default="NAME-DATE-TIME.mp4")
    ] = None,
    store: Store = None,
    config: Config = None,
    recordings: Annotated[
        str | None,
        value(
            "--recordings",
            "PATTERN",
            "Names of the recording's files, such as 'rec/%Y%m%d-%H%M%S.mp4': instead of a store, or to choose one "
            "recording of a camera.",
        ),
    ] = None,
    overwrite: Annotated[bool, flag("--overwrite", "Replace the file if it exists.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write a time span of a recording as one file.

    Nothing is encoded again, so it begins with the keyframe before the begin. Times without a recording are left out.
    """
    with command(quiet=quiet, prints=True) as (terminal, _):
        from streamer.clips.event_files import camera_folder
        from streamer.clips.exports.plan import make_plan
        from streamer.clips.exports.writer import export as write

        span = _span(begin, end)
        named_only = recordings is not None and store is None and config is None
        folder = None if named_only else store_folder(store, config)
        name, files = _files(span, camera, folder, recordings)
        plan = make_plan(files, span)
        assert plan is not None  # `_files` has refused a span without files
        target = output or Path(f"{camera_folder(name)}-{datetime.fromtimestamp(span.start_time):%Y%m%d-%H%M%S}.mp4")
        with _progress(terminal) as progress:
            done = write(plan, target, overwrite=overwrite, progress=progress)
        _report(terminal, target, plan, done)


def _span(begin: str, end: str) -> Span:
    from streamer.cli.events.times import local, moment_of
    from streamer.clips.exports.plan import Span

    now = datetime.now(UTC).astimezone()
    since = moment_of(begin, now)
    until = min(moment_of(end, now, after=since), now)
    if since >= now:
        raise ConfigError(f"--from is {local(since.timestamp())}, which is not past")
    if until <= since:
        raise ConfigError(f"--to is {local(until.timestamp())}, which is not after --from, {local(since.timestamp())}")
    return Span(since.timestamp(), until.timestamp())


@contextmanager
def _progress(terminal: Terminal) -> Iterator[Callable[[float], None]]:
    """A bar in a terminal; gets the share that is done, 0..1."""
    if not (terminal.shows_progress and terminal.messages.is_terminal):
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    columns = (BarColumn(bar_width=20), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.messages, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _files(
    span: Span, camera: str | None, folder: Path | None, pattern: str | None
) -> tuple[str, list[StoredRecording]]:
    """The name of the camera or recording, and its files that have frames of the span.

    Raises:
        ConfigError: there are none.
    """
    from streamer.clips.exports.plan import existing, make_plan, named_files

    if folder is None:
        assert pattern is not None
        name, found, where = camera or _plain(pattern), named_files(pattern, span), f"file of {pattern}"
    else:
        name, found = _stored(span, camera, folder)
        found, where = existing(one for one in found if pattern in (None, one.recording)), f"recording of {name}"
    if make_plan(found, span) is None:
        from streamer.cli.events.times import local

        times = f"from {local(span.start_time, tenths=True)} to {local(span.end_time, tenths=True)}"
        raise ConfigError(f"no {where} {times}")
    patterns = sorted({file.recording for file in found})
    if len(patterns) > 1:
        raise ConfigError(f"{name} has several recordings; pass --recordings with one of {', '.join(patterns)}")
    return name, found


def _plain(pattern: str) -> str:
    """A name for the output of a recording without a camera: `gate` for `rec/gate-%Y%m%d.mp4`."""
    return Path(pattern).name.partition("%")[0].strip("-_. ") or "recording"


def _stored(span: Span, camera: str | None, folder: Path) -> tuple[str, list[StoredRecording]]:
    from streamer.store import recordings
    from streamer.store.commands.access import reading
    from streamer.system.suggestions import did_you_mean

    with reading(folder) as connection:
        known = recordings.cameras(connection)
        if camera is None and len(known) == 1:
            camera = next(iter(known))
        if not known:
            raise ConfigError(
                f"the store in {folder} knows no recording; pass --recordings with the names of its files"
            )
        if camera is None:
            raise ConfigError(f"pass --camera: {', '.join(known)}")
        if camera not in known:
            hint = did_you_mean(camera, known, otherwise=f"cameras: {', '.join(known)}")
            raise ConfigError(f"no recording of a camera {camera!r}; {hint}")
        return camera, recordings.find(connection, camera, span.start_time, span.end_time)


def _report(terminal: Terminal, target: Path, plan: ExportPlan, done: Exported) -> None:
    from streamer.cli.events.times import duration, local, size

    for gap in plan.gaps:
        begin, end, lasts = gap.start_time, gap.end_time, duration(gap.end_time - gap.start_time)
        terminal.message(
            f"no recording from {local(begin, tenths=True)} to {local(end, tenths=True)} ({lasts}): left out"
        )
    early_s = plan.span.start_time - done.start_time
    if early_s > _TOLD_S:
        terminal.message(f"begins {early_s:.1f} s early, at the keyframe before that time")
    for line in done.notes:
        terminal.message(line)
    lasts, begin_text = duration(done.duration_s), local(done.start_time, tenths=True)
    terminal.line(f"{target}: {lasts} from {begin_text}, {size(target.stat().st_size)}")

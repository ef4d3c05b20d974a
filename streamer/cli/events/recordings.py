"""The command `export`: a time span of a continuous recording as one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from streamer.cli.command import command
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
    store: Annotated[
        Path | None, value("--store", "FOLDER", "Folder of the event store.", default="store.folder of --config")
    ] = None,
    recordings: Annotated[
        str | None,
        value(
            "--recordings",
            "PATTERN",
            "Names of the recording's files, such as 'rec/%Y%m%d-%H%M%S.mp4': instead of a store, or to choose one "
            "recording of a camera.",
        ),
    ] = None,
    config: Annotated[Path | None, value("--config", "FILE", "YAML file with settings.")] = None,
    overwrite: Annotated[bool, flag("--overwrite", "Replace the file if it exists.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write a time span of a continuous recording as one file, without encoding it again.

    The file begins with the keyframe before the begin. Times without a recording are left out.
    """
    with command(quiet=quiet, prints=True) as (terminal, _):
        from streamer.clips.exports.plan import make_plan
        from streamer.clips.exports.writer import export as write

        span = _span(begin, end)
        name, files = _files(span, camera, store or _configured(config), recordings)
        plan = make_plan(files, span)
        assert plan is not None  # `_files` has refused a span without files
        target = output or Path(f"{name}-{_local(span.start_time):%Y%m%d-%H%M%S}.mp4")
        with _progress(terminal) as progress:
            done = write(plan, target, overwrite=overwrite, progress=progress)
        _report(terminal, target, plan, done)


def _span(begin: str, end: str) -> Span:
    from streamer.clips.exports.plan import Span
    from streamer.system.moments import moment_of, shown

    now = datetime.now(UTC).astimezone()
    since = moment_of(begin, now)
    until = min(moment_of(end, now, after=since), now)
    if since >= now:
        raise ConfigError(f"--from is {shown(since)}, which is not past")
    if until <= since:
        raise ConfigError(f"--to is {shown(until)}, which is not after --from, {shown(since)}")
    return Span(since.timestamp(), until.timestamp())


def _configured(config: Path | None) -> Path | None:
    """The folder of the store in a settings file."""
    if config is None:
        return None
    from streamer.config.loading import is_site, load_settings, load_site

    return (load_site(config) if is_site(config) else load_settings(config, [], {})).store.folder


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
    span: Span, camera: str | None, store: Path | None, pattern: str | None
) -> tuple[str, list[StoredRecording]]:
    """The name of the camera or recording, and its files that have frames of the span.

    Raises:
        ConfigError: there are none.
    """
    from streamer.clips.exports.plan import existing, make_plan, named_files, of_one_recording

    if store is None:
        if pattern is None:
            raise ConfigError(
                "no store is given; pass --store or --config, or the names of the files with --recordings"
            )
        name, found, where = camera or _plain(pattern), named_files(pattern, span), f"file of {pattern}"
    else:
        name, found = _stored(span, camera, store)
        found, where = existing(one for one in found if pattern in (None, one.recording)), f"recording of {name}"
    if make_plan(found, span) is None:
        from streamer.system.moments import shown

        times = f"from {shown(_local(span.start_time))} to {shown(_local(span.end_time))}"
        raise ConfigError(f"no {where} {times}")
    of_one_recording(found)
    return name, found


def _plain(pattern: str) -> str:
    """A name for the output of a recording without a camera: `gate` for `rec/gate-%Y%m%d.mp4`."""
    return Path(pattern).name.partition("%")[0].strip("-_. ") or "recording"


def _stored(span: Span, camera: str | None, folder: Path) -> tuple[str, list[StoredRecording]]:
    from streamer.store import recordings
    from streamer.store.database.connections import open_for_reading
    from streamer.store.database.folder import DATABASE
    from streamer.system.suggestions import did_you_mean

    with closing(open_for_reading(folder / DATABASE)) as connection:
        known = recordings.cameras(connection)
        if camera is None and len(known) == 1:
            camera = next(iter(known))
        if not known:
            raise ConfigError(f"{folder / DATABASE} knows no recording; pass --recordings with the names of its files")
        if camera is None:
            raise ConfigError(f"pass --camera: {', '.join(known)}")
        if camera not in known:
            hint = did_you_mean(camera, known, otherwise=f"cameras: {', '.join(known)}")
            raise ConfigError(f"no recording of a camera {camera!r}; {hint}")
        return camera, recordings.find(connection, camera, span.start_time, span.end_time)


def _report(terminal: Terminal, target: Path, plan: ExportPlan, done: Exported) -> None:
    from streamer.system.moments import shown

    for gap in plan.gaps:
        begin, end, lasts = gap.start_time, gap.end_time, _lasting(gap.end_time - gap.start_time)
        terminal.message(f"no recording from {shown(_local(begin))} to {shown(_local(end))} ({lasts}): left out")
    early_s = plan.span.start_time - done.start_time
    if early_s > _TOLD_S:
        terminal.message(f"begins {early_s:.1f} s early, at the keyframe before that time")
    for line in done.notes:
        terminal.message(line)
    size_mb = target.stat().st_size / 1e6
    terminal.line(f"{target}: {_lasting(done.duration_s)} from {shown(_local(done.start_time))}, {size_mb:.1f} MB")


def _local(time: float) -> datetime:
    return datetime.fromtimestamp(time, UTC).astimezone()


def _lasting(duration_s: float) -> str:
    """A duration such as `7.5 s`, `2 min 10 s` or `1 h 5 min`."""
    if duration_s < 60:
        return f"{duration_s:.1f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"

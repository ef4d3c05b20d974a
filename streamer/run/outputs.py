"""The outputs of a run: those of the command line and those of the settings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from streamer.config.output import OutputEntry
from streamer.config.settings import Settings
from streamer.errors import ConfigError
from streamer.features import SinkContext
from streamer.interfaces import DescribedSink, Sink, StreamInfo
from streamer.media.passthrough import Passthrough
from streamer.run.output_paths import default_output, placed
from streamer.sinks.selection import OpenSinks, open_sinks, sink_class
from streamer.sources.selection import is_live
from streamer.system import paths
from streamer.system.partial_file import make_folder
from streamer.system.secrets import redacted
from streamer.values.recordings import RecordedFile

STANDARD_OUTPUT = "-"
_NO_SCHEME = re.compile(r"([\w.-]*):(\d{1,5})/?")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the results of a run go.

    Attributes:
        entries: the outputs, in the order in which they are written.
        report: the final report as JSON; None for no report.
        overwrite: replace files that exist.
        folders: are made before the run.
        by_default: the user named no output.
    """

    entries: tuple[OutputEntry, ...] = ()
    report: Path | None = None
    overwrite: bool = False
    folders: tuple[Path, ...] = ()
    by_default: bool = False

    @classmethod
    def of(
        cls,
        settings: Settings,
        source: str,
        *,
        typed: Sequence[str] = (),
        jsonl: Path | None = None,
        csv: Path | None = None,
        mot: Path | None = None,
        events: Path | None = None,
        crossings: Path | None = None,
        show: bool = False,
        report: Path | None = None,
        overwrite: bool = False,
        out_dir: Path | None = None,
        may_be_none: bool = False,
    ) -> Self:
        """The outputs of the command line and those of the settings; if there is none, one named after the source.

        A live source needs none if its events are stored.

        Args:
            settings: `output` is for the typed outputs, `outputs` are more.
            source: as the user gave it.
            typed: files and addresses.
            jsonl, csv, mot: files for tracks.
            events, crossings: files for events of lines and zones.
            show: open a window.
            report, overwrite: as in the attributes.
            out_dir: the folder of all outputs with a relative name; it is made. None for the current folder.
            may_be_none: if none is named, there is none.

        Raises:
            ConfigError: an empty name, `-` for anything but text, events without a rule, or no output for a
                live source or for an output of an earlier run.
        """
        if not all(typed):
            raise ConfigError("an output has an empty name; give a file or an address")
        for to in typed:
            if port := _NO_SCHEME.fullmatch(to):
                meant = f"http://{port[1] or '127.0.0.1'}:{port[2]}/"
                raise ConfigError(f"{to}: is no name of an output; did you mean {meant} (a page for browsers)?")
        named: dict[str, Path | str | None] = {"jsonl": jsonl, "csv": csv, "mot": mot}
        named |= {"events": events, "crossings": crossings, "window": "window" if show else None}
        others = [OutputEntry(to=str(to), sink=sink) for sink, to in named.items() if to is not None]
        live = is_live(source, settings.source)
        may_be_none |= live and settings.store.folder is not None
        by_default = not (typed or settings.outputs or others or may_be_none)
        if by_default:
            if live:
                raise ConfigError(live_without_output(source))
            as_video = settings.source.fps is not None or settings.source.live is True
            typed = [default_output(source, as_video=as_video)]
        given = (*(settings.output.entry(to) for to in typed), *settings.outputs, *others)
        _refuse_standard_output(given, report)
        watches = settings.analytics.camera.watches(live=live)
        if not settings.analytics.rules and any(
            one.sink == "crossings" or (one.sink == "events" and not watches) for one in given
        ):
            raise ConfigError("there is no rule to write events of; give analytics.lines or analytics.zones")
        entries = tuple(_placed(one, source, out_dir) for one in given)
        written = None if report is None else Path(placed(str(report), source, out_dir))
        files = [sink_class(one).file_of(one) for one in entries]
        # An --out-dir is made for every output.
        files += [Path(one.to) for one, before in zip(entries, given, strict=True) if one.to != before.to]
        folders = dict.fromkeys(path.parent for path in (*files, written) if path is not None)
        return cls(entries, written, overwrite, tuple(folders), by_default)

    @property
    def files(self) -> list[Path]:
        """All single files that will be written."""
        paths = (*(sink_class(entry).file_of(entry) for entry in self.entries), self.report)
        return [path for path in paths if path is not None]

    @property
    def names(self) -> list[Path]:
        """All paths as they are named: files, folders, and patterns such as `rec/%H%M%S.mp4`."""
        named = [Path(one.to) for one in self.entries if sink_class(one).writes_files and "://" not in one.to]
        return named if self.report is None else [*named, self.report]

    def destinations(self, sinks: Sequence[Sink]) -> list[str]:
        """Where the results go, one line each, without credentials.

        Args:
            sinks: of `entries`, in their order, entered; more of them are ignored.
        """
        lines = []
        for entry, sink in zip(self.entries, sinks, strict=False):
            file = sink_class(entry).file_of(entry)
            if file is not None:
                lines.append(f"writing {file}")
            elif entry.to == STANDARD_OUTPUT:
                lines.append("writing boxes to standard output")
            elif isinstance(sink, DescribedSink):
                lines.append(sink.destination)
        return lines if self.report is None else [*lines, f"writing {self.report}"]

    def described(self, sinks: Sequence[Sink]) -> list[DescribedSink]:
        """The sinks that say where their results are, because those are not in one file; `sinks` as above."""
        pairs = zip(self.entries, sinks, strict=False)
        several = (sink for entry, sink in pairs if sink_class(entry).file_of(entry) is None)
        return [sink for sink in several if isinstance(sink, DescribedSink)]

    def lack_video(self, sinks: Sequence[Sink]) -> bool:
        """Whether the outputs are only files of data, which a user may not expect."""
        return bool(self.entries) and not any(sink.wants_picture for sink in sinks)

    @property
    def use_standard_output(self) -> bool:
        """Whether one is `-`, so that nothing else may be written there."""
        return any(entry.to == STANDARD_OUTPUT for entry in self.entries)

    def make_folders(self) -> None:
        """Make `folders`.

        Raises:
            SinkUnavailable: a folder cannot be made.
        """
        for folder in self.folders:
            make_folder(folder)

    def check(self, source: str) -> None:
        """Refuse an output that is the input, and two outputs with one name.

        Raises:
            ConfigError: with the name.
        """
        for path in self.files:
            if paths.exists(source) and paths.exists(path) and path.samefile(source):
                raise ConfigError(f"the output {path} is the input; choose another name")
        for one, other in itertools.combinations(self.files, 2):
            if one.absolute() == other.absolute():
                raise ConfigError(f"two outputs have the same name {one}")
        for first, second in itertools.combinations(self.entries, 2):
            if first.to == second.to:
                raise ConfigError(f"two outputs have the same name {redacted(first.to)}")

    def open_sinks(
        self,
        info: StreamInfo,
        settings: Settings,
        on_close: Callable[[], None] | None = None,
        *,
        passthrough: Passthrough | None = None,
        recorded: Callable[[RecordedFile], None] = lambda _: None,
    ) -> OpenSinks:
        """The sinks, not yet entered.

        Args:
            info: of the frames that will come.
            settings: of drawing, windows and extensions.
            on_close: called when the user closes a window.
            passthrough: the other streams of the input.
            recorded: gets the files of continuous recordings.

        Raises:
            ConfigError: no sink writes to an address, or a setting that does not fit.
            SinkUnavailable: an output that cannot be written.
        """
        context = SinkContext(
            info,
            overwrite=self.overwrite,
            passthrough=passthrough,
            draw=settings.draw,
            window=settings.window,
            on_close=on_close,
            recorded=recorded,
            extensions=settings.extensions,
        )
        return open_sinks(self.entries, context)


def live_without_output(source: str) -> str:
    """The error that a live source has no output: it would fill the disk with one endless video."""
    return (
        f"{redacted(source)} is live and never ends: name its output: -o rec/%Y%m%d-%H%M%S.mp4 (recordings), "
        "-o http://127.0.0.1:8080/ (in a browser), -o boxes.csv, show a window, or store its events with store.folder"
    )


def _refuse_standard_output(given: Sequence[OutputEntry], report: Path | None) -> None:
    remedy = "name a file; --csv -, --jsonl - and --mot - write boxes to standard output"
    if report is not None and str(report) == STANDARD_OUTPUT:
        raise ConfigError(f"the report cannot be written to standard output; {remedy}")
    if any(one.to == STANDARD_OUTPUT and not sink_class(one).takes_standard_output for one in given):
        raise ConfigError(f"pictures cannot be written to standard output; {remedy}")


def _placed(entry: OutputEntry, source: str, out_dir: Path | None) -> OutputEntry:
    if not sink_class(entry).writes_files or entry.to == STANDARD_OUTPUT:
        return entry
    return entry.model_copy(update={"to": placed(entry.to, source, out_dir)})

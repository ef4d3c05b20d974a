"""Finds the inputs that the user names, and refuses unusable outputs before the first frame of the first run.

`run` does them one after the other (`streamer.run.several`). Pure functions except that they read folders.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.config.source import SourceSettings
from streamer.errors import ConfigError, SourceUnavailable
from streamer.run.output_paths import FOLDER, NAME, name_of
from streamer.run.outputs import Outputs
from streamer.sources.images.files import IMAGE_SUFFIXES, PATTERN, list_files, natural_key
from streamer.sources.selection import is_live
from streamer.system import output_names, paths
from streamer.system.secrets import redacted
from streamer.system.suggestions import counted

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".h264", ".h265", ".hevc", ".ivf", ".m1v", ".m2ts",
    ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".obu", ".ogm", ".ogv",
    ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m",
})
# fmt: on
"""What counts as a video in a folder. A file that the user names may have any name."""
_SHOWN = 3
"""Names in a message."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a command.

    Attributes:
        sources: as `open_source` takes them, in the order in which they run.
        notes: what was left out, one line each.
    """

    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One input and its outputs."""

    source: str
    outputs: Outputs


def find_inputs(given: Sequence[str]) -> Inputs:
    """The inputs that the user names: a folder with videos, and a pattern that matches videos, are all its videos.

    A folder or a pattern with pictures only stays one input. Outputs of earlier runs are left out, unless a single
    input is named. An input that is named twice is run once.

    Args:
        given: files, folders, patterns, addresses; at least one.

    Raises:
        SourceUnavailable: nothing is left, or a folder cannot be read.
    """
    notes: list[str] = []
    found = [source for one in given for source in _expanded(one, notes)]
    if len(given) > 1:
        found = without_outputs(found, notes)
    by_path: dict[str, str] = {}
    for source in found:
        by_path.setdefault(os.path.abspath(source) if paths.exists(source) else source, source)  # noqa: PTH100
    sources = tuple(by_path.values())
    if not sources:
        raise SourceUnavailable("every input is the output of an earlier run; give the originals")
    return Inputs(sources, tuple(notes))


def _expanded(given: str, notes: list[str]) -> list[str]:
    """The videos of a folder or a pattern in natural order; other inputs as they are."""
    is_folder = paths.is_dir(given)
    if not is_folder and (PATTERN.search(given) is None or not paths.is_local(given) or paths.exists(given)):
        return [given]
    try:
        found = [str(path) for path in list_files(given) if paths.is_file(path)]
    except OSError as error:
        raise SourceUnavailable(f"{given}: {error.strerror}; check its permissions") from error
    videos = [path for path in found if Path(path).suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        return [given]
    pictures = [one for one in map(Path, found) if one.suffix.lower() in IMAGE_SUFFIXES]
    count = sum(not output_names.is_output(one) for one in pictures)
    if count:
        notes.append(
            f"{given}: the videos are read, but not the {counted(count, 'picture')} in it; for those give a pattern "
            "such as *.jpg"
        )
    base = Path(given) if is_folder else output_names.searched_folder(given)
    kept = without_outputs(sorted(videos, key=natural_key), notes, base)
    if not kept:
        raise SourceUnavailable(f"{given}: every video in it is the output of an earlier run")
    return kept


def without_outputs(sources: list[str], notes: list[str], base: Path | None = None) -> list[str]:
    """The sources without outputs of earlier runs; in folders below `base`, too."""

    def is_output(source: str) -> bool:
        path = Path(source)
        named = output_names.is_output(path) if base is None else output_names.is_output_in(base, path)
        return named and paths.exists(source)

    left_out = [source for source in sources if is_output(source)]
    if left_out:
        notes.append(f"left out, because an earlier run wrote them: {listed(left_out)}")
    return [source for source in sources if source not in left_out]


@dataclass(frozen=True, slots=True)
class Plan:
    """The runs for several inputs.

    Attributes:
        runs: in their order.
        notes: what was left out, one line each.
    """

    runs: tuple[PlannedRun, ...]
    notes: tuple[str, ...] = ()


def plan(
    inputs: Inputs,
    settings: SourceSettings,
    outputs_of: Callable[[str], Outputs],
    *,
    may_replace: Callable[[Path], bool] = lambda _: False,
    apart: str = "",
) -> Plan:
    """The runs for several inputs. An input that is the output of another one is left out.

    Args:
        inputs: see `find_inputs`.
        settings: of the sources.
        outputs_of: the outputs of an input.
        may_replace: whether an output that exists may be replaced, although `overwrite` is not set.
        apart: the remedy where outputs have one name; how to name outputs if empty.

    Raises:
        ConfigError: a live source, two outputs with one name, an output that is its own input, or outputs that exist.
    """
    for source in inputs.sources:
        if is_live(source, settings):
            raise ConfigError(f"{redacted(source)} is live and never ends: run one process per camera")
    runs = [PlannedRun(source, outputs_of(source)) for source in inputs.sources]
    written = {path.absolute(): run.source for run in runs for path in run.outputs.files}
    left_out = [run.source for run in runs if written.get(Path(run.source).absolute(), run.source) != run.source]
    notes = (f"left out, because another input writes it: {listed(left_out)}",) if left_out else ()
    runs = [run for run in runs if run.source not in left_out]
    for run in runs:
        run.outputs.check(run.source)
    _refuse_shared_outputs(runs, apart)
    files = (path for run in runs if not run.outputs.overwrite for path in run.outputs.files)
    refuse_existing(path for path in files if not may_replace(path))
    return Plan(tuple(runs), notes)


def _refuse_shared_outputs(runs: Sequence[PlannedRun], apart: str) -> None:
    writers = defaultdict(list)
    for run in runs:
        for path in run.outputs.names:
            if not paths.exists(path) or paths.is_file(path) or paths.is_dir(path):  # not /dev/null
                writers[path.absolute()].append((path, run.source))
    for shared in writers.values():
        if len(shared) > 1:
            path, sources = shared[0][0], [source for _, source in shared]
            if apart:
                remedy = apart
            elif len({name_of(source) for source in sources}) > 1:
                remedy = f"put {NAME} into its name, such as {NAME}{path.suffix or '/'}"
            else:
                remedy = (
                    f"tell them apart by their folders with -o '{FOLDER}-{NAME}{path.suffix}', or run each one alone"
                )
            raise ConfigError(f"{listed([redacted(source) for source in sources])} would all write {path}; {remedy}")


def refuse_existing(files: Iterable[Path]) -> None:
    existing = [str(path) for path in files if paths.is_file(path) or (paths.is_dir(path) and any(path.iterdir()))]
    if existing:
        verb = "exists" if len(existing) == 1 else "exist"
        raise ConfigError(f"{listed(existing)} {verb} already; set overwrite, or choose another folder for the outputs")


def listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more

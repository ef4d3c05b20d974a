"""Checks the settings of one stream as far as possible without opening its source, its outputs and its detector.

The main thread calls it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from streamer.analytics.build import check_rules
from streamer.config.detector import DetectorSettings
from streamer.config.output import OutputEntry
from streamer.config.settings import StreamSettings
from streamer.config.source import SourceSettings
from streamer.detectors import selection
from streamer.errors import ModelError, SinkUnavailable, SourceUnavailable, StreamerError
from streamer.features import SourceContext
from streamer.render.annotators import build_annotators
from streamer.run.outputs import STANDARD_OUTPUT
from streamer.run.trackers import build_tracker
from streamer.serve.checks.outputs import checked_output
from streamer.sinks.selection import sink_class
from streamer.sources.images.files import PATTERN
from streamer.sources.network.address import is_address
from streamer.sources.network.connector import NetworkConnector
from streamer.sources.selection import is_live, open_source
from streamer.system import paths


def stream_problems(stream: StreamSettings, detector: DetectorSettings | None, above: str = "") -> Iterator[str]:
    """What is wrong, one line each.

    A file that is a source must exist, a password file be readable, and the folder of an output be there or makeable.
    The names of classes are checked where they are known before the detector is loaded.

    Args:
        stream: its settings.
        detector: the settings of its detector; None to leave them out.
        above: the keys above the settings, such as `cameras.front.`.
    """
    checks: dict[str, Callable[[], object]] = {
        "source.password_file": stream.source.login,
        "source.uri": lambda: _check_source(stream.source, stream),
        "detector": lambda: None if detector is None else check_detector(detector),
        "analytics": lambda: None if detector is None else _check_rules(stream, detector),
        "tracker": lambda: build_tracker(stream.tracker),
        "draw": lambda: build_annotators(stream.draw, stream.extensions),
    }
    for index, entry in enumerate(stream.outputs):
        checks[f"outputs.{index}.to"] = partial(_check_output, entry, stream)
    told = set[str]()
    for setting, check in checks.items():
        try:
            check()
        except StreamerError as error:
            for text in getattr(error, "problems", (str(error),)):
                if text not in told:
                    told.add(text)
                    yield f"{above}{text}" if text.startswith(setting) else f"{above}{setting}: {text}"


def check_detector(settings: DetectorSettings) -> None:
    """Refuse an unknown detector, and an unknown class where the classes are known without a download.

    Raises:
        ConfigError, ModelError: with the nearest names.
    """
    selection.check_name(settings.name)
    file = Path(settings.name).expanduser()
    if file.suffix and paths.is_local(settings.name) and not paths.exists(file):
        raise ModelError(f"there is no {file}")
    try:
        selection.check_classes(settings.model_copy(update={"offline": True}))
    except ModelError:
        if settings.offline:
            raise


def _check_rules(stream: StreamSettings, detector: DetectorSettings) -> None:
    if not stream.analytics.rules:
        return
    try:
        labels = selection.check_classes(detector.model_copy(update={"offline": True}))
    except StreamerError:  # `check_detector` tells it
        return
    if labels is not None:
        check_rules(stream.analytics, labels, detector.classes)


def detector_title(settings: DetectorSettings) -> str:
    """The name of a detector, with the number of its classes where it is known before the detector is loaded."""
    return selection.title(settings.model_copy(update={"offline": True}))


def _check_source(source: SourceSettings, stream: StreamSettings) -> None:
    if not source.uri:
        return
    if is_address(source.uri):
        NetworkConnector(source.uri, source)
        return
    open_source(source.uri, source, SourceContext(extensions=stream.extensions))
    is_path = not paths.scheme_of(source.uri) and not is_live(source.uri, source)
    is_other = source.uri == "-" or source.uri.startswith("lavfi:") or PATTERN.search(source.uri)
    if is_path and not is_other and not paths.exists(source.uri):
        raise SourceUnavailable(f"{source.uri}: no such file")


def _check_output(entry: OutputEntry, stream: StreamSettings) -> None:
    """Refuse what no sink writes, a path below a file, and a path in a folder that may not be written."""
    if entry.to == STANDARD_OUTPUT:
        return
    to = checked_output(entry, stream).to.removeprefix("hls:")
    if not sink_class(entry).writes_files or "://" in to:
        return
    folder = Path(to if to.endswith("/") else os.path.dirname(to)).absolute()  # noqa: PTH120
    for existing in (folder, *folder.parents):
        if existing.exists():
            break
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        reason = "no permission to write there" if existing.is_dir() else "it is no folder"
        raise SinkUnavailable(f"{entry.to} cannot be written: {existing}: {reason}; choose another folder")

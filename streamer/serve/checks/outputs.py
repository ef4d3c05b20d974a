"""Refuses outputs that a site cannot have, and outputs that two cameras share. Nothing is opened. Any thread."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

from streamer.config.layers import CAMERA
from streamer.config.output import OutputEntry
from streamer.config.settings import StreamSettings
from streamer.config.site import SiteSettings
from streamer.errors import ConfigError, SinkUnavailable
from streamer.features import SinkContext
from streamer.interfaces import StreamInfo
from streamer.registry import SINKS
from streamer.run.output_paths import FOLDER, NAME, placed
from streamer.run.outputs import STANDARD_OUTPUT
from streamer.sinks.publish.target import parse_target
from streamer.sinks.selection import open_sink, sink_class
from streamer.sinks.video.segment_names import NamePattern
from streamer.sources.images.files import NUMBER
from streamer.system import paths
from streamer.system.secrets import redacted, split_credentials

_MOMENT, _NUMBER = datetime(2026, 11, 26, 13, 47, 58), 123_456  # local time, as in names of files
_NUMBERED = "%06d.jpg"  # how pictures in a folder are called
_PORTS = {"http": 80, "rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443}
_THIS_MACHINE = "127.0.0.1"
_PLACEHOLDER = re.compile(r"\{[A-Za-z_]+\}")
_CAMERA = StreamInfo("camera", 1280, 720, "yuv420p", Fraction(1, 90_000), Fraction(25), live=True)
"""What a camera usually sends; nothing is known before it is connected."""


@dataclass(frozen=True, slots=True)
class _Target:
    """Where an output of a camera goes.

    Attributes:
        camera: its name.
        setting: the path of the setting.
        shown: the name of the output without credentials.
        place: the address, or the path of the file at some moment.
        pattern: of the files of a recording.
    """

    camera: str
    setting: str
    shown: str
    place: str
    pattern: NamePattern | None = None

    def meets(self, other: _Target) -> bool:
        """Whether both may write one file, or to one address."""
        return (
            self.place == other.place
            or (self.pattern is not None and self.pattern.owns(Path(other.place)))
            or (other.pattern is not None and other.pattern.owns(Path(self.place)))
        )


def output_problems(site: SiteSettings) -> Iterator[str]:
    """What is wrong with the outputs of the cameras, one line each."""
    targets: list[_Target] = []
    for name, camera in site.cameras.items():
        for index, entry in enumerate(camera.outputs):
            setting = f"cameras.{name}.outputs.{index}.to"
            try:
                target = _target_of(name, setting, entry, camera)
            except (ConfigError, SinkUnavailable) as error:
                yield f"{setting}: {error}"
                continue
            if target is not None:
                yield from (_shared(target, other) for other in targets if target.meets(other))
                targets.append(target)


def _shared(target: _Target, other: _Target) -> str:
    owner = "the same camera" if target.camera == other.camera else f"camera {other.camera}"
    what = "is" if target.place == other.place else f"has names of files of {other.shown}, which is"
    return (
        f"{target.setting}: {target.shown} {what} an output of {owner}; put {{camera}} into the name, or choose another"
    )


def _target_of(camera: str, setting: str, entry: OutputEntry, settings: StreamSettings) -> _Target | None:
    """Where an output goes; None for a window, and for a device such as /dev/null.

    Raises:
        ConfigError, SinkUnavailable: it cannot be an output of a site, or its name has an unknown placeholder.
    """
    if entry.to == STANDARD_OUTPUT:
        raise ConfigError("standard output is for one run; name a file")
    for found in _PLACEHOLDER.findall(entry.to):
        if found not in (NAME, FOLDER):  # {camera} is filled in already
            raise ConfigError(f"{found} in the name of an output stands for nothing; did you mean {CAMERA}?")
    entry, feature = checked_output(entry, settings), sink_class(entry)
    if not feature.writes_files:
        return None
    shown = shown_name(entry.to)
    if "://" in entry.to:
        return _Target(camera, setting, shown, _address(entry.to))
    path = _path_of(entry.to + _NUMBERED if entry.to.endswith("/") and "hls:" not in entry.to else entry.to)
    if paths.exists(path) and not paths.is_file(path) and not paths.is_dir(path):
        return None
    if feature is SINKS["recording"]:
        pattern = NamePattern(path)
        return _Target(camera, setting, shown, str(pattern.at(_MOMENT, ())), pattern)
    return _Target(camera, setting, shown, NUMBER.sub(lambda found: found[0] % _NUMBER, path))


def checked_output(entry: OutputEntry, settings: StreamSettings) -> OutputEntry:
    """An output with its placeholders filled in, if a sink can be made for it.

    Raises:
        ConfigError, SinkUnavailable: no sink writes there, or a setting does not fit.
    """
    if sink_class(entry).writes_files:
        entry = entry.model_copy(update={"to": placed(entry.to, settings.source.uri or "", None)})
    open_sink(entry, SinkContext(_CAMERA, draw=settings.draw, extensions=settings.extensions))
    return entry


def shown_name(to: str) -> str:
    """The name of a valid output without a login, a query and the key of an RTMP stream."""
    return parse_target(to).name if to.lower().startswith("rtmp") else redacted(to)


def _path_of(to: str) -> str:
    """The path of an output from the current folder, with links followed; of a playlist, its file."""
    path = os.path.relpath(os.path.realpath(to.removeprefix("hls:")))
    is_folder = to.startswith("hls:") and not path.lower().endswith(".m3u8")
    return os.path.join(path, "index.m3u8") if is_folder else path  # noqa: PTH118


def _address(url: str) -> str:
    """An address in one notation: without a login and a query, with its port."""
    parts = urlsplit(split_credentials(url)[0])
    scheme, host = parts.scheme.lower(), parts.hostname or _THIS_MACHINE
    host = _THIS_MACHINE if host == "localhost" else host
    return f"{scheme}://{host}:{parts.port or _PORTS.get(scheme, 0)}{parts.path.rstrip('/')}"

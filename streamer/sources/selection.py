"""From what a user types to the source that reads it.

Called by the main thread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

from streamer.errors import ConfigError, SourceLost, SourceUnavailable
from streamer.flow.stats import RunStats
from streamer.interfaces import PacketTap, Source
from streamer.sources.camera.camera import CameraConnector, is_camera
from streamer.sources.decode.container import ContainerSource
from streamer.sources.decode.deinterlacing import Deinterlace
from streamer.sources.file.file import FileSource
from streamer.sources.file.pipe import PipeSource, is_pipe
from streamer.sources.images.heif import read_still
from streamer.sources.images.images import ImageSource
from streamer.sources.live.connection import Connector
from streamer.sources.live.live import LiveSource
from streamer.sources.live.paced import PacedConnector
from streamer.sources.live.retries import Patience
from streamer.sources.network.network import SCHEMES, NetworkConnector
from streamer.sources.network.options import NetworkOptions
from streamer.sources.network.recorded import RecordedSource, is_recording
from streamer.sources.synthetic import PREFIX, SyntheticSource
from streamer.system import paths
from streamer.system.secrets import redacted

DEINTERLACE: Mapping[str, Deinterlace] = {"auto": "combed", "on": "all", "off": "off"}
"""Which pictures of a live source are made progressive, by what the settings say."""
_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.IGNORECASE | re.DOTALL)
_PATTERN = re.compile(r"[*?\[]|%(?:0?\d+)?d")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What can be said of how a source is read.

    Attributes:
        fps: of pictures (25 if None) and of files that tell no rate, or in place of theirs; what a camera is asked for.
        threads: of a file's decoder; 0 = as many as there are cores.
        live: play a file at its own pace, dropping what comes too fast (True); take what is behind an http address for
            a recording (False); None = what it is.
        size, pixel_format: what a camera is asked for: `(width, height)`, and V4L2's or FFmpeg's name.
        audio: give the sound of the source to outputs, where it has some.
        deinterlace: `auto`, `on` or `off`, of files; of live network addresses it is in `network`.
        network: how a network address is opened.
        patience: when a live source is given up and tried again.
        tap: told of the packets of sources that have some.
    """

    fps: str | float | Fraction | None = None
    threads: int = 0
    live: bool | None = None
    size: tuple[int, int] | None = None
    pixel_format: str | None = None
    audio: bool = True
    deinterlace: str = "auto"
    network: NetworkOptions = field(default_factory=NetworkOptions)
    patience: Patience = field(default_factory=Patience)
    tap: PacketTap | None = None


def open_source(
    uri: str,
    options: SourceOptions | None = None,
    *,
    stats: RunStats | None = None,
) -> Source:
    """The source for a file, a pipe, a folder or pattern of pictures, `lavfi:` and a graph, a camera or an address.

    A path that exists is taken as it is, whatever characters are in it. It is entered later; only what is behind an
    http address is asked now whether it is a recording.

    Args:
        uri: a path, `-` for standard input, `file://` address, glob or numbered pattern, `lavfi:GRAPH`, `0`,
            `camera:0`, `/dev/video0`, or the address of a stream (rtsp, rtmp, http, udp, ...).
        options: how it is read.
        stats: where a live source counts its reconnects.

    Raises:
        SourceUnavailable: nothing, an address of an unknown kind, or one that a user must mend.
        ConfigError: an option for something that does not have it.
    """
    options = options or SourceOptions()
    if not uri:
        raise SourceUnavailable("no source given; give a video file, a camera, an address or lavfi:GRAPH")
    target = _local(uri)
    if is_camera(target) and not paths.is_file(target):
        camera = CameraConnector(target, size=options.size, fps=options.fps, pixel_format=options.pixel_format)
        return _live(camera, options, stats)
    _refuse(uri, {"source.size": options.size, "source.pixel_format": options.pixel_format}, "cameras")
    if is_address(target):
        return _network(target, options, stats)
    if options.live:
        opened = lambda: _from_disk(target, options)  # noqa: E731
        return _live(PacedConnector(opened, redacted(uri)), options, stats)
    return _from_disk(target, options)


def is_address(uri: str) -> bool:
    """Whether it is the address of a stream on the network, not a file's."""
    match = _URL.fullmatch(uri)
    return match is not None and match[1].lower() in SCHEMES and not paths.exists(uri)


def _from_disk(target: str, options: SourceOptions) -> Source:
    path = Path(target)
    if paths.is_dir(path) or (_PATTERN.search(target) and not paths.exists(path) and not target.startswith(PREFIX)):
        return _pictures(target, options)
    if paths.is_file(path) and read_still(path) is not None:  # FFmpeg's demuxer gives its tiles one by one
        return _pictures(target, options)
    if target.startswith(PREFIX) and not paths.exists(path):
        return SyntheticSource(target, fps=options.fps)
    once = is_pipe(target)
    source = (PipeSource if once else FileSource)(target, threads=options.threads, fps=options.fps)
    _set_up(source, options)
    return source


def _pictures(target: str, options: SourceOptions) -> ImageSource:
    return ImageSource(target, fps=25 if options.fps is None else options.fps)


def _network(address: str, options: SourceOptions, stats: RunStats | None) -> Source:
    connector = NetworkConnector(address, options.network, options.tap, audio=options.audio)
    if options.live is None and address.lower().startswith("http"):
        try:
            recorded = is_recording(connector)
        except (SourceLost, SourceUnavailable) as error:
            if not options.patience.retry_at_start:
                raise SourceUnavailable(str(error), error.cause) from error
            recorded = False  # nobody waits for a recording to appear
    else:
        recorded = options.live is False
    if not recorded:
        _refuse(address, {"fps": options.fps}, "files, pictures and cameras")
        return _live(connector, options, stats)
    source = RecordedSource(connector, threads=options.threads, fps=options.fps)
    _set_up(source, options)
    return source


def _set_up(source: ContainerSource, options: SourceOptions) -> None:
    source.tap, source.audio = options.tap, options.audio
    if options.live or options.deinterlace == "on":
        source.deinterlace = DEINTERLACE[options.deinterlace]
    source.marks_interlaced = options.deinterlace == "auto" and not options.live


def _live(connector: Connector, options: SourceOptions, stats: RunStats | None) -> Source:
    return LiveSource(connector, options.patience, stats)


def _local(uri: str) -> str:
    match = _URL.fullmatch(uri)
    if match is None or paths.exists(uri) or match[1].lower() in SCHEMES:
        return uri
    scheme, rest = match.groups()
    if scheme.lower() == "file":
        return unquote(rest.removeprefix("localhost"), errors="surrogateescape")
    raise SourceUnavailable(f"{redacted(uri)}: addresses begin with {', '.join(SCHEMES)} or file")


def _refuse(uri: str, values: Mapping[str, object], where: str) -> None:
    for name, value in values.items():
        if value is not None:
            raise ConfigError(f"{name} is for {where} only; {redacted(uri)} has its own")

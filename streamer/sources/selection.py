"""Chooses the source that reads what the user named. Called by the main thread."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote

from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.features import SourceContext, section_of
from streamer.interfaces import Source
from streamer.registry import SOURCES
from streamer.system import paths
from streamer.system.secrets import SECRETS, redacted

_NO_SCHEME = re.compile(r"(?:[^/\s]*@)?[\w.-]+:(\d{1,5})(?:/|\Z)")
_HTTP_PORTS = ("80", "8000", "8080", "8081")


def open_source(
    uri: str,
    settings: SourceSettings | None = None,
    context: SourceContext | None = None,
    *,
    without: Collection[str] = (),
) -> Source:
    """The first class in `streamer.registry.SOURCES` that accepts the uri, made from the settings.

    A path that exists is a path, whatever characters it has. The source is not entered; only an http address is
    asked now whether it is a recording.

    Args:
        uri: a path, `-` for standard input, a `file://` address, a glob or numbered pattern, `lavfi:GRAPH`, `0`,
            `camera:0`, `/dev/video0`, the address of a stream (rtsp, rtmp, http, udp, ...), or what a registered class
            of another package accepts.
        settings: how it is read.
        context: what else a source may need.
        without: names of classes that are not asked.

    Raises:
        SourceUnavailable: nothing is named, the scheme is unknown, or the address needs a correction.
        ConfigError: a setting that the source does not take.
    """
    settings, context = settings or SourceSettings(), context or SourceContext()
    if not uri:
        raise SourceUnavailable("no source given; give a video file, a camera, an address or lavfi:GRAPH")
    target = path_of(uri)
    name = next(SOURCES.accepting(target, settings, without=without), None)
    if name is None:
        schemes = [scheme for one in SOURCES for scheme in getattr(SOURCES[one], "schemes", ())]
        raise SourceUnavailable(f"{redacted(uri)}: addresses begin with {', '.join(schemes)} or file")
    if name == "file":
        _refuse_address_without_scheme(target)
    settings.refuse_unused(uri, takes=getattr(SOURCES[name], "takes", ()))
    section = section_of(SOURCES[name], name, settings, context.extensions)
    source: Source = SOURCES[name].from_settings(target, section, context)
    return source


def is_live(uri: str, settings: SourceSettings) -> bool:
    """Whether a source is known to be live before it is opened: a camera, or an address but for most of http.

    A file that is played in real time is not live here, because it ends.
    """
    target = path_of(uri)
    name = next(SOURCES.accepting(target, settings), None)
    known = None if name is None else getattr(SOURCES[name], "is_live", None)
    return known is not None and (bool(known(target)) or settings.live is True)


def _refuse_address_without_scheme(path: str) -> None:
    """Raises SourceUnavailable for a path such as `192.0.2.10:554/stream1` that does not exist."""
    found = _NO_SCHEME.match(path)
    if found is None or paths.exists(path):
        return
    meant = f"{'http' if found[1] in _HTTP_PORTS else 'rtsp'}://{path}"
    SECRETS.split(meant)  # it may have a password
    shown = redacted(meant)
    raise SourceUnavailable(f"{shown.partition('://')[2]}: no such file; did you mean {shown}?")


def path_of(uri: str) -> str:
    """The path in a `file://` address; any other text as it is."""
    if paths.scheme_of(uri) != "file" or paths.exists(uri):
        return uri
    return unquote(uri.partition("://")[2].removeprefix("localhost"), errors="surrogateescape")

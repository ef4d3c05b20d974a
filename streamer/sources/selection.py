"""Chooses the source that reads what the user named. Called by the main thread."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import unquote

from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.features import SourceContext, section_of
from streamer.interfaces import Source
from streamer.registry import SOURCES
from streamer.system import paths
from streamer.system.secrets import redacted


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
    target = _path_of(uri)
    name = next(SOURCES.accepting(target, settings, without=without), None)
    if name is None:
        schemes = [scheme for one in SOURCES for scheme in getattr(SOURCES[one], "schemes", ())]
        raise SourceUnavailable(f"{redacted(uri)}: addresses begin with {', '.join(schemes)} or file")
    settings.refuse_unused(uri, takes=getattr(SOURCES[name], "takes", ()))
    section = section_of(SOURCES[name], name, settings, context.extensions)
    source: Source = SOURCES[name].from_settings(target, section, context)
    return source


def _path_of(uri: str) -> str:
    """The path in a `file://` address; any other text as it is."""
    if paths.scheme_of(uri) != "file" or paths.exists(uri):
        return uri
    return unquote(uri.partition("://")[2].removeprefix("localhost"), errors="surrogateescape")

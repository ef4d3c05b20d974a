"""From what a user types to the source that reads it.

Called by the main thread.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

from streamer.errors import ConfigError, SourceUnavailable
from streamer.protocols import Source
from streamer.sources.file import FileSource
from streamer.sources.images import ImageSource
from streamer.sources.synthetic import PREFIX, SyntheticSource

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.IGNORECASE | re.DOTALL)
_CAMERA = re.compile(r"\d{1,2}|/dev/video\d+")
_PATTERN = re.compile(r"[*?\[]|%(?:0?\d+)?d")


def open_source(uri: str, *, fps: str | float | Fraction | None = None, threads: int = 0) -> Source:
    """The source for a file, a folder or pattern of pictures, or `lavfi:` and a filter graph. It is entered later.

    A path that exists is taken as it is, whatever characters are in it.

    Args:
        uri: a path, `file://` address, glob or numbered pattern, or `lavfi:GRAPH`.
        fps: of pictures; 25 if None.
        threads: of a file's decoder; 0 = as many as there are cores.

    Raises:
        SourceUnavailable: a camera or network address, or nothing.
        ConfigError: `fps` for something that has its own times, or not a number.
    """
    if not uri:
        raise SourceUnavailable("no source given; give a video file, a folder of pictures or lavfi:GRAPH")
    target = _local(uri)
    if target.startswith(PREFIX) and not Path(target).exists():
        return _timed(SyntheticSource(target), uri, fps)
    path = Path(target)
    if path.is_dir() or (_PATTERN.search(target) and not path.exists()):
        return ImageSource(target, fps=25 if fps is None else fps)
    if _CAMERA.fullmatch(target) and not path.is_file():
        raise SourceUnavailable(f"{target}: live sources (cameras) are not supported yet; give a video file")
    return _timed(FileSource(path, threads=threads), uri, fps)


def redacted(address: str) -> str:
    """A network address without user, password and query."""
    match = _URL.fullmatch(address)
    if match is None:
        return address
    scheme, rest = match.groups()
    # Passwords may hold any character, so all up to the last @ goes, then the query, which may hold a token.
    return f"{scheme}://{re.split('[?#]', rest.rsplit('@', maxsplit=1)[-1], maxsplit=1)[0]}"


def _local(uri: str) -> str:
    match = _URL.fullmatch(uri)
    if match is None or Path(uri).exists():
        return uri
    scheme, rest = match.groups()
    if scheme.lower() == "file":
        return unquote(rest.removeprefix("localhost"))
    raise SourceUnavailable(
        f"{redacted(uri)}: live sources (network addresses) are not supported yet; download it and give the file"
    )


def _timed(source: Source, uri: str, fps: str | float | Fraction | None) -> Source:
    if fps is not None:
        raise ConfigError(f"fps is for pictures only; {redacted(uri)} has its own times")
    return source

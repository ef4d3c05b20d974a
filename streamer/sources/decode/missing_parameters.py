"""Codec parameters of streams that begin long after the start of a transport or program stream.

If audio is switched on during a recording, or the list of streams changes, FFmpeg knows the stream after opening the
file, but not its sample rate, so no output could copy it. Used by the thread that opens the file.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Stream

from streamer.media.ffmpeg_log import reason

log = logging.getLogger(__name__)

_FORMATS = frozenset({"mpegts", "mpeg"})
_BEFORE_BYTES = (256 * 1024, 32 * 1024, 0)
"""Distances before the first packet of a stream at which the file is opened, tried in this order: near enough for
FFmpeg to analyse the stream, far enough to include the list of streams, which is sent ten times per second."""


def has_unknown_parameters(stream: Stream) -> bool:
    """Whether it is audio without a known sample rate."""
    return isinstance(stream, AudioStream) and stream.codec_context is not None and not stream.sample_rate


def find_missing_parameters(path: Path, container: InputContainer) -> dict[int, Stream]:
    """Search a file for the start of each stream with unknown parameters; returns the streams opened there, by index.

    Args:
        path: of the file.
        container: open, not read yet; it is not changed.

    Returns:
        Streams of separate containers, which stay open as long as the streams are referenced.
    """
    unknown = [stream for stream in container.streams if has_unknown_parameters(stream)]
    if not unknown or container.format.name not in _FORMATS:
        return {}
    found: dict[int, Stream] = {}
    try:
        places = _places(path, [stream.index for stream in unknown])
        for stream in unknown:
            if stream.index in places:
                known = _opened_at(path, container.format.name, places[stream.index], stream.id)
                if known is not None:
                    found[stream.index] = known
    except (av.error.FFmpegError, OSError) as error:
        log.warning("%s: cannot search for the parameters of late streams: %s", path, reason(error))
    return found


def _places(path: Path, wanted: Sequence[int]) -> dict[int, int]:
    """The byte position of the first packet of each stream."""
    places: dict[int, int] = {}
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        for stream in container.streams:
            stream.discard = Discard.default if stream.index in wanted else Discard.all
        for packet in container.demux([container.streams[index] for index in wanted]):
            if packet.size and packet.pos is not None:
                places.setdefault(packet.stream_index, packet.pos)
                if len(places) == len(wanted):
                    break
    return places


def _opened_at(path: Path, kind: str, position: int, identity: int) -> Stream | None:
    for before in _BEFORE_BYTES:
        options = {"skip_initial_bytes": str(max(position - before, 0))}
        container = av.open(f"file:{path}", format=kind, options=options, metadata_errors="replace")
        for stream in container.streams:
            if stream.id == identity and not has_unknown_parameters(stream):
                return stream
    return None

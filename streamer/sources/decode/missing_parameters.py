"""Streams of a transport or programme stream that begin so late that opening the file does not tell what they are.

Sound that is switched on in mid-recording, a programme whose list of streams changes: FFmpeg knows that the stream is
there, but not its sample rate, and no output can be made of that. Used by the thread that opens the file.
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
"""How far before its first packet a stream is opened, one after the other: near enough that it is looked at, far enough
that the list of streams, which comes ten times a second, is before it."""


def has_unknown_parameters(stream: Stream) -> bool:
    """Whether it is sound of which neither the rate nor the channels are known."""
    return isinstance(stream, AudioStream) and stream.codec_context is not None and not stream.sample_rate


def find_missing_parameters(path: Path, container: InputContainer) -> dict[int, Stream]:
    """What the late streams of a file are, by their index: the file is searched for where each of them begins.

    Args:
        path: of the file.
        container: open, its packets not read yet; left as it is.

    Returns:
        Streams of containers of their own, which stay open for as long as these are kept.
    """
    late = [stream for stream in container.streams if has_unknown_parameters(stream)]
    if not late or container.format.name not in _FORMATS:
        return {}
    found: dict[int, Stream] = {}
    try:
        places = _places(path, [stream.index for stream in late])
        for stream in late:
            if stream.index in places:
                known = _opened_at(path, container.format.name, places[stream.index], stream.id)
                if known is not None:
                    found[stream.index] = known
    except (av.error.FFmpegError, OSError) as error:
        log.warning("%s: cannot be searched for late streams: %s", path, reason(error))
    return found


def _places(path: Path, wanted: Sequence[int]) -> dict[int, int]:
    """The byte at which the first packet of each stream stands."""
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

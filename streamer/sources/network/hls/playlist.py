"""Playlists of HTTP Live Streaming: what they list, and which variant of a master playlist is read. Pure.

FFmpeg's own HLS reader opens every variant at the start and passes over discontinuities: so this program reads the
playlists itself, with the library m3u8, and FFmpeg reads the media.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import m3u8

from streamer.errors import SourceUnavailable

_VIDEO_CODECS = ("avc", "hvc", "hev", "dvh", "dva", "av01", "vp08", "vp09", "vp8", "vp9", "mp4v", "jpeg", "h264")


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or a range of its bytes.

    Attributes:
        url: absolute, with all secrets.
        first: of its bytes.
        length: of the range; None for all that follows.
    """

    url: str
    first: int = 0
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """How a segment is encrypted (RFC 8216, 4.3.2.4).

    Attributes:
        method: `AES-128`, or one that this program does not know.
        url: of the 16 bytes of the key.
        iv: initialization vector, 16 bytes; None if it is the segment's number.
    """

    method: str
    url: str
    iv: bytes | None


@dataclass(frozen=True, slots=True)
class Segment:
    """A media segment.

    Attributes:
        number: its media sequence number.
        media: where it is.
        duration_s: as the playlist tells.
        discontinuity: the playlist says that it does not continue the one before.
        header: where the initialization of its format is (EXT-X-MAP); None for those that need none.
        key: None if it is not encrypted.
        gap: the playlist says that it is missing (EXT-X-GAP).
    """

    number: int
    media: Part
    duration_s: float
    discontinuity: bool = False
    header: Part | None = None
    key: Key | None = None
    gap: bool = False


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """A list of segments.

    Attributes:
        segments: in order, with rising numbers.
        target_s: no segment is longer, as far as the server keeps its word.
        discontinuities: how many there were before the first segment.
        ended: nothing will follow.
    """

    segments: tuple[Segment, ...]
    target_s: float
    discontinuities: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Variant:
    """One quality of a programme.

    Attributes:
        url: of its media playlist.
        height: of its pictures, pixels; None where the master playlist does not tell.
        bandwidth: bits a second.
        audio: the media playlist of the sound that belongs to it; None if its own segments hold it.
        video: whether it can have pictures.
    """

    url: str
    height: int | None
    bandwidth: int
    audio: str | None = None
    video: bool = True


@dataclass(frozen=True, slots=True)
class MasterPlaylist:
    """A list of variants."""

    variants: tuple[Variant, ...]


def parse(text: str, url: str, name: str) -> MasterPlaylist | MediaPlaylist:
    """What a playlist says.

    Args:
        text: of the playlist.
        url: where it came from in the end: addresses in it are relative to that.
        name: what to call it in an error.

    Raises:
        SourceUnavailable: it is no playlist.
    """
    if not text.lstrip("\ufeff \r\n").startswith("#EXTM3U"):
        raise SourceUnavailable(
            f"{name}: is no playlist (it does not begin with #EXTM3U); open the address in a browser to see what it is",
            "no playlist",
        )
    try:
        found: Any = m3u8.loads(text.lstrip("\ufeff \r\n"), uri=url)
        return _master(found) if found.playlists else _media(found)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, m3u8.ParseError) as error:
        raise SourceUnavailable(
            f"{name}: the playlist cannot be understood ({type(error).__name__}); see what wrote it", "no playlist"
        ) from error


def choose(master: MasterPlaylist, max_height: int | None, name: str) -> tuple[Variant, str]:
    """The best variant, and what a user should know of the choice ("" for nothing).

    The tallest one that is not taller than `max_height`, of equal ones that with the most bits. Where none is small
    enough it is the smallest, and where no height is told the bandwidth decides. The order of the list does not count.

    Raises:
        SourceUnavailable: none has video.
    """
    seen = [one for one in master.variants if one.video]
    if not seen:
        has = "only sound" if master.variants else "none at all"
        raise SourceUnavailable(f"{name}: no variant of the playlist has video ({has}); give the address of one")
    known = [one for one in seen if one.height is not None]
    fitting = [one for one in known if max_height is None or (one.height or 0) <= max_height]
    if fitting:
        return max(fitting, key=lambda one: (one.height or 0, one.bandwidth)), ""
    untold = [one for one in seen if one.height is None]
    if untold:
        chosen = max(untold, key=lambda one: one.bandwidth)
        told = f"the playlist does not tell the height of its pictures: taken without regard to max_height {max_height}"
        return chosen, "" if max_height is None else told
    chosen = min(known, key=lambda one: (one.height or 0, -one.bandwidth))
    return chosen, f"no variant is within max_height {max_height}: the smallest is taken, {chosen.height} high"


def _master(found: Any) -> MasterPlaylist:
    variants = []
    for one in found.playlists:
        told = one.stream_info
        codecs = [codec.strip().lower() for codec in (told.codecs or "").split(",") if codec.strip()]
        video = told.resolution is not None or not codecs or any(codec.startswith(_VIDEO_CODECS) for codec in codecs)
        height = told.resolution[1] if told.resolution else None
        bandwidth = told.bandwidth or told.average_bandwidth or 0
        variants.append(Variant(one.absolute_uri, height, bandwidth, _sound_of(told.audio, found.media), video))
    return MasterPlaylist(tuple(variants))


def _sound_of(group: str | None, media: Sequence[Any]) -> str | None:
    """The rendition of a group that players take by themselves; one without an address is in the video's segments."""
    group = None if group is None else group.strip('"')
    renditions = [one for one in media if one.type == "AUDIO" and one.group_id == group]
    if not renditions:
        return None
    best = max(renditions, key=lambda one: (one.default == "YES", one.autoselect == "YES"))
    address: str | None = best.absolute_uri if best.uri else None
    return address


def _media(found: Any) -> MediaPlaylist:
    segments: list[Segment] = []
    ends: dict[str, int] = {}  # of the last range of each file: one that tells no beginning follows it
    for one in found.segments:
        if one.uri is None:  # parts of the next one (LL-HLS), which is not there as a whole yet
            continue
        media = _part(one.absolute_uri, one.byterange, ends)
        header = one.init_section
        segments.append(
            Segment(
                number=found.media_sequence + len(segments),
                media=media,
                duration_s=float(one.duration or 0.0),
                discontinuity=bool(one.discontinuity),
                header=None if header is None else _part(header.absolute_uri, header.byterange, {}),
                key=_key(one.key),
                gap=bool(one.gap_tag),
            )
        )
    longest_s = max((one.duration_s for one in segments), default=1.0)
    target_s = float(found.target_duration or longest_s)
    return MediaPlaylist(tuple(segments), target_s, found.discontinuity_sequence or 0, bool(found.is_endlist))


def _part(url: str, byte_range: str | None, ends: dict[str, int]) -> Part:
    if not byte_range:
        return Part(url)
    length, _, first = str(byte_range).strip('"').partition("@")
    begins = int(first) if first else ends.get(url, 0)
    ends[url] = begins + int(length)
    return Part(url, begins, int(length))


def _key(key: Any) -> Key | None:
    if key is None or not key.method or key.method == "NONE":
        return None
    iv = None if not key.iv else int(key.iv, 16).to_bytes(16, "big")
    return Key(key.method, key.absolute_uri or "", iv)

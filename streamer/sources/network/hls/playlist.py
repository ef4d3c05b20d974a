"""Playlists of HTTP Live Streaming: their contents, and which variant of a master playlist is read. Pure.

FFmpeg's own HLS reader opens every variant at the start and ignores discontinuities. So this program reads the
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
        first: offset of the first byte.
        length: bytes; None for the rest of the file.
    """

    url: str
    first: int = 0
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """How a segment is encrypted (RFC 8216, 4.3.2.4).

    Attributes:
        method: `AES-128`, or an unsupported method.
        url: of the key, which has 16 bytes.
        iv: initialization vector, 16 bytes; None for the segment's number.
    """

    method: str
    url: str
    iv: bytes | None


@dataclass(frozen=True, slots=True)
class Segment:
    """A media segment.

    Attributes:
        number: its media sequence number.
        media: its file or range.
        duration_s: as stated in the playlist.
        discontinuity: it does not continue the previous segment (EXT-X-DISCONTINUITY).
        header: its initialization section (EXT-X-MAP); None for formats without one.
        key: None if it is not encrypted.
        gap: it is missing (EXT-X-GAP).
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
        segments: in order, with increasing numbers.
        target_s: stated upper bound of segment durations.
        discontinuities: number of discontinuities before the first segment.
        ended: no more segments will follow.
    """

    segments: tuple[Segment, ...]
    target_s: float
    discontinuities: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Variant:
    """One quality of a stream.

    Attributes:
        url: of its media playlist.
        height: of its frames, pixels; None if the master playlist does not state it.
        bandwidth: bits per second.
        audio: address of its audio playlist; None if its own segments hold the audio.
        video: whether it may have video.
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
    """Parse a playlist.

    Args:
        text: of the playlist.
        url: its address after redirects, to which addresses in it are relative.
        name: of the source, for errors.

    Raises:
        SourceUnavailable: the text is no playlist.
    """
    if not text.lstrip("\ufeff \r\n").startswith("#EXTM3U"):
        raise SourceUnavailable(
            f"{name}: is no playlist (it does not begin with #EXTM3U); open the address in a browser",
            "no playlist",
        )
    try:
        found: Any = m3u8.loads(text.lstrip("\ufeff \r\n"), uri=url)
        return _master(found) if found.playlists else _media(found)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, m3u8.ParseError) as error:
        raise SourceUnavailable(
            f"{name}: the playlist cannot be parsed ({type(error).__name__}); check the program that writes it",
            "no playlist",
        ) from error


def choose(master: MasterPlaylist, max_height: int | None, name: str) -> tuple[Variant, str]:
    """Choose the best variant; also returns a note for the user, or "".

    It is the tallest variant that is not taller than `max_height`; of equal ones the one with the highest bandwidth. If
    all are taller it is the smallest. If no height is known, the bandwidth decides. The order of the list is ignored.

    Raises:
        SourceUnavailable: none has video.
    """
    with_video = [one for one in master.variants if one.video]
    if not with_video:
        has = "only audio" if master.variants else "it is empty"
        raise SourceUnavailable(f"{name}: no variant of the playlist has video ({has}); give the address of one")
    known = [one for one in with_video if one.height is not None]
    fitting = [one for one in known if max_height is None or (one.height or 0) <= max_height]
    if fitting:
        return max(fitting, key=lambda one: (one.height or 0, one.bandwidth)), ""
    unknown = [one for one in with_video if one.height is None]
    if unknown:
        chosen = max(unknown, key=lambda one: one.bandwidth)
        note = f"the playlist does not state the height of its variants: max_height {max_height} is ignored"
        return chosen, "" if max_height is None else note
    chosen = min(known, key=lambda one: (one.height or 0, -one.bandwidth))
    return chosen, f"no variant is within max_height {max_height}: reading the smallest, {chosen.height} pixels high"


def _master(found: Any) -> MasterPlaylist:
    variants = []
    for one in found.playlists:
        info = one.stream_info
        codecs = [codec.strip().lower() for codec in (info.codecs or "").split(",") if codec.strip()]
        video = info.resolution is not None or not codecs or any(codec.startswith(_VIDEO_CODECS) for codec in codecs)
        height = info.resolution[1] if info.resolution else None
        bandwidth = info.bandwidth or info.average_bandwidth or 0
        variants.append(Variant(one.absolute_uri, height, bandwidth, _audio_url_of(info.audio, found.media), video))
    return MasterPlaylist(tuple(variants))


def _audio_url_of(group: str | None, media: Sequence[Any]) -> str | None:
    """The default rendition of a group; None if its audio is in the segments of the video."""
    group = None if group is None else group.strip('"')
    renditions = [one for one in media if one.type == "AUDIO" and one.group_id == group]
    if not renditions:
        return None
    best = max(renditions, key=lambda one: (one.default == "YES", one.autoselect == "YES"))
    address: str | None = best.absolute_uri if best.uri else None
    return address


def _media(found: Any) -> MediaPlaylist:
    segments: list[Segment] = []
    ends: dict[str, int] = {}  # end of the last range of each file, where a range without an offset starts
    for one in found.segments:
        if one.uri is None:  # parts of the next segment (LL-HLS), which is not complete yet
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

"""Opening an HLS source: from its address to the media playlists of the one variant that is read.

Called by the thread of a connection, and by the main thread to see whether there is a recording.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from streamer.errors import SourceLost, SourceUnavailable
from streamer.sources.network.hls.playlist import MasterPlaylist, MediaPlaylist, choose, parse
from streamer.sources.network.hls.web import Web

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a source is read.

    Attributes:
        web: fetches it.
        url: of the media playlist with the video.
        playlist: as it was loaded first.
        audio_url: of the media playlist with its sound; None if that is in the same segments.
        audio: likewise loaded.
    """

    web: Web
    url: str
    playlist: MediaPlaylist
    audio_url: str | None = None
    audio: MediaPlaylist | None = None


def open_playlists(
    url: str,
    name: str,
    is_active: Callable[[], bool],
    timeout_s: float,
    options: Mapping[str, str],
    *,
    max_height: int | None,
    audio: bool,
    authorities: str | bool = True,
) -> Chosen:
    """Load the playlist at an address, and of a master playlist those of the best variant.

    Args:
        url: with user and password.
        name: without.
        is_active: asked meanwhile.
        timeout_s: for each answer.
        options: of FFmpeg's HTTP.
        max_height: of the pictures, pixels.
        audio: whether its sound is wanted.
        authorities: as of `Web`.

    Raises:
        SourceUnavailable: it is no playlist, or one without video.
        SourceLost: nobody answers, or nothing is listed yet.
    """
    web = Web(url, name, is_active, timeout_s, options, authorities)
    text, came_from = web.text(url)
    found = parse(text, came_from, name)
    audio_url: str | None = None
    if isinstance(found, MasterPlaylist):
        variant, told = choose(found, max_height, name)
        if told:
            log.warning("%s: %s", name, told)
        url, audio_url = variant.url, variant.audio if audio else None
        found = _media(web, url, name)
        if audio_url == url:
            audio_url = None
    if not found.segments:
        raise SourceLost(
            f"{name}: the playlist lists no segments; see that the encoder runs, or wait for it with --retry-for",
            "empty playlist",
        )
    sound = None if audio_url is None else _sound(web, audio_url, name)
    return Chosen(web, url, found, None if sound is None else audio_url, sound)


def _media(web: Web, url: str, name: str) -> MediaPlaylist:
    text, came_from = web.text(url)
    found = parse(text, came_from, name)
    if isinstance(found, MasterPlaylist):
        raise SourceUnavailable(
            f"{name}: its playlist lists a list of variants; give the address of one", "no playlist"
        )
    return found


def _sound(web: Web, url: str, name: str) -> MediaPlaylist | None:
    try:
        found = _media(web, url, name)
    except (SourceLost, SourceUnavailable) as error:
        log.warning("%s: without its sound: %s", name, error)
        return None
    return found if found.segments else None


def with_login(url: str, source: str) -> str:
    """An address from a playlist with the user and password of the source, if it is on the same server."""
    parts, own = urlsplit(url), urlsplit(source)
    login, _, host = own.netloc.rpartition("@")
    if not login or (parts.scheme, parts.netloc.rpartition("@")[2]) != (own.scheme, host):
        return url
    return urlunsplit(parts._replace(netloc=own.netloc))


def master_of(video: str, audio: str) -> str:
    """An address with a master playlist in it, of one variant and its sound, which FFmpeg opens as any other.

    It holds all secrets of both addresses: it must not be printed.
    """
    lines = (
        "#EXTM3U",
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="sound",DEFAULT=YES,AUTOSELECT=YES,URI="{audio}"',
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="sound"',
        video,
    )
    content = base64.b64encode("\n".join(lines).encode()).decode()
    return f"data:application/vnd.apple.mpegurl;base64,{content}"

"""Opens an HLS source: from its address to the media playlists of the one variant that is read.

Called by the thread of a connection, and by the main thread to find out whether the source is a recording. Downloads
are also made by the threads of segment loaders, each with its own client.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.sources.network.address import Address
from streamer.sources.network.hls.playlist import MasterPlaylist, MediaPlaylist, Part, choose, parse
from streamer.sources.network.http.client import HttpClient

log = logging.getLogger(__name__)

_MAX_BYTES = 256 * 1024 * 1024
"""Limit of one file. Segments are smaller; an endless answer would fill the memory."""


@dataclass(frozen=True, slots=True)
class ChosenVariant:
    """The part of a source that is read.

    Attributes:
        url: of the media playlist with the video.
        playlist: its first version.
        audio_url: of the media playlist with the audio; None if the video's segments hold the audio.
        audio: its first version.
    """

    url: str
    playlist: MediaPlaylist
    audio_url: str | None = None
    audio: MediaPlaylist | None = None


def open_playlists(
    address: Address, settings: SourceSettings, is_active: Callable[[], bool] = lambda: True
) -> ChosenVariant:
    """Load the playlist at an address; of a master playlist also those of the best variant.

    Raises:
        SourceUnavailable: it is no playlist, or one without video.
        SourceLost: no answer, or no segment is listed yet.
    """
    name = address.name
    with HttpClient(address, settings, is_active) as client:
        url, audio_url = address.plain_url, None
        text, final_url = download_text(client, url)
        found = parse(text, final_url, name)
        if isinstance(found, MasterPlaylist):
            variant, note = choose(found, settings.max_height, name)
            if note:
                log.warning("%s: %s", name, note)
            url, audio_url = variant.url, variant.audio if settings.audio else None
            found = _media_playlist(client, url)
        if not found.segments:
            raise SourceLost(
                f"{name}: the playlist lists no segments; check the encoder, or set source.retry_for_s to wait",
                "empty playlist",
            )
        audio = None if audio_url in (None, url) else _audio_playlist(client, str(audio_url))
    return ChosenVariant(url, found, None if audio is None else audio_url, audio)


def download(client: HttpClient, part: Part) -> tuple[bytes, str]:
    """Download a file, or a range of it; returns its content and its address after redirects.

    Raises:
        SourceUnavailable: an error that a user must fix, such as a wrong login or path.
        SourceLost: a temporary failure.
        ConnectionCancelled: the connection was cancelled meanwhile.
    """
    headers = {} if part.length is None else {"Range": f"bytes={part.first}-{part.first + part.length - 1}"}
    answer = client.get(part.url, headers)
    data = client.read_all(b"", _MAX_BYTES)
    if part.length is not None and answer.status == 200:  # the server ignores ranges
        data = data[part.first : part.first + part.length]
    return data, str(answer.url)


def download_text(client: HttpClient, url: str) -> tuple[str, str]:
    """Download a playlist; returns its text and its address after redirects.

    Raises:
        SourceUnavailable, SourceLost, ConnectionCancelled: as for `download`.
    """
    data, final_url = download(client, Part(url))
    return data.decode("utf-8", "replace"), final_url


def _media_playlist(client: HttpClient, url: str) -> MediaPlaylist:
    found = parse(*download_text(client, url), client.address.name)
    if isinstance(found, MasterPlaylist):
        raise SourceUnavailable(
            f"{client.address.name}: its master playlist lists another master playlist; give the address of a variant",
            "no playlist",
        )
    return found


def _audio_playlist(client: HttpClient, url: str) -> MediaPlaylist | None:
    try:
        found = _media_playlist(client, url)
    except (SourceLost, SourceUnavailable) as error:
        log.warning("%s: read without its audio: %s", client.address.name, error)
        return None
    return found if found.segments else None


def with_login(url: str, source: str) -> str:
    """An address from a playlist, with the user and password of the source if it is on the same server."""
    parts, own = urlsplit(url), urlsplit(source)
    login, _, host = own.netloc.rpartition("@")
    if not login or (parts.scheme, parts.netloc.rpartition("@")[2]) != (own.scheme, host):
        return url
    return urlunsplit(parts._replace(netloc=own.netloc))


def master_of(video: str, audio: str) -> str:
    """A `data:` address of a master playlist with one variant and its audio, for FFmpeg.

    It holds all secrets of both addresses: it must never be printed.
    """
    lines = (
        "#EXTM3U",
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="sound",DEFAULT=YES,AUTOSELECT=YES,URI="{audio}"',
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="sound"',
        video,
    )
    content = base64.b64encode("\n".join(lines).encode()).decode()
    return f"data:application/vnd.apple.mpegurl;base64,{content}"

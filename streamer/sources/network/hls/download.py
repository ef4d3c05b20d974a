"""Downloads playlists, segments and keys of HLS. Called by the thread that owns the client."""

from __future__ import annotations

from streamer.sources.network.hls.playlist import Part
from streamer.sources.network.http.client import HttpClient

_MAX_BYTES = 256 * 1024 * 1024
"""Limit of one file. Segments are smaller; an endless answer would fill the memory."""


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

"""What is wrong with the address of a stream, without a part of a password in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from streamer.errors import SourceUnavailable

PERCENT = "if the password holds / ? # or @, write %2F %3F %23 or %40 for them"
_HOSTLESS = ("udp", "rtp", "srtp", "tcp")  # which may listen


def check_address(address: str, name: str) -> None:
    """Raises SourceUnavailable, in which no part of a password stands, if there is no host or no port."""
    scheme = address.partition(":")[0].lower()
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port  # which raise if they are none
    except ValueError as error:
        remedy = f"write {scheme}://HOST:PORT/PATH, and the login in source.user and source.password_file; {PERCENT}"
        raise SourceUnavailable(f"{name}: is no address, its host or port is none; {remedy}") from error
    if not host and scheme not in _HOSTLESS:
        remedy = f"write {scheme}://HOST/PATH, and the login in source.user and source.password_file; {PERCENT}"
        raise SourceUnavailable(f"{name}: names no host; {remedy}")


def headers_of(options: Mapping[str, str]) -> dict[str, str]:
    """The headers that FFmpeg's options ask for."""
    lines = options.get("headers", "").splitlines()
    headers = {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}
    named = {"user_agent": "User-Agent", "referer": "Referer", "cookies": "Cookie"}
    return headers | {named[option]: value for option, value in options.items() if option in named}

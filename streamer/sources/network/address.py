"""The address of a network stream: scheme, login, and errors that never show a password. Immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.network.refusals import Refusal
from streamer.system import paths
from streamer.system.secrets import SECRETS, may_hide_host, redacted, with_credentials

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "udp", "rtp", "srtp", "tcp")
_DATAGRAM_SCHEMES = ("udp", "rtp", "srtp")
_HOST_OPTIONAL = (*_DATAGRAM_SCHEMES, "tcp")  # these may listen
_PERCENT = "if the password has / ? # or @ in it, write %2F %3F %23 or %40"


def is_address(uri: str) -> bool:
    """Whether a text is the address of a network stream and no existing file has that name."""
    return paths.scheme_of(uri) in SCHEMES and not paths.exists(uri)


@dataclass(frozen=True, slots=True)
class Address:
    """The parsed address of a stream.

    Attributes:
        name: readable, without user, password and query.
        url: complete, with all secrets. It must never be printed.
        plain_url: without user and password.
        user, password: the login; "" if there is none.
    """

    name: str
    url: str
    plain_url: str
    user: str
    password: str
    _may_hide_host: bool

    @classmethod
    def parse(cls, typed: str, settings: SourceSettings) -> Address:
        """Parse what the user typed; a login in the settings replaces that of the address.

        Raises:
            SourceUnavailable: no host, or an invalid port. The message has no part of a password.
            ConfigError: the password file cannot be read.
        """
        bare, user, password = SECRETS.split(typed)
        name = redacted(typed)
        _check(bare, name)
        settings_user, settings_password = settings.login()
        user, password = settings_user or user, settings_password or password
        SECRETS.remember(password, user)
        plain = with_credentials(bare, "", "")
        return cls(name, with_credentials(bare, user, password), plain, user, password, may_hide_host(typed))

    @property
    def scheme(self) -> str:
        """In lower case."""
        return self.url.partition(":")[0].lower()

    @property
    def has_login(self) -> bool:
        """Whether a user or a password was given."""
        return bool(self.user or self.password)

    @property
    def is_http(self) -> bool:
        """Whether a web server is asked."""
        return self.scheme in ("http", "https")

    @property
    def is_rtsp(self) -> bool:
        """Whether an RTSP server is asked."""
        return self.scheme in ("rtsp", "rtsps")

    @property
    def is_datagram(self) -> bool:
        """Whether the stream arrives as datagrams at a port of this machine."""
        return self.scheme in _DATAGRAM_SCHEMES

    @property
    def is_playlist(self) -> bool:
        """Whether the path is that of an HLS playlist."""
        return urlsplit(self.plain_url).path.lower().endswith(".m3u8")

    def with_hint(self, error: Refusal) -> Refusal:
        """The error, with a hint where the host may be a part of a password that is not percent-encoded."""
        if not self._may_hide_host or error.cause not in ("unknown host", "login refused", "no route"):
            return error
        return type(error)(f"{error}; {_PERCENT}", error.cause)


def _check(bare: str, name: str) -> None:
    scheme = bare.partition(":")[0].lower()
    login = f"and the login in source.user and source.password_file; {_PERCENT}"
    try:
        parts = urlsplit(bare)
        host, _ = parts.hostname, parts.port  # these raise ValueError
    except ValueError as error:
        raise SourceUnavailable(
            f"{name}: is no address, its host or port is invalid; write {scheme}://HOST:PORT/PATH, {login}"
        ) from error
    if not host and scheme not in _HOST_OPTIONAL:
        raise SourceUnavailable(f"{name}: has no host; write {scheme}://HOST/PATH, {login}")


def headers_of(options: Mapping[str, str]) -> dict[str, str]:
    """The HTTP headers that FFmpeg options set: `headers`, `user_agent`, `referer`, `cookies`."""
    lines = options.get("headers", "").replace("\\r\\n", "\n").splitlines()
    headers = {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}
    named = {"user_agent": "User-Agent", "referer": "Referer"}
    headers |= {named[option]: value for option, value in options.items() if option in named}
    # FFmpeg's `cookies` has lines as in Set-Cookie; only the part before the first ; is the cookie.
    cookies = [line.partition(";")[0].strip() for line in options.get("cookies", "").splitlines()]
    return headers | ({"Cookie": "; ".join(filter(None, cookies))} if any(cookies) else {})

"""Errors of servers in words, with a remedy. Pure, except for functions that connect to the server to find the reason.

The codes of RTSP are those of RFC 2326 and 7826, the codes of HTTP those of RFC 9110. FFmpeg's exceptions merge most
codes into one ("4XX"), but its log has the code.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import urlsplit

import av

from streamer.errors import SourceLost, SourceUnavailable
from streamer.media.ffmpeg_log import Line, reason
from streamer.network.certificates import distrust, why_not
from streamer.network.login import Challenge
from streamer.network.reachability import default_port, greeting, speaks_tls

Refusal = SourceLost | SourceUnavailable

_LOGIN = (
    "give both in the URL, in source.user and source.password_file, or in the environment "
    "(STREAMER_SOURCE_USER, STREAMER_SOURCE_PASSWORD)"
)
_SETTINGS = "see its settings"
_NO_ANSWER = "check the address, the network and the firewall"
# (meaning, remedy, short cause, whether a retry may succeed)
_CODES: Mapping[int, tuple[str, str, str, bool]] = MappingProxyType(
    {
        400: ("the server does not understand the request", "check the address with the camera's manual", "400", False),
        402: ("the server requires payment", "ask its operator", "402", False),
        403: ("wrong user or password, or this user may not watch", _LOGIN, "login refused", False),
        404: ("the server has nothing at this path", "the camera's manual has the right one", "no such path", False),
        405: ("the server does not let this path be played", "the camera's manual has the right one", "405", False),
        406: ("the server has no supported format of the stream", "choose another one", "406", False),
        407: ("the proxy requires a login", "give it in the variable http_proxy", "proxy", False),
        408: ("the server timed out", "check the network", "408", True),
        410: ("what was at this path is gone", "the camera's manual has the right one", "no such path", False),
        415: ("the server does not support this kind of stream", "check the address", "415", False),
        429: ("the server got too many requests", "wait, and raise source.longest_wait_s", "429", True),
        451: ("the server does not know a parameter of the address", "check what follows ? in it", "451", False),
        453: ("the camera has no bandwidth for another viewer", "close another one", "too many", True),
        454: ("the session has expired", "the program retries", "454", True),
        455: ("the server cannot play now", "the program retries", "455", True),
        457: ("the server has nothing at this time", "check the range in the address", "457", False),
        459: ("the server streams whole presentations only", "leave the track out of the address", "459", False),
        460: ("the server streams single tracks only", "name one in the address", "460", False),
        461: (
            "the camera refuses this transport",
            "try another source.transport: tcp or udp",
            "transport",
            False,
        ),
        462: ("the camera cannot reach this machine", "try source.transport: tcp", "transport", False),
        463: ("the server requires an unsupported encryption", "turn it off in its settings", "463", False),
        500: ("the server failed", "restart it if this persists", "500", True),
        501: ("the server cannot do that", "check that the address is one of a stream", "501", False),
        502: ("the server gets no data from the camera behind it", "check that camera", "502", True),
        503: ("the server is busy, or has no picture now", "it may have too many viewers", "503", True),
        504: ("the server gets no answer from the camera behind it", "check that camera", "504", True),
        505: ("the server uses another version of the protocol", "update its software", "505", False),
        551: ("the server does not support a requested option", "see source.options", "551", False),
    }
)
_RTSP_FAILED = re.compile(r"method (\w+) failed: (\d{3})(?: \(?([^)\n]*))?")
_HTTP_FAILED = re.compile(r"HTTP error (\d{3})(?: ([^\n]*))?")
_HUNG_UP = re.compile("Failed reading RTSP data: (End of file|Connection reset|Broken pipe)")
_DISTRUSTED = ("failed verification", "does not match hostname")
_GREETINGS = (
    (b"RTSP/", ("an RTSP server listens", "write rtsp:// for it")),
    (b"HTTP/", ("a web server listens", "the camera's manual has the port for RTSP (554 is usual); or write http://")),
    (b"SSH-", ("an SSH server listens", "the camera's manual has the right port")),
    (b"\x15\x03", ("a server that requires TLS listens", "write rtsps:// or https:// for it")),
)
"""First bytes of answers to an RTSP request (the last: a TLS alert, RFC 8446, 5.1), kind of server, remedy."""
_UNKNOWN = ("something else listens", "the camera's manual has the right port")
_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENODEV, errno.EADDRNOTAVAIL)


def refused(
    name: str,
    code: int,
    words: str = "",
    asked: Sequence[Challenge] = (),
    method: str = "",
    *,
    has_login: bool = True,
) -> Refusal:
    """The error for a code.

    Args:
        name: of the source, without credentials.
        code: three digits.
        words: the server's text for the code.
        asked: the login challenges of the server.
        method: the RTSP method that failed.
        has_login: a user or a password was given.
    """
    if code == 401:
        supported = [one for one in asked if one.scheme in ("basic", "digest")]
        if asked and not supported:
            offered = ", ".join(sorted({str(one) for one in asked}))
            remedy = "set it to Digest or Basic in the camera's settings"
            return SourceUnavailable(
                f"{name}: the server's kind of login ({offered}) is not supported; {remedy}", "login refused"
            )
        problem = "wrong user or password" if has_login else "a user and a password are required"
        return SourceUnavailable(f"{name}: {problem}; {_LOGIN}", "login refused")
    answer = f"{code} {words}".strip() + (f" to {method}" if method else "")
    if code in _CODES:
        meaning, remedy, cause, may_recover = _CODES[code]
    elif 300 <= code < 400:
        meaning, remedy, cause, may_recover = "the server redirects", "give the final address", "3xx", False
    else:
        meaning, remedy, cause, may_recover = "the server refuses", _SETTINGS, str(code), code >= 500
    line = f"{name}: {meaning} ({answer}); {remedy}"
    return SourceLost(line, cause) if may_recover else SourceUnavailable(line, cause)


def code_of(lines: Sequence[Line]) -> tuple[int, str, str] | None:
    """The code, its text and the RTSP method that FFmpeg logged last; None if there is none."""
    for _, _, text in reversed(lines):
        if failed := _RTSP_FAILED.search(text):
            return int(failed[2]), (failed[3] or "").strip(), failed[1]
        if failed := _HTTP_FAILED.search(text):
            return int(failed[1]), (failed[2] or "").strip(), ""
    return None


def unknown_host(name: str) -> SourceLost:
    """The error for a host name that cannot be resolved."""
    return SourceLost(f"{name}: unknown host name; check it, and the network", "unknown host")


def no_tls(name: str) -> SourceUnavailable:
    """The error for a server that does not answer a TLS handshake."""
    scheme = urlsplit(name).scheme.lower()
    remedy = f"write {scheme.removesuffix('s')}:// for it, or the port for {scheme}://"
    return SourceUnavailable(f"{name}: the server at that port does not support TLS; {remedy}", "protocol")


def unreachable(name: str, error: OSError) -> Refusal:
    """The error for a connection that failed."""
    if isinstance(error, ConnectionRefusedError) or error.errno == errno.ECONNREFUSED:
        remedy = "check the port, and whether the server or the camera's stream is switched on"
        return SourceLost(f"{name}: no server listens at that port (connection refused); {remedy}", "refused")
    if error.errno in _NO_ROUTE:
        remedy = "check the address, the cable, and the routes of this machine (ip route)"
        return SourceLost(f"{name}: no route to the host ({_words(error)}); {remedy}", "no route")
    if error.errno == errno.EADDRINUSE:
        remedy = "end what listens there (ss -lunp), or give another port"
        return SourceLost(f"{name}: the port is taken by another program; {remedy}", "port taken")
    if isinstance(error, TimeoutError):
        is_tls = urlsplit(name).scheme.lower() in ("https", "rtsps")
        if is_tls and greeting(*_host_and_port(name)).startswith((b"RTSP/", b"HTTP/")):
            return no_tls(name)
        return SourceLost(f"{name}: no answer in time; {_NO_ANSWER}", "no answer")
    if isinstance(error, ConnectionResetError):
        return closed(name)
    return SourceLost(f"{name}: {_words(error)}")


def wrong_about_tls(name: str) -> SourceUnavailable | None:
    """The error for a server with TLS at an address without TLS, or the other way round; None for any other."""
    scheme = urlsplit(name).scheme.lower()
    if scheme not in ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps"):
        return None
    is_tls = scheme.endswith("s")
    if speaks_tls(*_host_and_port(name)) == is_tls:
        return None
    if is_tls:
        return no_tls(name)
    found = "a server that requires TLS listens at that port"
    return SourceUnavailable(f"{name}: {found}; write {scheme}s:// for it", "protocol")


def closed(name: str) -> Refusal:
    """The error for a connection that the server closed before it answered."""
    if (wrong := wrong_about_tls(name)) is not None:
        return wrong
    remedy = "check the port, and whether it has too many viewers"
    return SourceLost(f"{name}: the server closed the connection without an answer; {remedy}", "ended")


def _words(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(type(error).__name__)


def explained(
    name: str, error: BaseException, lines: Sequence[Line], ca_file: str | None = None, *, has_login: bool = True
) -> Refusal:
    """The error for an error of FFmpeg.

    Args:
        name: of the source, without credentials.
        error: raised by PyAV.
        lines: log lines of FFmpeg.
        ca_file: the file of trusted authorities.
        has_login: a user or a password was given.
    """
    if (untrusted := _untrusted(name, lines, ca_file)) is not None:
        return untrusted
    if (failed := code_of(lines)) is not None:
        return refused(name, failed[0], failed[1], (), failed[2], has_login=has_login)
    for kind, code in _BY_TYPE:
        if isinstance(error, kind):
            return refused(name, code, has_login=has_login)
    if isinstance(error, av.error.ProtocolNotFoundError):
        return SourceUnavailable(f"{name}: this FFmpeg does not support the protocol", "protocol")
    if isinstance(error, OSError) and _is_known_number(error.errno):
        return unreachable(name, error)
    # A web server that answered with something other than video does support HTTP.
    is_read = isinstance(error, av.error.InvalidDataError) and name.lower().startswith("http")
    if not is_read and (another := another_protocol(name, lines)) is not None:
        return another
    if isinstance(error, (av.error.ExitError, TimeoutError)):
        return _silent(name)
    if any(_HUNG_UP.search(text) for _, _, text in lines):
        return closed(name)
    if isinstance(error, av.error.InvalidDataError):  # also if a server stalls before it answers
        return SourceLost(f"{name}: no video in time, or in no format that FFmpeg supports", "no answer")
    if isinstance(error, av.error.EOFError):
        return closed(name)
    if not _is_known(urlsplit(name).hostname):  # FFmpeg logs "Input/output error"
        return unknown_host(name)
    return wrong_about_tls(name) or SourceLost(f"{name}: {reason(error)}")


def _untrusted(name: str, lines: Sequence[Line], ca_file: str | None) -> SourceUnavailable | None:
    logged = next((text for _, _, text in reversed(lines) if any(words in text for words in _DISTRUSTED)), None)
    if logged is None:
        return None
    host, port = _host_and_port(name)
    why = (why_not(host, port, ca_file) if ca_file else None) or logged
    return SourceUnavailable(f"{name}: {distrust(why)}", "certificate")


def another_protocol(name: str, lines: Sequence[Line] = (), *, did_answer: bool = False) -> SourceUnavailable | None:
    """Connect to a server; the error if it uses another protocol than its address says, else None.

    Args:
        name: of the source, without credentials.
        lines: log lines of FFmpeg.
        did_answer: it answered in the right protocol; then only a known other protocol is an error.
    """
    scheme = urlsplit(name).scheme.lower()
    if scheme.endswith("s") and any(part == "tls" for _, part, _ in lines):
        return no_tls(name)
    if scheme not in ("rtsp", "http"):
        return None
    answer = greeting(*_host_and_port(name))
    known = next((kind for begin, kind in _GREETINGS if answer.startswith(begin)), None)
    if not answer or answer.startswith(scheme.upper().encode()) or (known is None and did_answer):
        return None
    found, remedy = known or _UNKNOWN
    kind = "an RTSP" if scheme == "rtsp" else "a web"
    return SourceUnavailable(f"{name}: {found} at that port, not {kind} server; {remedy}", "protocol")


def _silent(name: str) -> SourceLost:
    scheme = urlsplit(name).scheme.lower()
    if scheme in ("udp", "rtp", "srtp"):
        remedy = "check the sender, the firewall, and for a multicast group the route (ip route)"
        return SourceLost(f"{name}: no data in time; {remedy}", "no answer")
    return SourceLost(f"{name}: no answer in time; {_NO_ANSWER}", "no answer")


def _host_and_port(name: str) -> tuple[str, int]:
    parts = urlsplit(name)
    return parts.hostname or "", parts.port or default_port(parts.scheme) or 0


_BY_TYPE: tuple[tuple[type[BaseException], int], ...] = (
    (av.error.HTTPBadRequestError, 400),
    (av.error.HTTPUnauthorizedError, 401),
    (av.error.HTTPForbiddenError, 403),
    (av.error.HTTPNotFoundError, 404),
    (av.error.HTTPTooManyRequestsError, 429),
)


def _is_known_number(number: int | None) -> bool:
    return number in (errno.ECONNREFUSED, errno.EADDRINUSE, *_NO_ROUTE)


def _is_known(host: str | None) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True

"""Passwords given to the program: taken out of addresses, put back into them, and hidden in all output.

The program writes its own errors and log lines without credentials. `Secrets.hide` covers the texts of libraries.
`SECRETS` is the registry of the process. Any thread.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

HIDDEN = "***"
SHORTEST_HIDDEN = 4
LONGEST_NUMBER = 6
COMMON_WORDS = frozenset({"administrator", "guest", "operator", "supervisor", "support"})
"""Passwords that anyone tries first, and that file names contain in their ordinary meaning."""

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.IGNORECASE | re.DOTALL)
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:@\s]*)(?::\d*)?")
_NUMBER = re.compile(r"(\[[^\]]*\]|\d+\.\d+\.\d+\.\d+)(?::\d*)?")
_NO_PORT = re.compile(r"\A(\[[^\]]*\]|[^:\[]*):(?!\d*$)(.*)", re.DOTALL)
_USER_INFO = re.compile(r"(?<=://)[^\s/?#'\"<>]*:[^\s/?#'\"<>]*@")
_TOKEN_NAME = r"(?:token|key|pass(?:word|wd|phrase)?|pwd|secret|auth|sig(?:nature)?)"
# Parameters are separated by & or, by an older convention (HTML 4.01, B.2.2), by ; and a fragment may have some, too.
_TOKEN = re.compile(rf"([?&;#][^=&;#\s]*{_TOKEN_NAME}=)[^&\s'\"]+", re.IGNORECASE)
_PARAMETER = re.compile("(?<![^?&;#])([^=?&;#]+)=(?=([^&]*))")
_ENDS_ADDRESS = r"(?![^\s?#:;,'\")>])"
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({})))


def split_credentials(url: str) -> tuple[str, str, str]:
    """A network address without its credentials, the user name and the password, both decoded; "" where absent.

    Everything before the last @ of the authority is credentials (RFC 3986, 3.2.1), so : and @ in a password need no
    percent-encoding. A raw /, ? or # is accepted if the text before it is no valid `host:port`, or if the host is a
    number: `rtsp://me:pass/word@camera/`, `rtsp://me:p@ss:w/o#rd@camera/`, `rtsp://me:p@ss/word@192.0.2.1/`. It is not
    accepted in `rtsp://me:12/34@camera/` and `rtsp://me:p@ss/word@camera/`, where `me:12` and `ss` may be hosts.
    """
    scheme, info, rest = _parts(url)
    if info is None:
        return url, "", ""
    user, _, password = info.partition(":")
    return f"{scheme}://{rest}", _decoded(user), _decoded(password)


def with_credentials(url: str, user: str, password: str) -> str:
    """A network address with these credentials, percent-encoded, in place of its own; none if both are "".

    Raises:
        ValueError: not a network address.
    """
    scheme, _, rest = _parts(url)
    if not scheme:
        raise ValueError("only an address of the form scheme://host/ can have credentials")
    info = _encoded(user) + (f":{_encoded(password)}" if password else "")
    return f"{scheme}://{info}@{rest}" if info else f"{scheme}://{rest}"


def redacted(address: str) -> str:
    """A network address without user, password and query."""
    match = _URL.fullmatch(address)
    if match is None:
        return address
    scheme, rest = match.groups()
    # A password may contain any character, so remove all up to the last @; then the query, which may contain a token.
    shown = re.split("[?#]", rest.rsplit("@", maxsplit=1)[-1], maxsplit=1)[0]
    authority, slash, path = shown.partition("/")
    # An invalid port may be the password of an address without a host.
    authority = _NO_PORT.sub(rf"\1:{HIDDEN}", authority)
    return f"{scheme}://{authority}{slash}{path}"


def may_hide_host(address: str) -> bool:
    """Whether the host may be part of a password that contains a raw / or ?."""
    _, _, rest = _parts(address)
    return "@" in rest[1:]


def is_common(password: str) -> bool:
    """Whether hiding every occurrence would make messages, numbers and paths wrong, and would tell the password.

    That is a password shorter than `SHORTEST_HIDDEN`, a number of up to `LONGEST_NUMBER` digits, one of `COMMON_WORDS`,
    and letters that the program's own text contains: a reader knows its sentences, so a gap in one is the password.
    """
    if len(password) < SHORTEST_HIDDEN or (password.isdecimal() and len(password) <= LONGEST_NUMBER):
        return True
    word = password.lower()
    return word.isalpha() and (word in COMMON_WORDS or word in _own_text())


@functools.cache
def _own_text() -> str:
    """The source code of the package in lower case: every sentence that the program writes is in it."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return "\n".join(file.read_text(encoding="utf-8") for file in files).lower()


class Secrets:
    """Remembers passwords and replaces them in texts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patterns: dict[str, None] = {}
        self._addresses: dict[str, None] = {}
        self._anywhere: re.Pattern[str] | None = None
        self._is_stale = False  # there are patterns that `_anywhere` does not have

    def remember(self, password: str, user: str = "") -> None:
        """From now on `hide` replaces this password. An empty password is ignored.

        It is found unchanged, with any of its characters percent-encoded, as escaped by `repr` and JSON, and in the
        base64 of HTTP Basic authentication with `user` (RFC 7617). A password that `is_common` is found in that base64,
        between : and @ of an address, after `user:`, and after a word such as `password=`.
        """
        if not password:
            return
        new = dict.fromkeys(_patterns(password, user))
        with self._lock:
            self._is_stale |= not new.keys() <= self._patterns.keys()
            self._patterns.update(new)

    def _compiled(self) -> re.Pattern[str] | None:
        """The expression for all patterns, made when it is used: that takes long. With the lock."""
        if not self._is_stale:
            return self._anywhere
        longest_first = sorted(self._patterns, key=len, reverse=True)
        # An address is matched first, as a whole: it stays readable if its path contains the password.
        shown = "|".join(sorted(map(re.escape, self._addresses), key=len, reverse=True))
        first = [f"(?P<shown>(?:{shown}){_ENDS_ADDRESS})"] if shown else []
        self._anywhere = re.compile("|".join([*first, *longest_first])) if longest_first else None
        self._is_stale = False
        return self._anywhere

    def split(self, url: str) -> tuple[str, str, str]:
        """Like `split_credentials`; also remembers the password and the tokens in the query."""
        address, user, password = split_credentials(url)
        self.remember(password, user)
        # Remember it as typed, too, and in full if a raw /, ? or # made it look like a path.
        match = _URL.fullmatch(url)
        raw = match[2] if match else ""
        self.remember(raw.rpartition("@")[0].partition(":")[2], user)
        if no_port := _NO_PORT.fullmatch(re.split("[/?#]", raw.rpartition("@")[2], maxsplit=1)[0]):
            self.remember(no_port[2], no_port[1])
        if match:
            shown = redacted(url)
            with self._lock:
                self._is_stale |= shown not in self._addresses
                self._addresses[shown] = None
        for query in re.split("[?#]", address, maxsplit=1)[1:]:
            self._remember_tokens(query)
        return address, user, password

    def _remember_tokens(self, query: str) -> None:
        for name, value in _PARAMETER.findall(query):
            is_secret = re.search(f"{_TOKEN_NAME}$", _decoded(name), re.IGNORECASE)
            # The text after a raw ; or # may belong to the value; that depends on the server.
            for end in ("&", "#", ";"):
                raw = value.partition(end)[0]
                for form in {raw, _decoded(raw), _decoded(raw.replace("+", " "))}:
                    if is_secret:
                        self.remember(form)
                    elif "://" in form:  # an address in an address
                        self.split(form)

    def hide(self, text: str) -> str:
        """The text with `***` for every remembered password, and for credentials and tokens in any address.

        The result contains no remembered password, except in the path of its own address, and where one that
        `is_common` stands as an ordinary word.
        """
        text = _TOKEN.sub(rf"\1{HIDDEN}", _USER_INFO.sub(f"{HIDDEN}@", text))
        with self._lock:
            pattern = self._compiled()
        # Repeat, because the text around a hidden password may form another. Each time the text gets shorter.
        while pattern is not None and (hidden := pattern.sub(_replacement, text)) != text:
            text = hidden
        return text


SECRETS = Secrets()
"""The passwords given to this process."""


class SecretsFilter(logging.Filter):
    """Hides passwords in the message, traceback and extra fields of log records.

    Add it to handlers, which get every record. Filters of a logger do not get the records of its child loggers.

    Args:
        secrets: the passwords to hide.
    """

    def __init__(self, secrets: Secrets = SECRETS) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; always True."""
        hide = self._secrets.hide
        record.msg, record.args = hide(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            # Formatters use this text if there is no exception to format.
            record.exc_text, record.exc_info = hide(record.exc_text), None
        if record.stack_info:
            record.stack_info = hide(record.stack_info)
        for name in vars(record).keys() - _OWN_FIELDS:
            setattr(record, name, self._hidden(getattr(record, name)))
        return True

    def _hidden(self, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self._secrets.hide(str(key)): self._hidden(one) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._hidden(one) for one in value]
        return self._secrets.hide(str(value))


def _parts(url: str) -> tuple[str, str | None, str]:
    """Scheme, user info or None, and the rest; the scheme is "" if `url` is not a network address."""
    match = _URL.fullmatch(url)
    if match is None:
        return "", None, url
    scheme, rest = match.groups()
    end = _end_of_user_info(rest)
    # udp://@239.0.0.1 is FFmpeg's notation for listening to a group; it has no user.
    return (scheme, None, rest) if end < 1 else (scheme, rest[:end], rest[end + 1 :])


def _end_of_user_info(rest: str) -> int:
    """Index of the @ after the credentials in the text after `scheme://`; -1 if there are none."""
    end = len(re.split("[/?#]", rest, maxsplit=1)[0])
    inside = rest.rfind("@", 0, end)
    host = _HOST_AND_PORT.fullmatch(rest, inside + 1, end)
    # A fragment is not sent to the server, so an @ in it is unlikely.
    if host is not None and host[1] and not (inside < 0 and rest.startswith("#", end)):
        # A number is rarely part of a path, unless the path contains another address.
        is_word = inside >= 0 and re.fullmatch(r"[^.:\[]+", rest[inside + 1 : end]) and "://" not in rest
        number = _last_host(rest, end, _NUMBER) if is_word else -1
        return max(inside, number)
    later = _last_host(rest, end, _HOST_AND_PORT)
    return max(later, inside) if later >= 0 or inside >= 0 else rest.rfind("@")


def _last_host(rest: str, start: int, kind: re.Pattern[str]) -> int:
    """Index of the last @ after `start` that is followed by a host of this kind; -1 if there is none."""
    for at in (match.start() for match in reversed(list(re.finditer("@", rest)))):
        host = kind.fullmatch(re.split("[/?#]", rest[at + 1 :], maxsplit=1)[0])
        if at > start and host is not None and host[1]:
            return at
    return -1


def _encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")


def _decoded(text: str) -> str:
    return unquote(text, errors="surrogateescape")


def _patterns(password: str, user: str) -> Iterator[str]:
    """Regular expressions for the notations of a password."""
    basic = base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogateescape"))
    yield re.escape(basic.decode().rstrip("=")) + "=*"
    forms = {"".join(_any_encoding(character) for character in password)}
    quoted = (repr(password), ascii(password), json.dumps(password), json.dumps(password, ensure_ascii=False))
    forms.update(re.escape(form[1:-1]) for form in quoted)
    for form in forms:
        if not is_common(password):
            yield form
        else:
            yield f"(?<=:){form}(?=@)"
            if user:
                yield rf"(?<={re.escape(user)}:){form}(?!\w)"
            yield rf"(?i:(?<=password[=:])|(?<=passwd[=:])|(?<=pass[=:])|(?<=pwd[=:])){form}(?![^\s,;&'\"])"


def _replacement(match: re.Match[str]) -> str:
    return match.groupdict().get("shown") or HIDDEN


def _any_encoding(character: str) -> str:
    encoded = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
    return f"(?:(?i:{encoded})|{re.escape(character)}{'|[+]' if character == ' ' else ''})"

"""Answers to login challenges: Basic (RFC 7617) and Digest (RFC 7616, RFC 2617), of HTTP and RTSP.

FFmpeg supports Digest with MD5 only. A `Login` belongs to the thread of its connection.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_Hash = Callable[[bytes], str]
_HASHES: dict[str, _Hash] = {
    "sha-256": lambda data: hashlib.sha256(data).hexdigest(),
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
"""By name, the strongest first."""
# A word without = is a scheme; the others are parameters of the scheme before them (RFC 9110, 11.6.1).
_PART = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))|([A-Za-z][\w-]*)')


@dataclass(frozen=True, slots=True)
class Challenge:
    """A login challenge.

    Attributes:
        scheme: `basic`, `digest`, ..., in lower case.
        parameters: by name in lower case.
    """

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def algorithm(self) -> str:
        """The algorithm of Digest in lower case; MD5 if none is named (RFC 7616, 3.3)."""
        return self.parameters.get("algorithm", "MD5").lower()

    def __str__(self) -> str:
        algorithm = f" with {self.algorithm.upper()}" if self.scheme == "digest" else ""
        return f"{self.scheme.capitalize()}{algorithm}"


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """The challenges in `WWW-Authenticate` headers, which may hold one or several each."""
    found: list[Challenge] = []
    for name, quoted, bare, scheme in (match.groups() for header in headers for match in _PART.finditer(header)):
        if scheme:
            found.append(Challenge(scheme.lower()))
        elif found:
            found[-1].parameters[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted else bare or ""
    return found


class Login:
    """Answers the challenges of a server for one user.

    Args:
        user: name; "" if there is none.
        password: "" if there is none.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._challenge: Challenge | None = None
        self._count = 0

    def accept(self, asked: Iterable[Challenge]) -> bool:
        """Choose the strongest supported challenge, which is answered from now on.

        Returns:
            False if none is supported, there is no login, or the previous answer was refused.
        """
        supported = sorted((one for one in asked if _strength(one) >= 0), key=_strength, reverse=True)
        if not supported or not (self._user or self._password):
            return False
        before, self._challenge, self._count = self._challenge, supported[0], 0
        stale = self._challenge.parameters.get("stale", "").lower() == "true"
        return before is None or (stale and before.parameters.get("nonce") != supported[0].parameters.get("nonce"))

    def authorization(self, method: str, uri: str) -> str | None:
        """The `Authorization` header of a request; None before the server sent a challenge.

        Args:
            method: `GET`, `DESCRIBE`, ...
            uri: as in the request line.
        """
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return "Basic " + base64.b64encode(_bytes(f"{self._user}:{self._password}")).decode()
        self._count += 1
        return "Digest " + _digest(self._challenge, self._user, self._password, method, uri, self._count)


def _strength(challenge: Challenge) -> int:
    """Higher is better; below 0 if it is not supported."""
    if challenge.scheme == "basic":
        return 0
    algorithms = [*_HASHES][::-1]
    algorithm = challenge.algorithm.removesuffix("-sess")
    qop = challenge.parameters.get("qop")
    if challenge.scheme != "digest" or algorithm not in algorithms or (qop and "auth" not in _words(qop)):
        return -1
    return 1 + algorithms.index(algorithm)


def _digest(challenge: Challenge, user: str, password: str, method: str, uri: str, count: int) -> str:
    given = challenge.parameters
    hashed = _HASHES[challenge.algorithm.removesuffix("-sess")]
    realm, nonce, client_nonce = given.get("realm", ""), given.get("nonce", ""), secrets.token_hex(8)
    secret = hashed(_bytes(f"{user}:{realm}:{password}"))
    if challenge.algorithm.endswith("-sess"):
        secret = hashed(_bytes(f"{secret}:{nonce}:{client_nonce}"))
    asked = hashed(_bytes(f"{method}:{uri}"))
    fields = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
    bare = {"algorithm": given["algorithm"]} if "algorithm" in given else {}
    if "qop" in given:
        bare |= {"qop": "auth", "nc": f"{count:08x}"}
        fields |= {"cnonce": client_nonce}
        fields["response"] = hashed(_bytes(f"{secret}:{nonce}:{count:08x}:{client_nonce}:auth:{asked}"))
    else:
        fields |= {"cnonce": client_nonce} if challenge.algorithm.endswith("-sess") else {}
        fields["response"] = hashed(_bytes(f"{secret}:{nonce}:{asked}"))
    if "opaque" in given:
        fields["opaque"] = given["opaque"]
    quoted = [f'{name}="{_escaped(value)}"' for name, value in fields.items()]
    return ", ".join(quoted + [f"{name}={value}" for name, value in bare.items()])


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",")]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")

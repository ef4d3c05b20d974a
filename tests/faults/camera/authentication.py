"""Basic and Digest authentication as RTSP uses them (RFC 2617, MD5, without quality of protection). Pure functions."""

from __future__ import annotations

import base64
import hashlib
import re

from tests.faults.camera.settings import Login

REALM = "camera"


def challenge(login: Login, nonce: str) -> str:
    """The `WWW-Authenticate` that asks for a login."""
    if login.scheme == "basic":
        return f'Basic realm="{REALM}"'
    return f'Digest realm="{REALM}", nonce="{nonce}"'


def is_right(login: Login, nonce: str, method: str, authorization: str) -> bool:
    """Whether an `Authorization` shows that the client knows the password."""
    if login.scheme == "basic":
        expected = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
        return authorization == f"Basic {expected}"
    given = dict(re.findall(r'(\w+)="([^"]*)"', authorization))
    known = _md5(f"{login.user}:{REALM}:{login.password}")
    asked = _md5(f"{method}:{given.get('uri', '')}")
    return (
        authorization.startswith("Digest ")
        and given.get("username") == login.user
        and given.get("nonce") == nonce
        and given.get("response") == _md5(f"{known}:{nonce}:{asked}")
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

"""Basic and Digest authentication of RTSP, without quality of protection: RFC 2617 with MD5, RFC 7616 with SHA-256.
Pure functions.
"""

from __future__ import annotations

import base64
import hashlib
import re

from tests.faults.camera.settings import Login

REALM = "camera"


def challenges(login: Login, nonce: str) -> list[str]:
    """The `WWW-Authenticate` headers that ask for a login."""
    if login.scheme == "basic":
        return [f'Basic realm="{REALM}"']
    digest = f'Digest realm="{REALM}", nonce="{nonce}"'
    sha = f'{digest}, algorithm="SHA-256", stale="FALSE"'
    return {"digest": [digest], "sha256": [sha], "both": [sha, digest]}[login.scheme]


def is_right(login: Login, nonce: str, method: str, authorization: str) -> bool:
    """Whether an `Authorization` header proves knowledge of the password."""
    if login.scheme == "basic":
        expected = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
        return authorization == f"Basic {expected}"
    given = dict(re.findall(r'(\w+)="?([^",]*)"?', authorization))
    is_sha = login.scheme == "sha256" or (login.scheme == "both" and given.get("algorithm") == "SHA-256")

    def hashed(text: str) -> str:
        return (hashlib.sha256 if is_sha else hashlib.md5)(text.encode()).hexdigest()

    known = hashed(f"{login.user}:{REALM}:{login.password}")
    asked = hashed(f"{method}:{given.get('uri', '')}")
    return (
        authorization.startswith("Digest ")
        and given.get("username") == login.user
        and given.get("nonce") == nonce
        and given.get("response") == hashed(f"{known}:{nonce}:{asked}")
    )

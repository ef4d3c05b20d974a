"""Headers of every response: what a browser may load for a page, and what it may tell other sites. Pure.

The content security policy (CSP level 3) has no `unsafe-inline`: a script that got into the text of a page does
not run. A page with scripts of its own in its text has their hashes in its policy.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

_POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def _text(policy: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {sources}" for name, sources in policy.items())


POLICY = "Content-Security-Policy"
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    POLICY: _text(_POLICY),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Of every response that does not set them itself."""
SAME_SITE: Mapping[str, str] = {"Cross-Origin-Resource-Policy": "same-origin"}
"""Pages of other sites may not show the images and videos of a response."""


def policy_of(page: str) -> str:
    """The policy of a page that loads nothing but images of its own, and runs the scripts and styles in its text.

    Pages of other sites may contain it, because it has nothing to click on.

    Args:
        page: HTML whose elements `script` and `style` have no attributes.
    """
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(page):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    policy = {"default-src": "'none'", "img-src": "'self'", "connect-src": "'self'", "base-uri": "'none'"}
    return _text(policy | {f"{kind}-src": " ".join(found) or "'none'" for kind, found in hashes.items()})

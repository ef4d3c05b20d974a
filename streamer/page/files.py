"""The files of the page: `/` and `/assets/PATH`. Web server's thread.

Only the files that are in the folder when the program starts are served, so no path of a client reaches the disk.
"""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).with_name("assets")
INDEX = "index.html"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
_HEADERS = {"Cache-Control": "no-cache"}


def routes() -> list[web.RouteDef]:
    """The page, and every file that it needs."""
    files = {path.relative_to(FOLDER).as_posix(): path for path in sorted(FOLDER.rglob("*")) if path.is_file()}
    contents = {name: path.read_bytes() for name, path in files.items()}
    found = [_route(f"/assets/{name}", name, content) for name, content in contents.items() if name != INDEX]
    return [_route("/", INDEX, contents[INDEX]), *found]


def _route(path: str, name: str, content: bytes) -> web.RouteDef:
    suffix, tag = Path(name).suffix, hashlib.sha256(content).hexdigest()[:16]
    media = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.Response(body=content, content_type=media, headers=_HEADERS)
        if suffix in _TYPES:
            response.charset = "utf-8"
        response.etag = tag
        if request.if_none_match is not None and any(one.value == tag for one in request.if_none_match):
            return web.Response(status=304, headers=_HEADERS | {"ETag": f'"{tag}"'})
        return response

    return web.get(path, answer)

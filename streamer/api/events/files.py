"""The files of an event: clips, pictures, boxes. Web server's thread; the disk is read on threads of its executor.

A client names an event and a kind of file. The path is that of the store's row, so it cannot be another file.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

from aiohttp import hdrs, web

from streamer.accounts.roles import Access
from streamer.api.context import ApiContext
from streamer.api.events.models import FILES, FileQuery
from streamer.api.operation import Call, Handler, Operation, Problem
from streamer.store.event_json import time_text
from streamer.store.event_store import EventStore
from streamer.store.files import place
from streamer.store.ids import is_id
from streamer.store.records import EventRecord

_TEXTS = {
    "clip": "The clip of an event",
    "annotated": "Its clip with the boxes drawn",
    "snapshot": "Its best picture",
    "crop": "The object on that picture",
    "boxes": "The boxes of its clip",
}
_STATUSES = (
    HTTPStatus.PARTIAL_CONTENT,
    HTTPStatus.NOT_MODIFIED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
)
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_HEADERS = {hdrs.CACHE_CONTROL: "private, no-cache"}
"""A browser keeps the file, and asks whether it is the same: it may be deleted."""


async def existing(store: EventStore, event_id: str) -> EventRecord:
    """The event of an id. Raises Problem (404): there is none."""
    record = await asyncio.to_thread(store.get, event_id) if is_id(event_id) else None
    if record is None:
        raise Problem(HTTPStatus.NOT_FOUND, "there is no such event; it may have been deleted")
    return record


def file_operations(context: ApiContext) -> Sequence[Operation]:
    """One operation for each kind of file, with Range, ETag and Last-Modified."""
    return [
        Operation(
            "GET",
            f"/events/{{id}}/{name}",
            _TEXTS[field],
            Access.VIEWER,
            _sender(context, field),
            query=FileQuery,
            media=media,
            others=_STATUSES,
        )
        for field, (name, media) in FILES.items()
    ]


def _sender(context: ApiContext, field: str) -> Handler:
    name, media = FILES[field]

    async def send(call: Call) -> web.StreamResponse:
        store = context.required_store()
        record = await existing(store, call.path["id"])
        path = await asyncio.to_thread(_path_of, store, record, field)
        headers = _HEADERS | {hdrs.CONTENT_TYPE: media}
        if call.query.download:
            headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{_download_name(record, name)}"'
        await _check_range(call.request, path)
        return web.FileResponse(path, headers=headers)

    return send


def _path_of(store: EventStore, record: EventRecord, field: str) -> Path:
    """The file of an event. Raises Problem (404): it has none, or it is gone."""
    name, relative = FILES[field][0], getattr(record, field)
    if not relative:
        yet = " yet" if record.end_time is None else ""
        note = f": {record.clip_note}" if field == "clip" and record.clip_note else ""
        raise Problem(HTTPStatus.NOT_FOUND, f"the event has no {name}{yet}{note}")
    path = place(store.folder, relative)
    if path is None or not path.is_file():
        detail = (
            f"{name} is gone: {relative} was deleted by another program; 'streamer events check --repair' notes that"
        )
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    return path


async def _check_range(request: web.Request, path: Path) -> None:
    """Refuse a range that the file does not have, with the reason, which `FileResponse` does not give."""
    if hdrs.RANGE not in request.headers:
        return
    size = (await asyncio.to_thread(path.stat)).st_size
    try:
        start = request.http_range.start
    except ValueError:
        start = size
    if start is not None and start >= size:
        raise Problem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"the file has {size:,} bytes; ask for 'Range: bytes=0-{max(size - 1, 0)}' or a part of it",
            headers={hdrs.CONTENT_RANGE: f"bytes */{size}"},
        )


def _download_name(record: EventRecord, name: str) -> str:
    """Such as `gate_2026-11-26T22-15-03Z_enter_clip.mp4`."""
    began = str(time_text(record.start_time)).partition(".")[0].replace(":", "-") + "Z"
    return _NO_NAME.sub("-", f"{record.camera}_{began}_{record.kind}_{name}")

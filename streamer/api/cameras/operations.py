"""The operations of cameras. Web server's thread; what waits for a disk or for cameras goes to another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus

from aiohttp import web

from streamer.accounts.roles import Access
from streamer.api.cameras.camera_list import CameraList
from streamer.api.cameras.models import CameraDetail, Cameras, ChangedCamera, NewCamera, Rules, RulesOfCamera
from streamer.api.cameras.revisions import REFUSALS, require_revision, saved, with_etag
from streamer.api.context import ApiContext
from streamer.api.operation import Call, Operation, Problem
from streamer.errors import ConfigError
from streamer.serve.settings_file.editor import SiteEditor
from streamer.serve.settings_file.passwords import shown
from streamer.system.suggestions import nearest

_NAMED = "/cameras/{name}"
_UNKNOWN = (HTTPStatus.NOT_FOUND,)
_ALL = (*_UNKNOWN, *REFUSALS)


def operations(context: ApiContext) -> Sequence[Operation]:
    """Listing and changing cameras and their rules."""
    own = _Cameras(context)
    viewer, admin, detail = Access.VIEWER, Access.ADMIN, CameraDetail
    created, none = HTTPStatus.CREATED, HTTPStatus.NO_CONTENT
    return (
        Operation("GET", "/cameras", "All cameras", viewer, own.list, answer=Cameras),
        Operation(
            "POST",
            "/cameras",
            "Add a camera",
            admin,
            own.add,
            body=NewCamera,
            answer=detail,
            status=created,
            others=REFUSALS,
        ),
        Operation("GET", _NAMED, "One camera", viewer, own.get, answer=detail, others=_UNKNOWN),
        Operation("PUT", _NAMED, "Change a camera", admin, own.replace, body=ChangedCamera, answer=detail, others=_ALL),
        Operation("DELETE", _NAMED, "Remove a camera", admin, own.remove, status=none, others=_ALL),
        Operation("POST", f"{_NAMED}/restart", "Restart a camera", admin, own.restart, status=none, others=_UNKNOWN),
        Operation(
            "GET", f"{_NAMED}/rules", "Lines and zones", viewer, own.rules, answer=RulesOfCamera, others=_UNKNOWN
        ),
        Operation(
            "PUT",
            f"{_NAMED}/rules",
            "Change lines and zones",
            admin,
            own.set_rules,
            body=Rules,
            answer=RulesOfCamera,
            others=_ALL,
        ),
    )


class _Cameras:
    def __init__(self, context: ApiContext) -> None:
        self._site, self._file = context.site, context.settings_file
        self._cameras = CameraList(context.site)
        self._editor = SiteEditor(context.site, context.settings_file)

    async def list(self, _: Call) -> Cameras:
        return await asyncio.to_thread(self._list)

    async def get(self, call: Call) -> web.Response:
        return await self._answer(self._known(call))

    async def add(self, call: Call) -> web.Response:
        revision, body = require_revision(call), call.body
        await saved(self._editor.add, body.name, body.settings, revision)
        return await self._answer(body.name, HTTPStatus.CREATED)

    async def replace(self, call: Call) -> web.Response:
        name, revision = self._known(call), require_revision(call)
        await saved(self._editor.replace, name, call.body.settings, revision)
        return await self._answer(name)

    async def remove(self, call: Call) -> None:
        name, revision = self._known(call), require_revision(call)
        await saved(self._editor.remove, name, revision)

    async def restart(self, call: Call) -> None:
        await asyncio.to_thread(self._site.restart, self._known(call))

    async def rules(self, call: Call) -> web.Response:
        return await asyncio.to_thread(self._rules, self._known(call))

    async def set_rules(self, call: Call) -> web.Response:
        name, revision = self._known(call), require_revision(call)
        await saved(self._editor.set_rules, name, call.body.to_file(), revision)
        return await asyncio.to_thread(self._rules, name)

    def _known(self, call: Call) -> str:
        """The name of the camera. Raises Problem: there is none."""
        name, cameras = call.path["name"], self._site.settings.cameras
        if name not in cameras:
            raise Problem(HTTPStatus.NOT_FOUND, f"no camera {name!r}{nearest(name, cameras)}")
        return name

    async def _answer(self, name: str, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
        return await asyncio.to_thread(self._detail, name, status)

    # another thread

    def _list(self) -> Cameras:
        return Cameras(revision=self._file.revision, cameras=tuple(self._cameras.now()))

    def _rules(self, name: str) -> web.Response:
        # First the revision, then the rules: of a change between them, the client is told when it saves.
        revision, cameras = self._file.revision, self._site.settings.cameras
        with suppress(ConfigError):  # a person writes the file
            cameras = {**cameras, **self._file.load().cameras}
        analytics = cameras[name].analytics
        return with_etag(RulesOfCamera(revision=revision, lines=analytics.lines, zones=analytics.zones))

    def _detail(self, name: str, status: HTTPStatus) -> web.Response:
        camera = next((one for one in self._cameras.now() if one.name == name), None)
        if camera is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"no camera {name!r}")
        revision, settings = self._file.revision, self._file.camera(name)
        in_file = settings is not None
        if settings is None:
            settings = self._site.settings.cameras[name].model_dump(mode="json", exclude_unset=True)
        detail = CameraDetail(**dict(camera), revision=revision, in_file=in_file, settings=shown(settings))
        return with_etag(detail, status)

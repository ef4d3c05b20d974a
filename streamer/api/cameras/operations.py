"""The operations of cameras. Web server's thread; what waits for a disk or for cameras goes to another thread."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web

from streamer.accounts.roles import Access
from streamer.api.cameras.camera_list import CameraList
from streamer.api.cameras.models import CameraDetail, Cameras
from streamer.api.context import ApiContext
from streamer.api.operation import Call, Operation, Problem
from streamer.serve.settings_file.passwords import shown
from streamer.system.suggestions import nearest


def operations(context: ApiContext) -> Sequence[Operation]:
    """Listing cameras."""
    own = _Cameras(context)
    return (
        Operation("GET", "/cameras", "All cameras", Access.VIEWER, own.list, answer=Cameras),
        Operation("GET", "/cameras/{name}", "One camera", Access.VIEWER, own.get, answer=CameraDetail),
    )


class _Cameras:
    def __init__(self, context: ApiContext) -> None:
        self._site, self._file = context.site, context.settings_file
        self._cameras = CameraList(context.site)

    async def list(self, _: Call) -> Cameras:
        return await asyncio.to_thread(self._list)

    async def get(self, call: Call) -> web.Response:
        return with_etag(await asyncio.to_thread(self._detail, call.path["name"]))

    def _list(self) -> Cameras:
        return Cameras(revision=self._file.revision, cameras=tuple(self._cameras.now()))

    def _detail(self, name: str) -> CameraDetail:
        cameras = {camera.name: camera for camera in self._cameras.now()}
        if name not in cameras:
            raise Problem(HTTPStatus.NOT_FOUND, f"no camera {name!r}{nearest(name, cameras)}")
        revision, settings = self._file.revision, self._file.camera(name)
        in_file = settings is not None
        if settings is None:
            settings = self._site.settings.cameras[name].model_dump(mode="json", exclude_unset=True)
        values = dict(cameras[name])
        return CameraDetail(**values, revision=revision, in_file=in_file, settings=shown(settings))


def with_etag(camera: CameraDetail, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """An answer with the revision of the settings file as its ETag."""
    response = web.json_response(text=camera.model_dump_json(), status=status)
    response.etag = camera.revision
    return response

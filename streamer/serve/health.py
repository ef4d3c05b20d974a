"""The health of a site over HTTP: `/healthz` of all cameras, `/healthz/NAME` of one. Web server's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from streamer.notify import figures
from streamer.notify.figures import Statuses
from streamer.serve.status import CameraStatus
from streamer.system.paths import encodable
from streamer.system.secrets import SECRETS

PATH = "/healthz"


class HealthPages:
    """Answers 200 while all cameras run, or have ended, else 503 with the reason.

    A target of alerts that fails is told and does not change the answer: a restart of the program would not help.

    Args:
        cameras: returns the cameras that there are now.
        targets: returns the targets of alerts.
        may_be_empty: whether a site without cameras is healthy: cameras are added on its page.
    """

    def __init__(
        self,
        cameras: Callable[[], Sequence[CameraStatus]],
        targets: Statuses = lambda: (),
        may_be_empty: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cameras, self._targets, self._may_be_empty = cameras, targets, may_be_empty

    def routes(self) -> list[web.RouteDef]:
        """Every page with its path. They need no password: probes have none."""
        return [web.get(PATH, self._all), web.get(f"{PATH}/{{name:.*}}", self._one)]

    async def _all(self, _: web.Request) -> web.StreamResponse:
        cameras = self._cameras()
        faults = [f"{camera.name} is {camera.fault}" for camera in cameras if camera.fault]
        reason = f"{len(faults)} of {len(cameras)} cameras: {'; '.join(faults)}" if faults else ""
        if not cameras and not self._may_be_empty():
            reason = "there is no camera"  # at the start, before they are opened, or all were removed
        targets = {status.name: figures.health_of(status, waiting) for status, waiting in self._targets()}
        values = {"cameras": {camera.name: health_of(camera) for camera in cameras}}
        return _answer(reason, values | ({"targets": targets} if targets else {}))

    async def _one(self, request: web.Request) -> web.StreamResponse:
        name, cameras = request.path.removeprefix(f"{PATH}/"), self._cameras()
        for camera in cameras:
            if camera.name == name:
                return _answer(camera.fault, health_of(camera))
        names = ", ".join(camera.name for camera in cameras) or "none"
        return web.json_response({"error": f"no camera {name!r}; cameras: {names}"}, status=404)


def health_of(camera: CameraStatus) -> dict[str, Any]:
    """The health of a camera, for JSON; durations in seconds. `reason` says why it is unhealthy.

    `clip_memory_bytes` is there if its events have clips.
    """
    age_s, fault = camera.last_frame_age_s, camera.fault
    values: dict[str, Any] = {
        "status": "unhealthy" if fault else "ok",
        "state": camera.shown_state,
        "state_s": round(camera.state_s, 1),
        "frames_shown": camera.stats.shown,
        "last_frame_age_s": None if age_s is None else round(age_s, 3),
        "restarts": camera.restarts,
    }
    memory = camera.stats.gauges.get(("clip_memory_bytes", ""))
    if memory is not None:
        values["clip_memory_bytes"] = round(memory)
    return values | ({"reason": SECRETS.hide(fault)} if fault else {})


def _answer(fault: str, values: dict[str, Any]) -> web.StreamResponse:
    head = {"status": "unhealthy", "reason": SECRETS.hide(fault)} if fault else {"status": "ok"}
    return web.json_response(encodable(head | values), status=503 if fault else 200)

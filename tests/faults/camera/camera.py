"""The camera as tests use it: started, stopped, broken, and asked when a frame was captured.

All except `next_number`, `shot`, `lost_numbers` and `damaged_numbers` (any thread) belong to the thread that made it.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from tests.faults.camera.ports import reserve_port
from tests.faults.camera.process import ANSWER_WITHIN_S, START_WITHIN_S, CameraFailed, CameraProcess
from tests.faults.camera.settings import Codec, Login, Scheme, Settings
from tests.faults.camera.shots import Shot, ShotList


class Camera:
    """A camera on its own port on 127.0.0.1; it runs inside `with`.

    A separate process draws frames that contain their number (`tests.faults.counter`). The port, the numbering and
    changed settings survive `kill` and `start`; loss, silence and other faults do not.

    Args:
        codec: `h264`, `h265`, `mjpeg`, or `audio` for a camera without video.
        size: `(width, height)` in pixels, both even. H.265 takes 37 ms of CPU time per frame at 1280x720.
        fps: frames per second.
        auth: `("basic" | "digest" | "sha256" | "both", user, password)`; None for no login.
        key_frame_every_s: seconds from one keyframe to the next.
        key_frame_on_play: send one when a client begins to play; otherwise the stream begins between keyframes.
        path: of the stream.
        sloppy: H.264 with data that decoders complain about beside each intact frame: see `SLOPPY`.
        interlaced: H.264 of two fields, the upper one first, each with its own scene.
        burst: send this many frames at once, when the last of them was captured.
    """

    def __init__(
        self,
        *,
        codec: Codec = "h264",
        size: tuple[int, int] = (640, 360),
        fps: float = 25.0,
        auth: tuple[Scheme, str, str] | None = None,
        key_frame_every_s: float = 1.0,
        key_frame_on_play: bool = False,
        path: str = "/live",
        sloppy: str = "",
        interlaced: bool = False,
        burst: int = 1,
    ) -> None:
        login = Login(*auth) if auth else None
        self.settings = Settings(
            codec, size, fps, login, key_frame_every_s, key_frame_on_play, path, sloppy, interlaced, burst
        )
        self._folder = tempfile.TemporaryDirectory(prefix="camera-")
        self._shots_path = Path(self._folder.name) / "shots"
        self._shots = ShotList(self._shots_path)
        self._reserved = reserve_port()
        self.port: int = self._reserved.getsockname()[1]
        self._process: CameraProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.kill()
        self._reserved.close()
        self._shots.close()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """The address, with the current login."""
        login = self.settings.login
        return self.url_with(login.user, login.password) if login else self.url_at(self.settings.path)

    def url_with(self, user: str, password: str) -> str:
        """The address, with the given login."""
        who = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"rtsp://{who}@127.0.0.1:{self.port}{self.settings.path}"

    def url_at(self, path: str) -> str:
        """Another path of the same camera, without a login."""
        return f"rtsp://127.0.0.1:{self.port}{path}"

    @property
    def pid(self) -> int:
        """Of the camera's process."""
        return self._running().pid

    def start(self) -> float:
        """Start it, on the same port; returns the monotonic time from which it answers."""
        if self._process is not None:
            raise CameraFailed("the camera runs already")
        arguments = ["--port", str(self.port), "--shots", str(self._shots_path), *self.settings.arguments()]
        self._process = CameraProcess(arguments)
        return float(self.wait_for("listening", START_WITHIN_S)["at_s"])

    def kill(self) -> None:
        """Kill it (SIGKILL), like a power cut; does nothing if it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self) -> None:
        """Stop its process (SIGSTOP): the system still accepts connections and data, but nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """Continue a stopped process (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def lose(self, fraction: float, seed: int = 0) -> None:
        """Drop this fraction of the RTP packets over UDP from now on; 0 ends it."""
        if not 0 <= fraction <= 1:
            raise ValueError("a fraction lies between 0 and 1")
        self._order("lose", fraction=fraction, seed=seed)

    def insert_garbage(self, fraction: float, seed: int = 0) -> None:
        """Send bytes that are not packets before this fraction of the packets in RTSP connections from now on; 0 ends
        it.
        """
        if not 0 <= fraction <= 1:
            raise ValueError("a fraction lies between 0 and 1")
        self._order("insert_garbage", fraction=fraction, seed=seed)

    def skip(self, fraction: float, seed: int = 0) -> None:
        """Drop this fraction of the frames that are not keyframes, before packets are numbered; 0 ends it."""
        if not 0 <= fraction <= 1:
            raise ValueError("a fraction lies between 0 and 1")
        self._order("skip", fraction=fraction, seed=seed)

    def silence(self, *, reports: bool = False) -> None:
        """Send no frames, but answer requests; with `reports`, RTCP continues, so that some data arrives."""
        self._order("silence", reports=reports)

    def half_open(self) -> None:
        """Neither read nor write, but keep all sockets open."""
        self._order("half_open")

    def resume(self) -> None:
        """End `silence` and `half_open`."""
        self._order("resume")

    def close_port(self) -> None:
        """Refuse new connections; existing ones stay."""
        self._order("close_port")

    def open_port(self) -> None:
        """Accept connections again."""
        self._order("open_port")

    def end_streams(self) -> None:
        """End all sessions regularly: RTCP BYE, TEARDOWN, end of the connection."""
        self._order("end_streams")

    def disconnect(self) -> None:
        """Reset all connections."""
        self._order("disconnect")

    def jump_pts(self, by_s: float) -> None:
        """Add this many seconds to the timestamps; negative for a jump back."""
        self._order("jump_pts", by_s=by_s)

    def wrap_pts(self, in_s: float | None) -> None:
        """Let the 32-bit timestamps of new sessions overflow after this time; None ends it."""
        self._order("wrap_pts", in_s=in_s)

    def withhold_key_frames(self, for_s: float) -> None:
        """Send no keyframe for this many seconds."""
        self._order("withhold_key_frames", for_s=for_s)

    def change_size(self, size: tuple[int, int], *, disconnect: bool = False) -> None:
        """Change the size from the next frame on, announced in the stream, or by ending all sessions."""
        self._change(disconnect=disconnect, size=size)

    def change_codec(self, codec: Codec) -> None:
        """Change the codec; ends all sessions, because a session description holds for one codec."""
        self._change(disconnect=True, codec=codec)

    def change_fps(self, fps: float) -> None:
        """Change the frame rate; sessions continue."""
        self._change(disconnect=False, fps=fps)

    def change_key_frames(self, every_s: float) -> None:
        """Change the keyframe interval, from the next keyframe on."""
        self._change(disconnect=False, key_frame_every_s=every_s)

    def change_auth(self, auth: tuple[Scheme, str, str] | None) -> None:
        """Change the login from the next request on; sessions that play continue."""
        self._change(disconnect=False, login=Login(*auth) if auth else None)

    def playing(self) -> int:
        """The number of clients that play."""
        return int(self._order("clients")["playing"])

    def wait_for(self, event: str, timeout_s: float = ANSWER_WITHIN_S) -> dict[str, Any]:
        """The next event of a kind that was not returned before.

        Args:
            event: `listening`, `describe`, `play`, `teardown`, `gone`, `unauthorized`, `not found`.

        Returns:
            `event`, `at_s` (monotonic) and, except for `listening`, `client` (counted from 1 since the start).

        Raises:
            CameraFailed: the event did not occur in time, or the camera ended.
        """
        return self._running().wait_for(event, timeout_s)

    @property
    def next_number(self) -> int:
        """The number of the next frame."""
        return self._shots.next_number

    def shot(self, number: int) -> Shot | None:
        """When a frame was captured and sent, and which packets of it were lost; None if there was none."""
        return self._shots.read(number)

    def lost_numbers(self, first: int = 0, last: int | None = None) -> list[int]:
        """The frames of which packets were dropped on purpose."""
        return [shot.number for shot in self._shots_between(first, last) if shot.lost_packets]

    def damaged_numbers(self, first: int = 0, last: int | None = None) -> list[int]:
        """The frames that cannot be intact: a packet of them, or of a frame since the last keyframe, was dropped."""
        numbers = []
        is_damaged = False
        for shot in self._shots_between(first, last):
            is_damaged = shot.is_hit or (is_damaged and not shot.is_key)
            numbers += [shot.number] if is_damaged else []
        return numbers

    def _shots_between(self, first: int, last: int | None) -> Iterator[Shot]:
        end = self.next_number if last is None else last + 1
        return (shot for shot in map(self.shot, range(first, end)) if shot is not None)

    def _change(self, *, disconnect: bool, **changes: Any) -> None:
        changed = dataclasses.replace(self.settings, **changes)
        self._order("change", disconnect=disconnect, **changes)
        self.settings = changed

    def _order(self, name: str, **arguments: Any) -> Any:
        return self._running().order(name, **arguments)

    def _running(self) -> CameraProcess:
        if self._process is None:
            raise CameraFailed("the camera does not run")
        return self._process

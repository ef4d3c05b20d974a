"""A camera as a test holds it: switched on and off, broken, and asked when a picture was taken.

All but `next_number`, `shot`, `lost_numbers` and `damaged_numbers` (any thread) belong to the thread that made it.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from tests.faults.camera.ports import reserve_port
from tests.faults.camera.process import ANSWER_WITHIN_S, START_WITHIN_S, CameraFailed, CameraProcess
from tests.faults.camera.settings import Codec, Login, Scheme, Settings
from tests.faults.camera.shots import Shot, ShotList


class Camera:
    """A camera on a port of its own on 127.0.0.1; it is on inside `with`.

    A process of its own films pictures that carry their number (`tests.faults.counter`). The port, the numbering and
    what was changed survive `kill` and `start`; loss, silence and the like do not.

    Args:
        codec: `h264`, `h265`, `mjpeg`, or `audio` for a camera without video.
        size: `(width, height)` in pixels, both even. H.265 takes 37 ms of a core a picture at 1280x720.
        fps: frames a second.
        auth: `("basic" | "digest" | "sha256" | "both", user, password)`; None lets everybody in.
        key_frame_every_s: seconds from one key frame to the next.
        key_frame_on_play: make one whenever a client begins to play; otherwise it begins in the middle.
        path: of the stream.
        sloppy: H.264 with every picture, though that is whole, something that decoders complain about: see `SLOPPY`.
        interlaced: H.264 of two fields, the upper one first, each with the scenery of its own moment.
        burst: so many pictures are sent at once, when the last of them was taken.
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._reserved.close()
        self._shots.close()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """Where to read, with the login that it wants at the moment."""
        login = self.settings.login
        return self.url_with(login.user, login.password) if login else self.url_at(self.settings.path)

    def url_with(self, user: str, password: str) -> str:
        """Where to read, with this login, right or wrong."""
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
        """Switch it on, on the same port; returns the monotonic time from which it answers."""
        if self._process is not None:
            raise CameraFailed("the camera is on already")
        arguments = ["--port", str(self.port), "--shots", str(self._shots_path), *self.settings.arguments()]
        self._process = CameraProcess(arguments)
        return float(self.wait_for("listening", START_WITHIN_S)["at_s"])

    def kill(self) -> None:
        """Switch it off as a power cut does (SIGKILL); nothing if it is off."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self) -> None:
        """Stop its process (SIGSTOP): the system still accepts connections and data, nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """Let a stopped process go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def lose(self, fraction: float, seed: int = 0) -> None:
        """Drop this fraction of the RTP packets sent over UDP from now on; 0 ends it."""
        if not 0 <= fraction <= 1:
            raise ValueError("a fraction lies between 0 and 1")
        self._order("lose", fraction=fraction, seed=seed)

    def litter(self, fraction: float, seed: int = 0) -> None:
        """Send bytes that are no packet before this fraction of those in RTSP connections from now on; 0 ends it."""
        if not 0 <= fraction <= 1:
            raise ValueError("a fraction lies between 0 and 1")
        self._order("litter", fraction=fraction, seed=seed)

    def skip(self, fraction: float, seed: int = 0) -> None:
        """Drop this fraction of the pictures that are no key frames, before packets are numbered; 0 ends it."""
        if not 0 <= fraction <= 1:
            raise ValueError("a fraction lies between 0 and 1")
        self._order("skip", fraction=fraction, seed=seed)

    def silence(self, *, reports: bool = False) -> None:
        """Send no pictures, but answer requests; with `reports` RTCP goes on, so that something still arrives."""
        self._order("silence", reports=reports)

    def half_open(self) -> None:
        """Neither read nor write, but keep all sockets."""
        self._order("half_open")

    def resume(self) -> None:
        """End `silence` and `half_open`."""
        self._order("resume")

    def close_port(self) -> None:
        """Refuse new connections; those that there are stay."""
        self._order("close_port")

    def open_port(self) -> None:
        """Take connections again."""
        self._order("open_port")

    def end_streams(self) -> None:
        """End all sessions in good order: RTCP BYE, TEARDOWN, end of the connection."""
        self._order("end_streams")

    def disconnect(self) -> None:
        """Reset all connections."""
        self._order("disconnect")

    def jump_pts(self, by_s: float) -> None:
        """Let the timestamps jump by so many seconds, backwards if negative."""
        self._order("jump_pts", by_s=by_s)

    def wrap_pts(self, in_s: float | None) -> None:
        """Let the 32-bit timestamps of those who begin to play from now on wrap so long after; None: no longer."""
        self._order("wrap_pts", in_s=in_s)

    def withhold_key_frames(self, for_s: float) -> None:
        """Make no key frame for so many seconds."""
        self._order("withhold_key_frames", for_s=for_s)

    def change_size(self, size: tuple[int, int], *, disconnect: bool = False) -> None:
        """Another size from the next picture on, told in the stream; or, as other cameras do it, end all sessions."""
        self._change(disconnect=disconnect, size=size)

    def change_codec(self, codec: Codec) -> None:
        """Another codec; ends all sessions, as a session description holds for one codec."""
        self._change(disconnect=True, codec=codec)

    def change_fps(self, fps: float) -> None:
        """Another rate; sessions stay."""
        self._change(disconnect=False, fps=fps)

    def change_key_frames(self, every_s: float) -> None:
        """Another distance of the key frames, from the next one on."""
        self._change(disconnect=False, key_frame_every_s=every_s)

    def change_auth(self, auth: tuple[Scheme, str, str] | None) -> None:
        """Another login from the next request on; whoever plays goes on playing."""
        self._change(disconnect=False, login=Login(*auth) if auth else None)

    def playing(self) -> int:
        """How many clients play."""
        return int(self._order("clients")["playing"])

    def wait_for(self, event: str, timeout_s: float = ANSWER_WITHIN_S) -> dict[str, Any]:
        """The next event of a kind that was not waited for yet.

        Args:
            event: `listening`, `describe`, `play`, `teardown`, `gone`, `unauthorized`, `not found`.

        Returns:
            `event`, `at_s` (monotonic) and, but for `listening`, `client` (counted from 1 since the start).

        Raises:
            CameraFailed: it did not come in time, or the camera ended.
        """
        return self._running().wait_for(event, timeout_s)

    @property
    def next_number(self) -> int:
        """The number that the next picture will have."""
        return self._shots.next_number

    def shot(self, number: int) -> Shot | None:
        """When a picture was taken and sent, and what was lost of it; None if there was none."""
        return self._shots.read(number)

    def lost_numbers(self, first: int = 0, last: int | None = None) -> list[int]:
        """The pictures of which packets were dropped on purpose."""
        return [shot.number for shot in self._shots_between(first, last) if shot.lost_packets]

    def damaged_numbers(self, first: int = 0, last: int | None = None) -> list[int]:
        """The pictures that cannot be whole: a piece of theirs, or of one since the last key frame, was dropped."""
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
            raise CameraFailed("the camera is off")
        return self._process

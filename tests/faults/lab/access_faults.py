"""Faults of a camera that cannot be reached, or does not answer. Used by the thread of the lab."""

from __future__ import annotations

import time
from contextlib import ExitStack

from streamer.sources.network.connector import NetworkConnector
from tests.faults.camera import Camera
from tests.faults.lab.rig import Setup
from tests.faults.lab.router import Router
from tests.faults.lab.scenario import ONE_STALL_S, TWO_STALLS_S, CameraScenario
from tests.faults.lab.seen_frames import SeenFrames


class Killed(CameraScenario):
    name = "killed"
    fault = "the camera's process is killed and restarted"
    expected = "the end of the stream is a disconnect: reconnects after 0.5 s, then after growing waits"
    limit_s = 2.5

    def begin_fault(self) -> None:
        self.camera.kill()

    def end_fault(self) -> float:
        return self.camera.start()


class KilledForLong(Killed):
    name = "killed_10s"
    fault = "the same, down for about 10 s"
    expected = "checks the port every second while there is no listener, then connects at once"
    lasts_s = (9.0, 11.0)
    quick = False


class Disconnected(CameraScenario):
    name = "disconnected"
    fault = "the camera resets all connections and accepts new ones"
    expected = "reconnects after 0.5 s"
    limit_s = 2.5
    lasts_s = (0.0, 0.0)

    def begin_fault(self) -> None:
        """Does nothing: `end_fault` does it all, since the camera stays available."""

    def end_fault(self) -> float:
        self.camera.disconnect()
        return time.monotonic()


class Stalled(CameraScenario):
    name = "stalled"
    fault = "the camera's process stops (SIGSTOP) while it is read, for longer than the stall limit, and continues"
    expected = "abandons the connection at the stall limit and reconnects"
    limit_s = TWO_STALLS_S
    lasts_s = (3.0, 8.0)
    quick = False

    def begin_fault(self) -> None:
        self.camera.stop()

    def end_fault(self) -> float:
        back_s = time.monotonic()
        self.camera.cont()
        return back_s


class StalledBriefly(Stalled):
    name = "stalled_briefly"
    fault = "the same, for less than the stall limit"
    expected = "the connection stays and continues"
    lasts_s = (0.5, 1.5)
    quick = True


class StalledBeforeOpen(Stalled):
    name = "stalled_before_open"
    fault = "the camera disconnects and stops (SIGSTOP): the system accepts connections, but nothing answers"
    expected = "opening times out after 5 s and is retried, after growing waits, sooner once the camera answers"
    lasts_s = (2.0, 8.0)

    def begin_fault(self) -> None:
        self.camera.disconnect()
        self.camera.stop()


class StalledForLong(StalledBeforeOpen):
    name = "stalled_60s"
    fault = "the same for a minute"
    lasts_s = (55.0, 65.0)


class HalfOpen(CameraScenario):
    name = "half_open"
    fault = "the camera's program neither reads nor writes, but all connections stay open"
    expected = "abandons the connection at the stall limit; opening is retried"
    limit_s = TWO_STALLS_S
    lasts_s = (3.0, 8.0)
    quick = False

    def begin_fault(self) -> None:
        self.camera.half_open()

    def end_fault(self) -> float:
        back_s = time.monotonic()
        self.camera.resume()
        return back_s


class Forgotten(CameraScenario):
    name = "forgotten"
    fault = "a router drops the connection from its table: it stays open without data; new connections work"
    expected = "abandons the connection at the stall limit and reconnects; timed from the start of the fault"
    limit_s = ONE_STALL_S
    lasts_s = (0.0, 0.0)

    def equip(self, stack: ExitStack, seen: SeenFrames) -> None:
        super().equip(stack, seen)
        self._router = stack.enter_context(Router(self.camera.port))

    def setup(self) -> Setup:
        return Setup(NetworkConnector(f"rtsp://127.0.0.1:{self._router.port}/live"))

    def begin_fault(self) -> None:
        """Does nothing: `end_fault` does it all, since the camera stays available."""

    def end_fault(self) -> float:
        self._router.forget()
        return time.monotonic()


class PortClosed(CameraScenario):
    name = "port_closed"
    fault = "the camera resets all connections and refuses new ones for a while"
    expected = "retries after 0.5 s, then after growing waits, sooner once there is a listener"
    limit_s = 2.5
    lasts_s = (1.0, 4.0)

    def begin_fault(self) -> None:
        self.camera.close_port()
        self.camera.disconnect()

    def end_fault(self) -> float:
        back_s = time.monotonic()
        self.camera.open_port()
        return back_s


class WrongPassword(CameraScenario):
    name = "wrong_password"
    fault = "the camera disconnects and refuses the password for a while"
    expected = "reports once and retries at the longest wait only, because cameras lock out frequent attempts"
    longest_wait_s = 4.0
    limit_s = 4.0 + 2.5
    lasts_s = (1.0, 6.0)
    quick = False

    def make_camera(self) -> Camera:
        return Camera(auth=("digest", "user", "right"))

    def setup(self) -> Setup:
        return Setup(NetworkConnector(self.camera.url_with("user", "right")), self.longest_wait_s)

    def begin_fault(self) -> None:
        self.camera.change_auth(("digest", "user", "other"))
        self.camera.disconnect()

    def end_fault(self) -> float:
        back_s = time.monotonic()
        self.camera.change_auth(("digest", "user", "right"))
        return back_s

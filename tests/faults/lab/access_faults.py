"""Faults of a camera that cannot be reached, or does not answer. Used by the thread of the lab."""

from __future__ import annotations

import time
from contextlib import ExitStack

from streamer.sources.network.connector import NetworkConnector
from tests.faults.camera import Camera
from tests.faults.lab.rig import Setup
from tests.faults.lab.scenario import ONE_STALL_S, TWO_STALLS_S, CameraScenario
from tests.faults.lab.sights import Sights
from tests.faults.lab.switchboard import Switchboard


class Killed(CameraScenario):
    name = "killed"
    fault = "the camera's process is killed and started again"
    expected = "end of stream is a disconnect: tried again after 0.5 s, then after waits that grow"
    limit_s = 2.5

    def strike(self) -> None:
        self.camera.kill()

    def mend(self) -> float:
        return self.camera.start()


class KilledForLong(Killed):
    name = "killed_10s"
    fault = "the same, away for about 10 s"
    expected = "while nobody listens at the port that is asked every second, and connecting does not wait any longer"
    lasts_s = (9.0, 11.0)
    quick = False


class Disconnected(CameraScenario):
    name = "disconnected"
    fault = "the camera resets all connections, and takes new ones"
    expected = "connected anew after 0.5 s"
    limit_s = 2.5
    lasts_s = (0.0, 0.0)

    def strike(self) -> None:
        """Everything happens in `mend`: the camera is never away."""

    def mend(self) -> float:
        self.camera.disconnect()
        return time.monotonic()


class Stalled(CameraScenario):
    name = "stalled"
    fault = "the camera's process stops (SIGSTOP) while it is read, for longer than the stall limit, and goes on"
    expected = "given up once nothing came for the stall limit, and connected anew"
    limit_s = TWO_STALLS_S
    lasts_s = (3.0, 8.0)
    quick = False

    def strike(self) -> None:
        self.camera.stop()

    def mend(self) -> float:
        back_s = time.monotonic()
        self.camera.cont()
        return back_s


class StalledBriefly(Stalled):
    name = "stalled_briefly"
    fault = "the same, for less than the stall limit"
    expected = "the connection is kept and goes on"
    lasts_s = (0.5, 1.5)
    quick = True


class StalledBeforeOpen(Stalled):
    name = "stalled_before_open"
    fault = "the camera disconnects and stops (SIGSTOP): the system takes connections, nobody answers"
    expected = "opening gives up after 5 s and is tried again, after waits that grow, sooner once the camera answers"
    lasts_s = (2.0, 8.0)

    def strike(self) -> None:
        self.camera.disconnect()
        self.camera.stop()


class StalledForLong(StalledBeforeOpen):
    name = "stalled_60s"
    fault = "the same for a minute"
    lasts_s = (55.0, 65.0)


class HalfOpen(CameraScenario):
    name = "half_open"
    fault = "the camera's program neither reads nor writes, but all connections stay"
    expected = "given up after the stall limit; opening is tried again"
    limit_s = TWO_STALLS_S
    lasts_s = (3.0, 8.0)
    quick = False

    def strike(self) -> None:
        self.camera.half_open()

    def mend(self) -> float:
        back_s = time.monotonic()
        self.camera.resume()
        return back_s


class Forgotten(CameraScenario):
    name = "forgotten"
    fault = "a router forgets the connection: it stays open, nothing comes any more; new ones work at once"
    expected = "given up after the stall limit, and connected anew; counted from the moment of the fault"
    limit_s = ONE_STALL_S
    lasts_s = (0.0, 0.0)

    def equip(self, stack: ExitStack, sights: Sights) -> None:
        super().equip(stack, sights)
        self._router = stack.enter_context(Switchboard(self.camera.port))

    def setup(self) -> Setup:
        return Setup(NetworkConnector(f"rtsp://127.0.0.1:{self._router.port}/live"))

    def strike(self) -> None:
        """Everything happens in `mend`: the camera is never away."""

    def mend(self) -> float:
        self._router.forget()
        return time.monotonic()


class PortClosed(CameraScenario):
    name = "port_closed"
    fault = "the camera resets all connections and refuses new ones for a while"
    expected = "tried again after 0.5 s, then after waits that grow, sooner once somebody listens"
    limit_s = 2.5
    lasts_s = (1.0, 4.0)

    def strike(self) -> None:
        self.camera.close_port()
        self.camera.disconnect()

    def mend(self) -> float:
        back_s = time.monotonic()
        self.camera.open_port()
        return back_s


class WrongPassword(CameraScenario):
    name = "wrong_password"
    fault = "the camera disconnects and refuses the password for a while"
    expected = "told once, and tried again at the longest wait only, because cameras lock out who asks too often"
    longest_wait_s = 4.0
    limit_s = 4.0 + 2.5
    lasts_s = (1.0, 6.0)
    quick = False

    def make_camera(self) -> Camera:
        return Camera(auth=("digest", "user", "right"))

    def setup(self) -> Setup:
        return Setup(NetworkConnector(self.camera.url_with("user", "right")), self.longest_wait_s)

    def strike(self) -> None:
        self.camera.change_auth(("digest", "user", "other"))
        self.camera.disconnect()

    def mend(self) -> float:
        back_s = time.monotonic()
        self.camera.change_auth(("digest", "user", "right"))
        return back_s

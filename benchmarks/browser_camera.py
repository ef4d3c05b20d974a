"""Webcams of browsers with a slow detector: how many frames come back, how soon, and whether anything grows.

    python -m benchmarks.browser_camera [--minutes M] [--sessions N] [--size WxH] [--fps F] [--detector-ms MS]

`streamer serve` without cameras in a process of its own, with a detector that sleeps. The clients are in this process:
aiortc peers that send VP8, encoded before the start, so that the encoders of the browsers cost this machine nothing.
The time of a frame is from its packets to the message with its boxes, which has its RTP timestamp. Frames count from
the first answer on; at the end the clients wait one second for the last answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from subprocess import Popen
from typing import Any, Self

import aiohttp
import av
import numpy as np
import psutil
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

from benchmarks.clips import machine
from streamer.features import DetectorContext, DetectorFeature
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.faults.camera.ports import reserve_port
from tracking.types import Detections

CLOCK_HZ = 90_000
WRAP = 1 << 32
CLIP_S = 8
LAST_ANSWERS_S = 1.0
_STARTS_WITHIN_S = 60.0
_SETTLED_S = 60.0
_SERVE = "serve"


class SleepingDetector(DetectorFeature):
    """Sleeps for the time in the environment, and finds one box."""

    labels = LabelTable(("thing",))

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether it is the name of this detector."""
        return name == "sleeping"

    @classmethod
    def from_settings(cls, settings: Any, context: DetectorContext) -> Sequence[Self]:  # noqa: ARG003
        """One of them."""
        return [cls()]

    def detect(self, frame: Frame) -> Detections:
        """See `streamer.interfaces.Detector`."""
        threading.Event().wait(float(os.environ["SLEEPS_S"]))
        box = [[0.3 * frame.width, 0.3 * frame.height, 0.6 * frame.width, 0.6 * frame.height]]
        return Detections(np.array(box), np.array([0.9]), np.array([0]))

    def close(self) -> None:
        """Nothing to release."""


class Clip(MediaStreamTrack):
    """Encoded frames in a loop, in real time.

    Args:
        packets: VP8; the first is a keyframe.
        fps: frames per second.
    """

    kind = "video"

    def __init__(self, packets: Sequence[bytes], fps: float) -> None:
        super().__init__()
        self.sent: list[tuple[int, float]] = []
        """RTP ticks and time of each frame, monotonic clock."""
        self.before_frame: Callable[[], bool] = lambda: False
        """Called before each frame; returns whether to begin with the keyframe again."""
        self._packets = packets
        self._fps = fps
        self._began_s = time.monotonic()
        self._number, self._next = 0, -1

    async def recv(self) -> av.Packet[Any]:
        """See `MediaStreamTrack`."""
        restarts = self.before_frame()
        self._number += 1
        await asyncio.sleep(self._began_s + self._number / self._fps - time.monotonic())
        self._next = 0 if restarts else (self._next + 1) % len(self._packets)
        packet: av.Packet[Any] = av.Packet(self._packets[self._next])
        packet.pts, packet.time_base = round(self._number * CLOCK_HZ / self._fps), Fraction(1, CLOCK_HZ)
        self.sent.append((packet.pts, time.monotonic()))
        return packet


class Client:
    """One session."""

    def __init__(self, packets: Sequence[bytes], fps: float) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.clip = Clip(packets, fps)
        self.sender = self.peer.addTrack(self.clip)
        self.clip.before_frame = self._before_frame
        self.answers: dict[int, float] = {}
        """Time of each answer by the RTP timestamp of its frame, monotonic clock."""
        self.ended = ""
        self.origin = 0
        channel = self.peer.createDataChannel("messages", ordered=False, maxRetransmits=0)
        channel.on("message", self._take)

    async def open(self, http: aiohttp.ClientSession, url: str) -> None:
        """Connect."""
        await self.peer.setLocalDescription()
        offer = {"sdp": self.peer.localDescription.sdp, "returns": "boxes"}
        async with http.post(f"{url}/api/v1/browser-cameras", json=offer) as answer:
            answer.raise_for_status()
            await self.peer.setRemoteDescription(RTCSessionDescription((await answer.json())["sdp"], "answer"))

    def _take(self, text: str) -> None:
        now_s, message = time.monotonic(), json.loads(text)
        self.ended = message.get("ended", self.ended)
        if "frame" in message:
            self.answers[message["frame"]["rtp"]] = now_s

    def figures(self, until_s: float) -> dict[str, Any]:
        """What came back of the frames that were sent until a time, from the first answer on."""
        first_s = min(self.answers.values())
        counted = [(ticks, at_s) for ticks, at_s in self.clip.sent if first_s < at_s < until_s]
        found = [(at_s, self.answers.get((self.origin + ticks) % WRAP)) for ticks, at_s in counted]
        times_ms = np.array([1e3 * (back_s - at_s) for at_s, back_s in found if back_s is not None])
        third = len(times_ms) // 3
        p50, p95, p99, most = (round(float(np.percentile(times_ms, percent)), 1) for percent in (50, 95, 99, 100))
        return {
            "sent": len(counted),
            "back %": round(100 * len(times_ms) / len(counted), 2),
            "p50 ms": p50,
            "p95 ms": p95,
            "p99 ms": p99,
            "max ms": most,
            "p50 first third": round(float(np.median(times_ms[:third])), 1),
            "p50 last third": round(float(np.median(times_ms[-third:])), 1),
            "ended": self.ended,
        }

    def _before_frame(self) -> bool:
        """All frames before are sent: find what aiortc adds to their times. Returns whether a keyframe is needed."""
        sender = vars(self.sender)
        if self.clip.sent:
            self.origin = int(sender["_RTCRtpSender__rtp_timestamp"]) - self.clip.sent[-1][0]
        is_needed = bool(sender["_RTCRtpSender__force_keyframe"])
        sender["_RTCRtpSender__force_keyframe"] = False
        return is_needed


def encoded(size: tuple[int, int], fps: float) -> list[bytes]:
    """VP8 of a moving test picture, as a browser sends it: one keyframe, then the rest."""
    made = list[bytes]()
    source = f"testsrc2=size={size[0]}x{size[1]}:rate={fps:g}:duration={CLIP_S}"
    with av.open(source, format="lavfi") as container:
        codec = av.CodecContext.create("libvpx", "w")
        codec.width, codec.height, codec.pix_fmt = *size, "yuv420p"
        codec.time_base, codec.bit_rate = Fraction(1, CLOCK_HZ), 2_000_000
        codec.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "g": "100000"}
        for number, frame in enumerate(container.decode(video=0)):
            picture = frame.reformat(format="yuv420p")
            picture.pts, picture.time_base = round(number * CLOCK_HZ / fps), Fraction(1, CLOCK_HZ)
            made += [bytes(packet) for packet in codec.encode(picture)]
    return made


async def measure(
    url: str, server: psutil.Process, options: argparse.Namespace, size: tuple[int, int]
) -> dict[str, Any]:
    """All figures of one run."""
    packets, held = encoded(size, options.fps), list[dict[str, float]]()
    async with aiohttp.ClientSession() as http:
        clients = [Client(packets, options.fps) for _ in range(options.sessions)]
        for client in clients:
            await client.open(http, url)
        began_s, cpu = time.monotonic(), server.cpu_times()
        until_s = began_s + 60 * options.minutes
        while (left_s := until_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, min(_SETTLED_S, 20 * options.minutes)))
            held.append(resources(server))
        spent = server.cpu_times()
        await asyncio.sleep(LAST_ANSWERS_S)
        async with http.get(f"{url}/api/v1/browser-cameras") as answer:
            sessions = (await answer.json())["browser_cameras"]
        figures = [client.figures(until_s) for client in clients]
        for client in clients:
            await client.peer.close()
    cpu_s = spent.user + spent.system - cpu.user - cpu.system
    return {
        "clients": figures,
        "server": [{key: one[key] for key in ("entered", "shown", "detected", "dropped", "age_s")} for one in sessions],
        "server_cpu": round(cpu_s / (60 * options.minutes), 2),
        "held_first": held[0],
        "held_last": held[-1],
        "load_average": os.getloadavg()[0],
        "machine": machine(),
    }


def resources(process: psutil.Process) -> dict[str, float]:
    """Memory, threads and descriptors of the server."""
    rss_mib = process.memory_info().rss / 2**20
    return {"rss_mib": round(rss_mib, 1), "threads": process.num_threads(), "descriptors": process.num_fds()}


async def _wait_for(url: str) -> None:
    until_s = time.monotonic() + _STARTS_WITHIN_S
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < until_s:
            with suppress(aiohttp.ClientError):
                async with http.get(f"{url}/api/v1/session"):
                    return
            await asyncio.sleep(0.2)
    raise TimeoutError(url)


def main() -> None:
    """Parse the options, start the server and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--fps", type=float, default=15.0)
    parser.add_argument("--detector-ms", type=float, default=500.0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder, reserve_port() as reserved:
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        site = Path(folder) / "site.yaml"
        site.write_text(
            f"detector: {{name: sleeping}}\nweb: {{address: '{address}', browser_camera: {{sessions: 64}}}}\n"
        )
        command = [sys.executable, "-m", "benchmarks.browser_camera", _SERVE, "--config", str(site)]
        environment = {**os.environ, "SLEEPS_S": str(options.detector_ms / 1e3)}
        with Popen(command, env=environment) as process:
            try:
                asyncio.run(_wait_for(f"http://{address}"))
                figures = asyncio.run(
                    measure(f"http://{address}", psutil.Process(process.pid), options, (width, height))
                )
            finally:
                process.terminate()
    for client in figures.pop("clients"):
        print(client)
    for name, value in figures.items():
        print(f"{name:14} {value}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def serve() -> None:
    """Run `streamer serve` with the detector."""
    from streamer.cli.program import run_program
    from streamer.registry import DETECTORS

    DETECTORS.register("sleeping", SleepingDetector)
    run_program(time.monotonic())


if __name__ == "__main__":
    serve() if _SERVE in sys.argv[1:2] else main()

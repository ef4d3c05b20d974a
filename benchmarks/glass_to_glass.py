"""Latency from the camera's drawing of a frame to a viewer that has decoded it.

    python -m benchmarks.glass_to_glass [--seconds S] [--fps F] [--json FILE]

The scripted RTSP camera of the fault lab at 1280x720 draws a number into each frame and reports when. The whole
program, as a separate process with the starter, draws on the frames and publishes them over RTSP, then serves them as
MJPEG. A viewer reads the numbers. All run on this machine and share its clock. The parts come from the camera's log,
the times in the MJPEG stream's headers, and the program's report.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from benchmarks.clips import machine
from tests.faults import counter
from tests.faults.camera import Camera
from tests.faults.camera.ports import reserve_port
from tests.faults.lab.listener import Listener

ROOT = Path(__file__).parents[1]
SIZE = (1280, 720)
WARM_S = 5.0
STARTED_WITHIN_S = 60.0


class Viewed(NamedTuple):
    """A frame at a viewer: its number, the time it was decoded, and the time it had reached the program."""

    number: int
    at_s: float
    captured_s: float | None = None


def run_program(url: str, output: str, report: Path) -> subprocess.Popen[bytes]:
    """Start the program like a user."""
    command = [sys.executable, "main.py", "run", url, "--detector", "starter", "-o", output, "--report", str(report)]
    return subprocess.Popen([*command, "--quiet"], cwd=ROOT)


def over_rtsp(camera: Camera, seconds: float, report: Path) -> list[Viewed]:
    """The frames at a server of a published stream."""
    seen: queue.SimpleQueue[Viewed] = queue.SimpleQueue()
    with Listener(lambda number, at_s: seen.put(Viewed(number, at_s))) as target:
        program = run_program(camera.url, target.url, report)
        return collect(program, seen, seconds)


def over_mjpeg(camera: Camera, seconds: float, report: Path) -> list[Viewed]:
    """The frames at a viewer of the MJPEG stream."""
    seen: queue.SimpleQueue[Viewed] = queue.SimpleQueue()
    with reserve_port() as reserved:
        port = reserved.getsockname()[1]
        program = run_program(camera.url, f"http://127.0.0.1:{port}/", report)
        viewer = threading.Thread(target=view_mjpeg, args=(port, seen), daemon=True)
        viewer.start()
        return collect(program, seen, seconds)


def collect(program: subprocess.Popen[bytes], seen: queue.SimpleQueue[Viewed], seconds: float) -> list[Viewed]:
    """The frames of this many seconds, after a settling time; then the program gets the signal to end."""
    try:
        began_s = seen.get(timeout=STARTED_WITHIN_S).at_s + WARM_S
        viewed = []
        while (view := seen.get(timeout=STARTED_WITHIN_S)).at_s < began_s + seconds:
            if view.at_s >= began_s:
                viewed.append(view)
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait(10)
    return viewed


def view_mjpeg(port: int, seen: queue.SimpleQueue[Viewed]) -> None:
    """Decode all frames until the server ends. Runs in its own thread."""
    decoder: Any = av.CodecContext.create("mjpeg", "r")
    for headers, jpeg in parts(connected(port)):
        picture = decoder.decode(av.Packet(jpeg))[0]
        at_s = time.monotonic()
        number = counter.read_number(picture)
        if number is not None:
            seen.put(Viewed(number, at_s, float(headers["x-captured"])))


def connected(port: int) -> http.client.HTTPResponse:
    """The stream, once the program serves it."""
    pause, deadline_s = threading.Event(), time.monotonic() + STARTED_WITHIN_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=STARTED_WITHIN_S)
        try:
            connection.request("GET", "/stream.mjpg")
            return connection.getresponse()
        except ConnectionRefusedError:
            if time.monotonic() > deadline_s:
                raise
            pause.wait(0.2)  # another process: there is no event when it listens


def parts(stream: http.client.HTTPResponse) -> Iterator[tuple[dict[str, str], bytes]]:
    """Headers, by lower-case names, and content of each part until the stream ends."""
    while line := stream.readline():
        if not line.startswith(b"--"):
            continue
        headers = {}
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        if "content-length" not in headers:  # the stream ended within a part
            return
        yield headers, stream.read(int(headers["content-length"]))


def summary(camera: Camera, viewed: list[Viewed], report: Path, stage: str) -> dict[str, Any]:
    """The total latency and its parts, in milliseconds."""
    shots = [(view, shot) for view in viewed if (shot := camera.shot(view.number)) is not None]
    total = [view.at_s - shot.drawn_s for view, shot in shots]
    sending = [shot.sent_s - shot.drawn_s for _, shot in shots if shot.sent_s is not None]
    split: dict[str, Any] = {"camera draws, encodes, sends": milliseconds(sending)}
    on_the_way = [
        view.captured_s - shot.sent_s for view, shot in shots if view.captured_s is not None and shot.sent_s is not None
    ]
    if on_the_way:
        split["sent to arrived"] = milliseconds(on_the_way)
    told = json.loads(report.read_text(encoding="utf-8"))
    for name, key, kind in (
        ("of that, decoding", "decode", "stages"),
        ("of that, drawing boxes", "draw", "stages"),
        ("arrived to shown", "shown", "ages"),
        (f"of that, writing {stage}", stage, "stages"),
        (f"arrived to written by {stage}", stage, "ages"),
    ):
        figures = told[kind].get(key)
        if figures:
            split[name] = {"p50": figures["p50_ms"], "p95": figures["p95_ms"]}
    through = [view.at_s - view.captured_s for view, _ in shots if view.captured_s is not None]
    if through:
        split["arrived to viewed"] = milliseconds(through)
    numbers = [view.number for view in viewed]
    taken = numbers[-1] - numbers[0] + 1
    return {
        "glass to glass": milliseconds(total),
        "split": split,
        "pictures": {"viewed": len(viewed), "captured in this time": taken},
        "report": {"frames": told["frames"], "ages": told["ages"]},
    }


def milliseconds(durations_s: list[float]) -> dict[str, float]:
    """Percentiles."""
    values = np.array(durations_s) * 1e3
    return {f"p{percent:g}": round(float(np.percentile(values, percent)), 1) for percent in (50, 95, 100)}


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    print(machine())
    results: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        camera = stack.enter_context(Camera(size=SIZE, fps=options.fps))
        for name, view, stage in (("RTSP", over_rtsp, "publish"), ("MJPEG", over_mjpeg, "mjpeg")):
            report = folder / f"{name}.json"
            viewed = view(camera, options.seconds, report)
            result = results[name] = summary(camera, viewed, report, stage)
            result["load average"] = os.getloadavg()[0]
            print(f"{name}: {result['glass to glass']} ms, {result['pictures']}, load {result['load average']:.1f}")
            for part, figures in result["split"].items():
                print(f"    {part:32} {figures}", flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

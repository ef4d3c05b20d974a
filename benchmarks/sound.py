"""The cost of audio: CPU time for encoding, and the delay of published frames.

    python -m benchmarks.sound [--seconds S] [--fps F]

The delay is from the call of the sink to the arrival of the whole frame at a receiver on this machine that does not
decode: one in plain Python for RTSP, FFmpeg's for RTMP and MPEG-TS. Audio arrives 60 ms after its video. Frames are
160x120, so that encoding them takes little time.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av

from benchmarks.clips import machine
from streamer.sinks.muxing.audio import Transcoder
from tests.sinks.making import stream_sink
from tests.sinks.muxing.claps import SIZE, Feed, clap_scene, click_track
from tests.sinks.publish.rtsp_recorder import RtspRecorder
from tests.sinks.publish.test_stream import LISTEN, address
from tests.sinks.scenes import TIME_BASE, info

ROOT = Path(__file__).parents[1]
LATE_S = 0.06
SOUND = {"none": None, "G.711": ("pcm_mulaw", 8000), "AAC": ("aac", 48000)}
RECEIVER = """
import json, sys, time, av
with av.open(sys.argv[1], format=sys.argv[2] or None, options=json.loads(sys.argv[3])) as container:
    for packet in container.demux():
        if packet.size and packet.stream.type == "video":
            print(time.monotonic(), flush=True)
"""


def cost_ms(codec: str, rate_hz: int, container: str) -> float:
    """CPU time per second of audio, milliseconds."""
    stream, packets = click_track(codec, 60.0, rate_hz=rate_hz)
    output = av.open(io.BytesIO(), "w", format=container)
    transcoder = Transcoder(output, stream)
    output.start_encoding()
    began_s = time.process_time()
    for packet in packets:
        transcoder.encode(packet)
    return (time.process_time() - began_s) / 60 * 1000


def publish(url: str, sound: str, fps: int, seconds: float) -> list[float]:
    """The time of each call of the sink, in real time."""
    given = SOUND[sound]
    feed = Feed(click_track(given[0], seconds + 1, rate_hz=given[1]), late_s=LATE_S) if given is not None else Feed()
    feed.passthrough.begin()
    sent = []
    step = round(1 / TIME_BASE / fps)
    with stream_sink(url, info(size=SIZE, average_fps=Fraction(fps)), passthrough=feed.passthrough) as sink:
        began_s = time.monotonic()
        for number in range(round(seconds * fps)):
            time.sleep(max(began_s + number / fps - time.monotonic(), 0))
            scene = feed.come(clap_scene(number, pts=number * step))
            sent.append(time.monotonic())
            sink.write(scene)
    return sent


def over_rtsp(sound: str, fps: int, seconds: float) -> list[float]:
    """Delays of frames, seconds."""
    came: list[float] = []
    with RtspRecorder(on_picture=lambda: came.append(time.monotonic())) as server:
        sent = publish(server.url, sound, fps, seconds)
        server.ended.wait(10)
    return [arrived - given for given, arrived in zip(sent, came, strict=False)][fps:]


def over(kind: str) -> Callable[[str, int, float], list[float]]:
    """The same with FFmpeg's receiver, which may miss the first frames."""

    def measured(sound: str, fps: int, seconds: float) -> list[float]:
        url = address(kind)
        container, options = LISTEN[kind]
        command = [sys.executable, "-c", RECEIVER, url, container, json.dumps(options | {"fflags": "nobuffer"})]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
            came: list[float] = []
            assert run.stdout is not None
            lines = run.stdout
            reader = threading.Thread(target=lambda: came.extend(map(float, lines)))
            reader.start()
            time.sleep(2)  # until it listens
            sent = publish(url, sound, fps, seconds)
            time.sleep(0.5)
            run.kill()
            reader.join()
        count = min(len(came), len(sent)) // 2
        return [arrived - given for given, arrived in zip(sent[-count:], came[-count:], strict=True)]

    return measured


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--fps", type=int, default=25)
    asked = parser.parse_args()
    print(machine())
    for codec, rate_hz, container in (("pcm_mulaw", 8000, "mp4"), ("aac", 48000, "mp4"), ("aac", 48000, "webm")):
        print(f"{codec} into {container}: {cost_ms(codec, rate_hz, container):.1f} ms of CPU time per second of audio")
    for name, measured in (("RTSP", over_rtsp), ("RTMP", over("rtmp")), ("MPEG-TS", over("udp"))):
        for sound in SOUND:
            delays = sorted(measured(sound, asked.fps, asked.seconds))
            p95 = delays[int(len(delays) * 0.95)]
            told = f"median {statistics.median(delays) * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms"
            print(f"{name}, audio {sound}: {told}, {len(delays)} frames")


if __name__ == "__main__":
    main()

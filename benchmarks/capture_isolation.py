"""The cost of capture in a child process, which can be killed, against a thread with short read timeouts.

    python -m benchmarks.capture_isolation [--seconds S] [--rounds N] [--json FILE]

Both read the scripted RTSP camera of the fault lab at 1280x720 and 25 fps through the program's own connection. The
thread passes the decoder's frame on. The child copies it into shared memory, and the parent copies it into its own
frame, because the slot is needed again. CPU time is the sum of both processes. The delay is from the end of decoding to
the consumer. The start time is from the start call to the first frame.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import psutil

from benchmarks.clips import machine
from streamer.sources.live.connection import LiveFrame
from streamer.sources.network.connector import NetworkConnector
from tests.faults.camera import Camera

SIZE = (1280, 720)
PIXEL_FORMAT = "yuv420p"
PICTURE_BYTES = SIZE[0] * SIZE[1] * 3 // 2
SLOTS = 4

Row = dict[str, float]


def frames(url: str, is_active: Callable[[], bool]) -> Iterator[av.VideoFrame]:
    """The frames of the program's own connection, while `is_active` returns true."""
    connection = NetworkConnector(url).connect(is_active)
    try:
        for item in connection.frames():
            if not is_active():
                return
            if isinstance(item, LiveFrame):
                yield item.picture
    finally:
        connection.close()


def in_thread(url: str, seconds: float) -> Row:
    """Capture in a thread of this process."""
    taken: queue.Queue[tuple[av.VideoFrame, float]] = queue.Queue(SLOTS)
    cancelled = threading.Event()

    def capture() -> None:
        for picture in frames(url, lambda: not cancelled.is_set()):
            taken.put((picture, time.monotonic()))

    process = psutil.Process()
    before_mib = process.memory_full_info().uss / 2**20
    began_s = time.monotonic()
    thread = threading.Thread(target=capture)
    thread.start()
    _, decoded_s = taken.get()
    started_s, cpu_s = time.monotonic() - began_s, time.process_time()
    delays_s = [time.monotonic() - decoded_s]
    while time.monotonic() < began_s + started_s + seconds:
        _, decoded_s = taken.get()
        delays_s.append(time.monotonic() - decoded_s)
    cpu_s = time.process_time() - cpu_s
    memory_mib = process.memory_full_info().uss / 2**20 - before_mib
    cancelled.set()
    while thread.is_alive():
        thread.join(0.1)
        while not taken.empty():
            taken.get()
    return row(delays_s, cpu_s, started_s, memory_mib)


def in_child(url: str, seconds: float) -> Row:
    """Capture in a child process, and copy the frames."""
    context = multiprocessing.get_context("spawn")
    began_s = time.monotonic()
    memory = SharedMemory(create=True, size=SLOTS * PICTURE_BYTES)
    slots = views(memory)
    ours, theirs = context.Pipe()
    child = context.Process(target=capture_into, args=(url, memory.name, theirs))
    child.start()
    delays_s: list[float] = []
    cpu_s: list[float] = []  # of both processes, at each frame
    started_s = 0.0
    try:
        while not started_s or time.monotonic() < began_s + started_s + seconds:
            slot, decoded_s, child_cpu_s = ours.recv()
            picture = av.VideoFrame.from_ndarray(slots[slot], PIXEL_FORMAT)
            ours.send(slot)
            now_s = time.monotonic()
            started_s = started_s or now_s - began_s
            delays_s.append(now_s - decoded_s)
            cpu_s.append(child_cpu_s + time.process_time())
            assert picture.width == SIZE[0]
        memory_mib = psutil.Process(child.pid).memory_full_info().uss / 2**20
        ours.send(None)
    finally:
        child.join(10)
        slots.clear()
        memory.close()
        memory.unlink()
    return row(delays_s, cpu_s[-1] - cpu_s[0], started_s, memory_mib)


def views(memory: SharedMemory) -> list[npt.NDArray[np.uint8]]:
    """The slots of the shared memory."""
    buffer = memory.buf
    assert buffer is not None
    shape = SIZE[1] * 3 // 2, SIZE[0]
    return [np.ndarray(shape, np.uint8, buffer, slot * PICTURE_BYTES) for slot in range(SLOTS)]


def capture_into(url: str, name: str, parent: Connection) -> None:
    """The child: copies every frame into a free slot and drops it if there is none."""
    memory = SharedMemory(name)
    slots, free, ended = views(memory), list(range(SLOTS)), threading.Event()
    for picture in frames(url, lambda: not ended.is_set()):
        decoded_s = time.monotonic()
        while parent.poll():
            told = parent.recv()
            if told is None:
                ended.set()
            else:
                free.append(told)
        if free and not ended.is_set():
            slot = free.pop()
            slots[slot][:] = picture.to_ndarray()
            parent.send((slot, decoded_s, time.process_time()))
    slots.clear()
    memory.close()


def row(delays_s: list[float], cpu_s: float, started_s: float, memory_mib: float) -> Row:
    """One measurement, rounded."""
    delays_ms = np.array(delays_s) * 1e3
    return {
        "cpu_ms_a_frame": 1e3 * cpu_s / len(delays_s),
        "delay_p50_ms": float(np.percentile(delays_ms, 50)),
        "delay_p95_ms": float(np.percentile(delays_ms, 95)),
        "start_s": started_s,
        "memory_mib": memory_mib,
        "frames": float(len(delays_s)),
    }


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": machine(), "thread": [], "child": []}
    print(machine())
    with Camera(size=SIZE, key_frame_on_play=True) as camera:
        for _ in range(options.rounds):
            for name, capture in (("thread", in_thread), ("child", in_child)):
                measured = capture(camera.url, options.seconds)
                results[name].append(measured)
                values = "  ".join(f"{key} {value:.2f}" for key, value in measured.items())
                print(f"{name:7} {values}  load {os.getloadavg()[0]:.1f}", flush=True)
    for name in ("thread", "child"):
        middle = {key: float(np.median([each[key] for each in results[name]])) for key in results[name][0]}
        print(f"{name:7} median: " + "  ".join(f"{key} {value:.2f}" for key, value in middle.items()))
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

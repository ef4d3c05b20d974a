"""What viewers leave behind: memory, descriptors and threads of the program after many connections.

    python -m benchmarks.connections [--times N] [--at-once N]

A camera of 640x360 at 10 fps (RTSP), `streamer serve` with the starter, and viewers that connect, take their first
frame and disconnect: by WebRTC with the overlay, by MJPEG, and by WebSocket with JPEG frames. The figures are read when
nobody watches: first after 200 connections of each kind, in which the threads, encoders and caches of the program get
their memory, then after N more of each kind.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp

from benchmarks.cameras import table
from benchmarks.cameras.program import Held, Program, Programs
from benchmarks.cameras.rig import Kind, Rig
from benchmarks.viewers.watching import Watching
from tests.faults.camera.ports import reserve_port

KIND = Kind((640, 360), 10, None)
STARTED_WITHIN_S = 180.0
WARM_UP_S = 5.0
SETTLED_S = 3.0
FIRST_FRAME_S = 60.0
WARM_UP_TIMES = 200
_MOST_MIB = 5.0
_PART_BYTES = 1024

Visit = Callable[[aiohttp.ClientSession, str], Awaitable[None]]


async def by_webrtc(session: aiohttp.ClientSession, camera: str) -> None:
    """One viewer by WebRTC with its overlay."""
    async with Watching(session, camera):
        pass


async def by_mjpeg(session: aiohttp.ClientSession, camera: str) -> None:
    """One viewer by MJPEG; it disconnects within the stream."""
    async with session.get(f"{camera}/stream.mjpg") as response:
        assert response.status == 200, response.status
        await response.content.readexactly(_PART_BYTES)


async def by_websocket(session: aiohttp.ClientSession, camera: str) -> None:
    """One viewer of JPEG frames."""
    async with session.ws_connect(f"{camera}/frames") as socket:
        assert await socket.receive_bytes()


VISITS: dict[str, Visit] = {"WebRTC": by_webrtc, "MJPEG": by_mjpeg, "WebSocket": by_websocket}


async def visit(kind: Visit, camera: str, times: int, at_once: int) -> None:
    """Connect and disconnect, with so many viewers at a time."""
    left = iter(range(times))

    async def viewer(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with asyncio.timeout(FIRST_FRAME_S):
                await kind(session, camera)

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(viewer(session))


def settled(program: Program) -> Held:
    """What the program holds when nobody watches."""
    time.sleep(SETTLED_S)
    return program.held()


def measure(program: Program, camera: str, times: int, at_once: int) -> tuple[Held, Held]:
    """What the program holds after the first connections, and after all."""
    for kind in VISITS.values():
        asyncio.run(visit(kind, camera, WARM_UP_TIMES, at_once))
    before = settled(program)
    rows = []
    for name, kind in VISITS.items():
        began_s = time.monotonic()
        asyncio.run(visit(kind, camera, times, at_once))
        took_s = time.monotonic() - began_s
        held = settled(program)
        grown = held.own_mib - before.own_mib
        rows.append([name, f"{1e3 * took_s / times:.0f}", f"{grown:+.1f}", str(held.threads), str(held.descriptors)])
    table.title(f"{times} connections of each kind, {at_once} at a time")
    first = ["at the start", "", "0", str(before.threads), str(before.descriptors)]
    table.table(["", "ms for each", "memory since the start, MiB", "threads", "descriptors"], [first, *rows])
    return before, settled(program)


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1000, help="connections of each kind")
    parser.add_argument("--at-once", type=int, default=4)
    options = parser.parse_args()
    with Rig(KIND, 1) as rig, reserve_port() as reserved:
        (name,) = rig.names
        rig.write_site({name: {"source": {"uri": rig.url(name)}}})
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        command = ["serve", "--config", str(rig.site), "--set", f"web.address={address}"]
        with Program(command, rig.file(".log")) as program:
            Programs([program]).wait_for(rig.names, STARTED_WITHIN_S)
            time.sleep(WARM_UP_S)
            camera = f"http://{address}/api/v1/cameras/{name}"
            before, after = measure(program, camera, options.times, options.at_once)
    grown = after.own_mib - before.own_mib
    table.goals(
        [
            table.Goal(f"memory grows by less than {_MOST_MIB:g} MiB", f"{grown:+.1f} MiB", grown < _MOST_MIB),
            table.Goal(
                "descriptors and threads as before",
                f"{after.descriptors - before.descriptors:+}, {after.threads - before.threads:+}",
                (after.descriptors, after.threads) == (before.descriptors, before.threads),
            ),
        ]
    )


if __name__ == "__main__":
    main()

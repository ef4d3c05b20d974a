"""The program that `test_vivid` runs in the virtual machine, with the driver `vivid` at /dev/video0: results as JSON.

Each step is a function that returns facts, without judging them. Owned by one thread, like a camera's reader.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from streamer.errors import StreamerError
from streamer.interfaces import Damage
from streamer.sources.camera.camera import CameraConnector
from streamer.sources.camera.devices import camera_lines, find_cameras
from streamer.sources.live.connection import Connection, LiveFrame, LiveItem
from streamer.values.frame import Frame

VIVID = Path("/sys/bus/platform/drivers/vivid")
Facts = dict[str, Any]


def set_control(name: str, value: int) -> None:
    subprocess.run(["v4l2-ctl", "-d", "/dev/video0", "-c", f"{name}={value}"], check=True, capture_output=True)


@contextmanager
def opened(device: str = "camera:0", **wish: Any) -> Iterator[tuple[Connection, Iterator[LiveItem]]]:
    connection = CameraConnector(device, **wish).connect(lambda: True)
    try:
        yield connection, connection.frames()
    finally:
        connection.close()


def refusal(device: str, is_active: Callable[[], bool] = lambda: True, **wish: Any) -> Facts:
    began_s = time.monotonic()
    try:
        CameraConnector(device, **wish).connect(is_active).close()
    except StreamerError as error:
        return {"kind": type(error).__name__, "message": str(error), "took_s": time.monotonic() - began_s}
    return {"kind": "", "message": "", "took_s": time.monotonic() - began_s}


def until_lost(items: Iterator[LiveItem]) -> Facts:
    began_s = time.monotonic()
    try:
        for _ in items:
            pass
    except StreamerError as error:
        return {"kind": type(error).__name__, "message": str(error), "took_s": time.monotonic() - began_s}
    return {}


def pictures_of(items: Iterator[LiveItem], count: int) -> list[LiveFrame]:
    return list(islice((item for item in items if isinstance(item, LiveFrame)), count))


def listed() -> Facts:
    found = find_cameras()
    return {"cameras": [camera.to_dict() for camera in found], "lines": camera_lines(found)}


def captured() -> Facts:
    """Frames as the driver delivers them, and their age when they are passed on."""
    with opened(size=(640, 480), fps=25, pixel_format="YUYV") as (connection, items):
        ages_s, pictures = [], []
        cpu_s, began_s = time.process_time(), time.monotonic()
        for picture in pictures_of(items, 61)[1:]:
            pictures.append(picture)
        cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - began_s
        for picture in islice((item for item in items if isinstance(item, LiveFrame)), 40):
            ages_s.append(time.monotonic() - picture.arrived_s)
        return {
            "info": [connection.info.width, connection.info.height, connection.info.pixel_format],
            "fps": str(connection.info.average_fps),
            "live": connection.info.live,
            "jpeg_like": connection.info.jpeg_like,
            "pts": [picture.pts for picture in pictures],
            "arrived_s": [picture.arrived_s for picture in pictures],
            "decode_s": [picture.decode_s for picture in pictures],
            "ages_s": ages_s,
            "cpu": cpu_s / wall_s,
        }


def clocks() -> Facts:
    """The time of a frame: vivid's `end of frame` is in the future, its `start of exposure` in the past."""
    facts = {}
    for name, value in (("end of frame", 0), ("start of exposure", 1)):
        set_control("timestamp_source", value)
        with opened(size=(640, 480), fps=25) as (_, items):
            pictures = pictures_of(items, 20)[1:]
            now_s = time.monotonic()
            facts[name] = {
                "driver_minus_arrival_s": [(p.pts or 0) / 1e6 - p.arrived_s for p in pictures],
                "now_minus_driver_s": now_s - (pictures[-1].pts or 0) / 1e6,
            }
    set_control("timestamp_source", 0)
    return facts


def formats() -> Facts:
    """The centres of the eight colour bars that the driver draws, in every format that the program reads."""
    facts = {}
    set_control("osd_text_mode", 2)
    for name in ("NV12", "YU12", "422P", "YUYV", "UYVY", "YVYU", "NV21", "BGR3", "RGB3", "GREY"):
        with opened(size=(640, 360), pixel_format=name) as (connection, items):
            picture = pictures_of(items, 2)[-1]
            frame = Frame(picture.picture, 0, picture.pts or 0, picture.time_base, picture.arrived_s)
            bars = frame.rgb()[180, 40::80].tolist()
            facts[name] = {"pixel_format": connection.info.pixel_format, "bars": bars}
    set_control("osd_text_mode", 0)
    return facts


def modes() -> Facts:
    """The mode that is selected for a vague request, and the measured rate."""
    facts = {}
    wishes: dict[str, Any] = {
        "nothing": {},
        "720p": {"size": (1280, 720)},
        "10 fps": {"fps": 10},
        "nv12": {"pixel_format": "nv12"},
    }
    for name, wish in wishes.items():
        with opened(**wish) as (connection, items):
            times = [picture.pts or 0 for picture in pictures_of(items, 12)]
            info = connection.info
            facts[name] = {
                "size": [info.width, info.height],
                "pixel_format": info.pixel_format,
                "fps": float(info.average_fps or 0),
                "measured_fps": 11e6 / (times[-1] - times[0]),
            }
    return facts


def refused() -> Facts:
    facts = {
        "missing": refusal("camera:9"),
        "output": refusal("/dev/video1"),
        "metadata": refusal("/dev/video2"),
        "size": refusal("camera:0", size=(1000, 700)),
        "rate": refusal("camera:0", size=(640, 480), fps=60),
        "format": refusal("camera:0", pixel_format="MJPG"),
    }
    with opened():
        facts["busy"] = refusal("camera:0")
    os.seteuid(65534)
    try:
        facts["permission"] = refusal("camera:0")
        facts["permission lines"] = {"lines": camera_lines(find_cameras())}
    finally:
        os.seteuid(0)
    return facts


def stalled() -> Facts:
    """A camera that stops delivering and comes back, then one that does not deliver at all."""
    with opened(size=(640, 480)) as (_, items):
        next(items)
        set_control("percentage_of_dropped_buffers", 100)
        waits_s: list[float] = []
        while len(waits_s) < 6:
            began_s = time.monotonic()
            if next(items) is None:
                waits_s.append(time.monotonic() - began_s)
        set_control("percentage_of_dropped_buffers", 0)
        after = [item for item in islice(items, 12) if item is not None]
        overruns = [item.frames for item in after if isinstance(item, Damage)]
        pictures = sum(isinstance(item, LiveFrame) for item in after)
    set_control("percentage_of_dropped_buffers", 100)
    never = refusal("camera:0")
    stopped = refusal("camera:0", is_active=iter([True, False]).__next__)
    set_control("percentage_of_dropped_buffers", 0)
    return {"waits_s": waits_s, "overruns": overruns, "pictures": pictures, "never": never, "stopped": stopped}


def paused() -> Facts:
    """A reader that pauses for a second gets the newest frame and the number of missed ones."""
    with opened(size=(640, 480), fps=25) as (_, items):
        pictures_of(items, 5)
        set_control("timestamp_source", 1)
        time.sleep(1.0)
        missed, age_s = 0, None
        for item in items:
            if isinstance(item, Damage):
                missed += item.frames
            elif isinstance(item, LiveFrame):
                age_s = time.monotonic() - (item.pts or 0) / 1e6
                break
        set_control("timestamp_source", 0)
        return {"missed": missed, "age_s": age_s}


def unplugged() -> Facts:
    """The driver's own disconnection, then the device removed and added again."""
    connector = CameraConnector("camera:0")
    facts: Facts = {}
    connection = connector.connect(lambda: True)
    items = connection.frames()
    next(items)
    set_control("disconnect", 1)
    facts["disconnected"] = until_lost(items)
    connection.close()
    connection = connector.connect(lambda: True)
    items = connection.frames()
    facts["back"] = len(pictures_of(items, 5))
    (VIVID / "unbind").write_text("vivid.0")
    facts["removed"] = until_lost(items)
    connection.close()
    facts["gone"] = not connector.is_reachable()
    try:
        connector.connect(lambda: True)
    except StreamerError as error:
        facts["again"] = {"kind": type(error).__name__, "message": str(error)}
    facts["none"] = camera_lines(find_cameras())
    (VIVID / "bind").write_text("vivid.0")
    facts["present"] = connector.is_reachable()
    connection = connector.connect(lambda: True)
    facts["replugged"] = len(pictures_of(connection.frames(), 5))
    connection.close()
    return facts


def faulty() -> Facts:
    """Errors that the driver injects."""
    facts: Facts = {}
    with opened(size=(640, 480)) as (_, items):
        pictures_of(items, 3)
        set_control("inject_v4l2_buf_flag_error", 1)
        facts["damage"] = [picture.damage for picture in pictures_of(items, 8)]
    for name in ("inject_vidioc_reqbufs_error", "inject_vidioc_streamon_error"):
        set_control(name, 1)
        facts[name] = refusal("camera:0")
    with opened(size=(640, 480)) as (_, items):
        pictures_of(items, 3)
        set_control("inject_fatal_streaming_error", 1)
        facts["fatal"] = until_lost(items)
    facts["after"] = refusal("camera:0")
    return facts


def leaks() -> Facts:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    counts = []
    for _ in range(8):
        with opened(size=(640, 480)) as (_, items):
            pictures_of(items, 2)
        counts.append(descriptors())
    return {"descriptors": counts}


STEPS = (listed, captured, clocks, formats, modes, refused, stalled, paused, faulty, leaks, unplugged)


def main(target: Path, names: list[str]) -> None:
    results: Facts = {"release": os.uname().release}
    for step in STEPS:
        if not names or step.__name__ in names:
            try:
                results[step.__name__] = step()
            except Exception:
                results[step.__name__] = {"failed": traceback.format_exc()}
            target.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

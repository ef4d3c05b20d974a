"""The whole program on the camera, inside the virtual machine: the camera disconnects once, then the program ends.

Needs the starter's weights in the host's cache.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import platformdirs

_LIMIT_S = 200.0


def wait_until(program: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    """Check once per second, until the condition holds or the program has ended."""
    until_s = time.monotonic() + _LIMIT_S
    while not reached():
        try:
            sys.exit(f"the program ended: {program.wait(1.0)}")
        except subprocess.TimeoutExpired:
            if time.monotonic() > until_s:
                raise


def frames() -> int:
    """How many frames the program has processed, from its own metrics."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:9090/metrics", timeout=10) as answer:
            page = answer.read().decode()
    except OSError:  # not served yet
        return 0
    found = re.findall(r"^streamer_frames_total\{.*\} ([0-9.e+]+)$", page, re.MULTILINE)
    return sum(int(float(count)) for count in found)


def main(out: Path, host_home: str) -> int:
    # The cache is copied because the host's file system is read-only here.
    cache = Path(platformdirs.user_cache_dir("streamer"))
    host_cache = Path(host_home) / cache.relative_to(Path.home())
    shutil.copytree(host_cache, cache, ignore=shutil.ignore_patterns("hub"))
    listing = subprocess.run(
        [sys.executable, "main.py", "probe", "cameras"], capture_output=True, text=True, check=True
    )
    (out / "cameras.txt").write_text(listing.stdout)
    command = [sys.executable, "main.py", "run", "camera:0", "--detector", "starter", "--offline"]
    command += ["--jsonl", str(out / "frames.jsonl"), "--report", str(out / "report.json")]
    command += ["--set", "source.size=320x180", "--set", "source.fps=5", "--metrics", "127.0.0.1:9090"]
    messages = out / "messages"

    with messages.open("wb") as stderr, subprocess.Popen(command, stderr=stderr) as program:
        try:
            wait_until(program, lambda: frames() >= 30)
            subprocess.run(["v4l2-ctl", "-d", "/dev/video0", "-c", "disconnect=1"], check=True)
            wait_until(program, lambda: "back after" in messages.read_text())
            before = frames()
            wait_until(program, lambda: frames() >= before + 30)
        finally:
            program.send_signal(signal.SIGTERM)
    (out / "program.json").write_text(json.dumps({"status": program.returncode}))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(os.environ["OUT"]), sys.argv[1]))

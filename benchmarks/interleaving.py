"""Memory with audio far from its video in the file, and time over a slow connection, for one reader and for two.

    python -m benchmarks.interleaving [--other CHECKOUT] [--megabytes-per-second N]

Each run is a separate process: it encodes the video of a file again and copies its audio. Memory is the peak resident
set size. The slow connection is an HTTP server on this machine that limits the rate of all connections together.
`--other` names a checkout of another version, whose runs take turns with this version's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

from benchmarks.clips import machine
from streamer.values.states import FrameState
from tests.sinks.making import video_sink
from tests.structure import FilePlan, StreamPlan, build

SECONDS = 600
ROUNDS = 3
COPY = "--copy"


def copy(source: str, output: Path) -> None:
    """Read and write the whole file, without detection; print the peak memory in MiB."""
    from streamer.interfaces import Scene
    from streamer.sources.selection import open_source
    from streamer.values.labels import LabelTable
    from tests.sinks.scenes import tracks

    opened = open_source(source)
    with opened:
        others = getattr(opened, "passthrough", None)
        more = {} if others is None else {"passthrough": others}  # versions with two readers open the file themselves
        sink = video_sink(output, opened.info, codec="mpeg4", **more)
        with sink:
            for frame in opened:
                sink.write(Scene(frame, tracks(0), LabelTable(()), FrameState.DETECTED))
    # `getrusage` includes the memory of the parent.
    (peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    (read,) = [line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("rchar")]
    print(int(peak.split()[1]) / 1024, int(read.split()[1]) / 1e6)


def run(checkout: Path, source: str, output: Path) -> tuple[float, float, float]:
    """Seconds, peak MiB and megabytes read (including program files) of one copy by a checkout."""
    output.unlink(missing_ok=True)
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.interleaving", COPY, source, str(output)],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    )
    peak_mib, read_mb = map(float, done.stdout.split()[-2:])
    return time.monotonic() - began_s, peak_mib, read_mb


class Line:
    """A connection with `rate` bytes per second for all senders together."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free_s = time.monotonic()
        self.sent = 0

    def send(self, size: int) -> None:
        """Wait until this many bytes are sent."""
        with self._lock:
            self.sent += size
            self._free_s = max(self._free_s, time.monotonic()) + size / self._rate
            wait_s = self._free_s - time.monotonic()
        threading.Event().wait(max(wait_s, 0))


@contextmanager
def served(path: Path, line: Line) -> Iterator[str]:
    """The address of the file over the slow connection; the server supports ranges."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = path.read_bytes()
            first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
            self.send_response(206 if first else 200)
            self.send_header("Content-Type", "video/x-matroska")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content) - first))
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            try:
                for at in range(first, len(content), 1 << 16):
                    piece = content[at : at + (1 << 16)]
                    line.send(len(piece))
                    self.wfile.write(piece)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/clip{path.suffix}"
    server.shutdown()
    thread.join()


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, help="a checkout of another version")
    parser.add_argument("--megabytes-per-second", type=float, default=2.0)
    parser.add_argument(COPY, nargs=2, metavar=("SOURCE", "OUTPUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.copy:
        copy(options.copy[0], Path(options.copy[1]))
        return
    print(machine())
    here = Path(__file__).parents[1]
    others = [] if options.other is None else [options.other]
    for checkout in others:
        for name in ("benchmarks/interleaving.py", "tests/structure.py"):
            Path(checkout, name).write_bytes((here / name).read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        clip, out = Path(folder, "in.mkv"), Path(folder, "out.mkv")
        for name, lag_s in (("interleaved", 0), ("30 s late", 30), ("all before its video", -10_000)):
            build(file_of(SECONDS, lag_s), clip)
            for checkout in (here, *others):
                _, peak_mib, read_mb = run(checkout, str(clip), out)
                print(
                    f"{checkout.name}, audio {name}: {size_mb(clip)} MB, peak {peak_mib:.1f} MiB, read {read_mb:.1f} MB"
                )
        build(file_of(100, 0), clip)
        taken: dict[Path, list[float]] = {}
        for _ in range(ROUNDS):
            for checkout in (here, *others):
                line = Line(options.megabytes_per_second * 1e6)
                with served(clip, line) as address:
                    seconds, *_ = run(checkout, address, out)
                taken.setdefault(checkout, []).append(seconds)
                print(f"{checkout.name}: {seconds:.1f} s, {line.sent / 1e6:.1f} MB sent of {size_mb(clip)}")
        if others:
            print(f"other / this: {median(taken[others[0]]) / median(taken[here]):.2f}")


def file_of(seconds: int, lag_s: int) -> FilePlan:
    """Slow video and PCM audio of the same length."""
    streams = (StreamPlan("h264", Fraction(seconds, 20), stretch=20), StreamPlan("pcm_s16le", Fraction(seconds)))
    return FilePlan(".mkv", streams, lag_s=Fraction(lag_s))


def size_mb(path: Path) -> str:
    """The size of a file."""
    return f"{path.stat().st_size / 1e6:.1f}"


if __name__ == "__main__":
    main()

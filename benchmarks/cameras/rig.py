"""What all measurements share: the cameras, the programs that watch them, and a window of time. Main thread."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, cast

import psutil

from benchmarks.cameras.clip import make_clip
from benchmarks.cameras.program import Program, Programs, Reading, percentile_s

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Kind:
    """What the cameras of a measurement send, and how often each camera may be detected (None: every frame)."""

    size: tuple[int, int] = (640, 360)
    fps: int = 10
    detect_fps: float | None = 1.0

    def __str__(self) -> str:
        detected = "every frame detected" if self.detect_fps is None else f"{self.detect_fps:g} detected a second"
        return f"{self.size[0]}x{self.size[1]}, {self.fps} fps, {detected}"


class Rig:
    """Cameras that send, and a folder for what the programs write. Use it as a context.

    Args:
        kind: of the cameras.
        cameras: how many.
    """

    def __init__(self, kind: Kind, cameras: int) -> None:
        self.kind = kind
        self.names = tuple(f"c{number:02d}" for number in range(cameras))
        self._stack = ExitStack()
        self._files = 0
        self._ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cameras-")))
            clip = make_clip(self.folder / "clip.h264", self.kind.size, self.kind.fps)
            arguments = [str(clip), str(self.kind.fps), str(len(self.names))]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.cameras.streams", *arguments],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            stack.callback(self._process.wait)
            self._commands = cast("IO[bytes]", self._process.stdin)
            self._answers = stack.enter_context(cast("IO[bytes]", self._process.stdout))
            stack.callback(self._commands.close)
            for name in self.names:
                self._ports[name] = json.loads(self._answers.readline())["port"]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def url(self, name: str) -> str:
        """The address of a camera."""
        return f"rtsp://127.0.0.1:{self._ports[name]}/live"

    def tell(self, name: str, do: str, **arguments: Any) -> dict[str, Any]:
        """Let a camera do something; returns its answer, with `taken`, the number of frames that it has sent."""
        order = {"camera": self.names.index(name), "do": do, **arguments}
        self._commands.write(json.dumps(order).encode() + b"\n")
        self._commands.flush()
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer

    def kill(self, name: str) -> None:
        """Close the port of a camera, and reset its connections."""
        self.tell(name, "close_port")
        self.tell(name, "disconnect")

    @property
    def streaming_cpu_s(self) -> float:
        """CPU time of the process that sends, seconds."""
        cpu = psutil.Process(self._process.pid).cpu_times()
        return float(cpu.user + cpu.system)

    def file(self, suffix: str) -> Path:
        """A name for a new file."""
        self._files += 1
        return self.folder / f"{self._files}{suffix}"

    def camera(self, name: str, **detector: Any) -> dict[str, Any]:
        """The settings of a camera of a site, with a file of its own for its JSON lines."""
        if self.kind.detect_fps is not None:
            detector = {"fps": self.kind.detect_fps, **detector}
        source, outputs = {"uri": self.url(name)}, [{"to": str(self.file(f"-{name}.jsonl"))}]
        return {"source": source, "outputs": outputs, "detector": detector}

    @property
    def site(self) -> Path:
        """The site file of `serve`."""
        return self.folder / "site.yaml"

    def write_site(self, cameras: Mapping[str, Any]) -> None:
        """Write the site file (YAML, of which JSON is a part)."""
        page = {"address": None}  # several sites run side by side
        content = json.dumps({"detector": {"name": "starter"}, "web": page, "cameras": dict(cameras)})
        self.site.write_text(content, encoding="utf-8")

    @contextmanager
    def serve(self, cameras: Mapping[str, Any]) -> Iterator[Programs]:
        """`serve` with the settings of cameras."""
        self.write_site(cameras)
        with Program(["serve", "--config", str(self.site)], self.file(".log")) as program:
            yield Programs([program])

    @contextmanager
    def run(self, names: Sequence[str]) -> Iterator[Programs]:
        """One `run` for each camera."""
        with ExitStack() as stack:
            running = [Program(self.run_arguments(name), self.file(".log"), stream=name) for name in names]
            for program in running:
                stack.enter_context(program)
            yield Programs(running)

    def run_arguments(self, name: str) -> list[str]:
        """The command `run` for a camera, with a file of its own for its JSON lines."""
        limit = [] if self.kind.detect_fps is None else ["--detect-fps", str(self.kind.detect_fps)]
        lines = str(self.file(f"-{name}.jsonl"))
        return ["run", self.url(name), "--detector", "starter", "--jsonl", lines, *limit]


@dataclass(frozen=True, slots=True)
class Window:
    """What programs did between two readings."""

    before: Reading
    after: Reading

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.after.at_s - self.before.at_s

    @property
    def cpu_s(self) -> float:
        """CPU time of all processes."""
        return self.after.cpu_s - self.before.cpu_s

    @property
    def frames(self) -> int:
        """Frames that were shown, of all cameras."""
        return sum(self.shown(name) for name in self.after.streams)

    @property
    def cpu_ms_a_frame(self) -> float:
        """CPU time of each frame that was shown, milliseconds."""
        return 1e3 * self.cpu_s / max(self.frames, 1)

    def shown(self, name: str) -> int:
        """Frames of a camera that were shown."""
        return int(self.after.streams[name]["shown"] - self.before.streams.get(name, {"shown": 0})["shown"])

    def fps(self, name: str) -> float:
        """Frames of a camera that were shown, per second."""
        return self.shown(name) / self.seconds

    def lost(self, name: str) -> int:
        """Frames of a camera that were dropped, lost or damaged."""
        return _not_shown(self.after, name) - _not_shown(self.before, name)

    def reconnects(self, name: str) -> int:
        """Reconnections of a camera."""
        return int(self.after.streams[name]["reconnects"] - self.before.streams[name]["reconnects"])

    def detected_fps(self) -> float:
        """Detections of all cameras, per second."""
        return sum(self._stage(name, "detect")[0] for name in self.after.streams) / self.seconds

    def age_p95_ms(self, place: str, names: Sequence[str]) -> float:
        """The 95th percentile of the age of frames at a place, of the camera where it is highest."""
        return max(1e3 * percentile_s(self._ages(name, place), 95) for name in names)

    def stage_p95_ms(self, stage: str) -> float:
        """The 95th percentile of the time that a frame takes in a stage, of all cameras together."""
        bins: Counter[int] = Counter()
        for name in self.after.streams:
            bins += self._stage(name, stage)[1]
        return 1e3 * percentile_s(bins, 95)

    def _ages(self, name: str, place: str) -> Counter[int]:
        before = self.before.streams.get(name, {"ages": {}})
        return Counter(self.after.streams[name]["ages"].get(place, {})) - Counter(before["ages"].get(place, {}))

    def _stage(self, name: str, stage: str) -> tuple[int, Counter[int]]:
        nothing: tuple[int, float, dict[int, int]] = (0, 0.0, {})
        before = self.before.streams.get(name, {"stages": {}})["stages"].get(stage, nothing)
        after = self.after.streams[name]["stages"].get(stage, nothing)
        return after[0] - before[0], Counter(after[2]) - Counter(before[2])


def _not_shown(reading: Reading, name: str) -> int:
    settled = reading.streams.get(name, {"settled": {}})["settled"]
    return sum(count for (state, _), count in settled.items() if state in ("lost", "dropped", "corrupt"))


def watch(programs: Programs, seconds: float) -> Window:
    """Let the programs run for a while."""
    before = programs.read()
    time.sleep(seconds)
    return Window(before, programs.read())

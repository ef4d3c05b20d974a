"""Faults of outputs: a publish target that is killed or hangs, a full disk. Used by the thread of the lab."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self

import av

from streamer.interfaces import Scene, Sink, StreamInfo
from streamer.sinks.publish.process import STALL_S
from streamer.sinks.segments.recording import RecordingSink
from tests.faults import counter
from tests.faults.lab.listener import Listener
from tests.faults.lab.rig import Setup
from tests.faults.lab.scenario import CameraScenario
from tests.faults.lab.seen_frames import PUBLISHED, RECORDED, SeenFrame, SeenFrames
from tests.sinks.making import recording_sink, stream_sink

_DISK_BYTES = 64 << 20
_FILLED_BYTES_A_S = 100 << 20
_CHUNK_BYTES = 1 << 20


class OutputScenario(CameraScenario):
    """The camera works, and the display must not pause."""

    goes_on = True
    output: Callable[[StreamInfo], Sink]

    def setup(self) -> Setup:
        return replace(super().setup(), sinks=[self.output])


class PublishKilled(OutputScenario):
    name = "publish_killed"
    fault = "the server of a published stream is killed and restarted"
    expected = (
        "skips frames, everything else continues; retries after 0.5 s, then after growing waits, sooner once "
        "there is a listener; each attempt starts a process"
    )
    place = PUBLISHED
    limit_s = 4.0

    def equip(self, stack: ExitStack, seen: SeenFrames) -> None:
        super().equip(stack, seen)

        def saw(number: int, at_s: float) -> None:
            seen.put(SeenFrame(PUBLISHED, at_s, number=number))

        self._target = stack.enter_context(Listener(saw))
        self.output = lambda info: stream_sink(self._target.url, info)

    def begin_fault(self) -> None:
        self._target.kill()

    def end_fault(self) -> float:
        return self._target.start()


class PublishStalled(PublishKilled):
    name = "publish_stalled"
    fault = "the server of a published stream stops (SIGSTOP) and continues"
    expected = f"abandons the connection when it accepted no data for {STALL_S:g} s; then as above"
    limit_s = 2 * STALL_S + 2.5
    lasts_s = (3.0, 12.0)
    quick = False

    def begin_fault(self) -> None:
        self._target.stop()

    def end_fault(self) -> float:
        back_s = time.monotonic()
        self._target.cont()
        return back_s


class _WatchedRecording:
    """A recording that reports the scenes that it wrote."""

    stage = RecordingSink.stage
    main_thread = False
    wants_picture = True

    def __init__(self, pattern: Path, info: StreamInfo, seen: SeenFrames) -> None:
        self._sink = recording_sink(pattern, info, segment_s=5.0)
        self._seen = seen

    @property
    def notes(self) -> Sequence[str]:
        return self._sink.notes

    def __enter__(self) -> Self:
        self._sink.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._sink.__exit__(kind, error, trace)

    def write(self, scene: Scene) -> None:
        before = self._sink.written
        self._sink.write(scene)
        if self._sink.written > before:
            self._seen.put(SeenFrame(RECORDED, time.monotonic(), scene.frame.picture))


class FullDisk(OutputScenario):
    name = "full_disk"
    fault = "the disk of a recording is filled at 100 MB/s to the last byte, and then has space again"
    expected = (
        "completes the file, skips frames, everything else continues; then begins a new file, after "
        "waits that grow to 5 s"
    )
    place = RECORDED
    limit_s = 6.0
    quick = False
    _found: ClassVar[tuple[str, ...]] = ("files", "files that do not play", "frames in them")

    @classmethod
    def missing(cls) -> str:
        return "" if os.name == "posix" and os.geteuid() == 0 else "only root can mount a small disk"

    def equip(self, stack: ExitStack, seen: SeenFrames) -> None:
        super().equip(stack, seen)
        self._counts = dict.fromkeys(self._found, 0)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", folder], check=True)
        stack.callback(lambda: subprocess.run(["umount", "--lazy", folder], check=True))
        self._recordings, self._filler = folder / "%H%M%S.mkv", folder / "filler"
        self.output = lambda info: _WatchedRecording(self._recordings, info, seen)

    def begin_fault(self) -> None:
        pace = threading.Event()  # never set
        with suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(_CHUNK_BYTES))
                pace.wait(_CHUNK_BYTES / _FILLED_BYTES_A_S)

    def end_fault(self) -> float:
        for path in self._finished():
            self._judge(path)
        back_s = time.monotonic()
        self._filler.unlink()
        return back_s

    def figures(self) -> dict[str, float]:
        """The state of the files that were completed before or when the disk was full."""
        return {name: float(value) for name, value in self._counts.items()}

    def _finished(self) -> list[Path]:
        return [path for path in self._recordings.parent.iterdir() if path.suffix == ".mkv" and path.name[0] != "."]

    def _judge(self, path: Path) -> None:
        files, bad, pictures = self._found
        self._counts[files] += 1
        try:
            with av.open(str(path)) as container:
                numbers = [counter.read_number(frame) for frame in container.decode(video=0)]
        except av.error.FFmpegError:
            numbers = []
        self._counts[pictures] += len(numbers)
        read = [number for number in numbers if number is not None]
        self._counts[bad] += not numbers or read != sorted(set(read)) or len(read) < len(numbers)
        path.unlink()

"""Two runs at the same time: every log line has the name of its run, whichever thread logs it."""

from __future__ import annotations

import io
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from streamer.config.loading import load_settings
from streamer.config.settings import Settings
from streamer.errors import SourceLost
from streamer.flow.stats import RunStats
from streamer.interfaces import Scene
from streamer.observe.json_logs import json_handler
from streamer.observe.report import SilentReporter
from streamer.observe.run_name import RunNameFilter, camera_name, input_name, with_camera
from streamer.run.outputs import Outputs
from streamer.run.own_parts import OwnParts
from streamer.run.session import Session
from streamer.sources.live.live import LiveSource
from streamer.system.threads import Thread
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.clips import corrupt, write_video
from tests.pipeline.parts import DEADLINE_S
from tests.sources.live.live_script import ScriptedConnection, ScriptedConnector, pictures, timing
from tracking.types import Detections

NAMES = ("front", "yard")
log = logging.getLogger("streamer.tests")


class Records(logging.Handler):
    """Keeps each message with the name of the thread that logged it, as a handler of the program writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str]] = []
        self.addFilter(RunNameFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.threadName or "", record.getMessage()))

    def by_camera(self) -> dict[str, dict[str, list[str]]]:
        """Messages by camera and by the kind of their thread."""
        found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for thread, line in self.lines:
            name, _, message = line.partition(": ")
            found[name][thread.removeprefix("streamer-").partition("-")[0]].append(message)
        return found


@pytest.fixture
def records() -> Iterator[Records]:
    made = Records()
    logging.getLogger().addHandler(made)
    yield made
    logging.getLogger().removeHandler(made)


class LoggingDetector:
    """Logs on the detector thread."""

    labels = LabelTable(("Person",))

    def detect(self, frame: Frame) -> Detections:
        log.warning("detected frame %d", frame.index)
        return Detections.empty()

    def close(self) -> None:
        return None


class LoggingSink:
    """Logs on its sink thread."""

    stage = "logging"
    main_thread = False
    wants_picture = False
    notes: tuple[str, ...] = ()

    def __enter__(self) -> LoggingSink:
        return self

    def __exit__(self, *_: object) -> None:
        log.warning("closed")

    def write(self, scene: Scene) -> None:
        log.warning("wrote frame %d", scene.frame.index)


class LoggingConnector(ScriptedConnector):
    """Logs on its connection threads."""

    def connect(self, is_active: Callable[[], bool]) -> ScriptedConnection:
        log.warning("connecting")
        if self.tries:
            raise SourceLost("the camera is gone", "gone")
        return super().connect(is_active)


def run_all(works: Mapping[str, Callable[[], None]]) -> None:
    """Run the cameras at the same time, each on a thread of its own."""

    def run(name: str, work: Callable[[], None]) -> None:
        with camera_name(name):
            work()

    threads = [Thread(f"camera-{name}", run, name, work) for name, work in works.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def session(name: str, source: str, settings: Settings, own: OwnParts) -> Session:
    return Session(source, Outputs.of(settings, source), settings, SilentReporter(), stream=name, own=own)


def test_two_damaged_files_are_told_apart(tmp_path: Path, records: Records) -> None:
    works = {}
    for name in NAMES:
        whole = write_video(tmp_path / f"{name}.whole.ts", frames=60)
        source = corrupt(whole, tmp_path / f"{name}.ts", start=0.5, end=0.7)
        (tmp_path / f".{name}-20260301-083000.01234567.partial.mp4").write_bytes(b"cut")  # the recovery removes it
        recording = tmp_path / f"{name}-%Y%m%d-%H%M%S.mp4"
        settings = load_settings(None, [f"outputs=[{{to: {recording}}}]"])
        own = OwnParts(detector=LoggingDetector(), sinks=[LoggingSink()])
        works[name] = session(name, str(source), settings, own).run
    run_all(works)
    found = records.by_camera()
    assert found.keys() == set(NAMES)
    for name in NAMES:
        threads = found[name]
        assert {"capture", "detector", "sink", "recovery", "camera"} <= threads.keys()
        assert any("lost" in line for line in threads["capture"])
        assert all(name in line for line in threads["recovery"])
        assert "closed" in threads["camera"]
        assert any("the detector found nothing" in line for line in threads["camera"])


def test_two_lost_cameras_are_told_apart(records: Records) -> None:
    works = {}
    for name in NAMES:
        connector = LoggingConnector(pictures(3))
        source = LiveSource(connector, timing(DEADLINE_S, first_wait_s=0.01, retry_for_s=0.0), RunStats())
        own = OwnParts(source=source, detector=LoggingDetector(), sinks=[LoggingSink()])

        def run(name: str = name, own: OwnParts = own) -> None:
            with pytest.raises(SourceLost):
                session(name, "unused.mp4", load_settings(None, ["outputs=[{to: /dev/null, sink: jsonl}]"]), own).run()

        works[name] = run
    run_all(works)
    found = records.by_camera()
    assert found.keys() == set(NAMES)
    for name in NAMES:
        assert found[name]["connection"][0] == "connecting"
        assert any("connecting again" in line for line in found[name]["capture"])


def json_line(context: Any, message: str) -> dict[str, Any]:
    stream = io.StringIO()
    handler = json_handler(stream)
    handler.addFilter(RunNameFilter(has_fields=True))
    with context:
        handler.handle(logging.makeLogRecord({"msg": message, "levelname": "WARNING", "levelno": logging.WARNING}))
    line: dict[str, Any] = json.loads(stream.getvalue())
    return line


def test_a_json_line_has_the_camera_as_a_field() -> None:
    line = json_line(camera_name("front"), "12 frames lost")
    assert (line["camera"], line["message"]) == ("front", "12 frames lost")


def test_a_json_line_of_several_inputs_begins_with_the_input() -> None:
    line = json_line(input_name("a.mp4"), "12 frames lost")
    assert line["message"] == "a.mp4: 12 frames lost"
    assert "camera" not in line


def test_a_name_is_given_once_and_ends_with_its_run() -> None:
    assert with_camera("starting") == "starting"
    with camera_name("front"):
        assert with_camera("starting") == "front: starting"
        assert with_camera("front: starting") == "front: starting"
        assert with_camera("the front door opens") == "front: the front door opens"
    with input_name("a.mp4"):
        assert with_camera("starting") == "starting"
    assert with_camera("starting") == "starting"

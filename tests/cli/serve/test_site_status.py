"""What one sees of a site: a table that is refreshed in place on a terminal, else a line for each change."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from rich.console import Console

from streamer.cli.serve import site_status
from streamer.cli.serve.site_status import SUMMARY_EVERY_S, SiteStatus
from streamer.cli.terminal import Terminal
from streamer.observe.run_name import camera_name
from streamer.serve.status import CameraState
from streamer.system.secrets import SECRETS
from streamer.system.threads import Thread
from tests.cli.screen import Screen
from tests.serve.statuses import lost, running, show, waiting

COLUMNS = 80


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the display; its only item is the time."""
    now_s = [1000.0]
    monkeypatch.setattr(site_status, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    return now_s


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def terminal(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Terminal]]:
    """Makes terminals that write to `written`: of 80 columns, or a log."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def make(*, is_terminal: bool = False, **options: bool) -> Terminal:
        monkeypatch.setattr("sys.stderr", written)
        made = Terminal(**options)
        if is_terminal:
            made.messages = Console(
                file=written,
                force_terminal=True,
                force_interactive=True,
                width=COLUMNS,
                height=24,
                color_system=None,
                highlight=False,
                soft_wrap=True,
                _environ={"TERM": "xterm"},
            )
            for handler in root.handlers:
                handler._console = made.messages  # type: ignore[attr-defined]
        return made

    yield make
    root.handlers[:], root.level = handlers, level


def seen(written: io.StringIO) -> list[str]:
    """The lines on the screen."""
    screen = Screen(COLUMNS)
    screen.feed(written.getvalue())
    return screen.text


def test_a_table_is_refreshed_in_place(
    clock: list[float], written: io.StringIO, terminal: Callable[..., Terminal]
) -> None:
    cameras = [running("front"), waiting("yard")]
    with SiteStatus(terminal(is_terminal=True)) as status:
        for _ in range(5):
            status.refresh(cameras)
            show(cameras[0].stats, entered=15, shown=15, detected=4)
            clock[0] += 1.0
        assert [line.split()[0] for line in seen(written)] == ["camera", "front", "yard", "detector"]
        assert seen(written)[1].split()[2:4] == ["15.0", "15.0"]
    assert seen(written) == []


def test_log_lines_of_other_threads_stay_above_the_table(
    clock: list[float], written: io.StringIO, terminal: Callable[..., Terminal]
) -> None:
    def log() -> None:
        with camera_name("yard"):
            logging.getLogger("streamer.tests").warning(
                "rtsp://camera/yard: stalled, no data for 5 s; connecting again"
            )

    with SiteStatus(terminal(is_terminal=True)) as status:
        status.refresh([running("front"), lost("yard")])
        thread = Thread("logging", log)
        thread.start()
        thread.join()
        status.message("front", "view at http://127.0.0.1:8080/front/")
        clock[0] += 0.5
        status.refresh([running("front"), lost("yard")])
        lines = seen(written)
    assert lines[0].startswith("warning: yard: rtsp://camera/yard: stalled")
    assert lines[1] == "front: view at http://127.0.0.1:8080/front/"
    assert [line.split()[0] for line in lines[2:]] == ["camera", "front", "yard", "detector"]


def test_the_traceback_of_a_bug_stays_above_the_table(
    clock: list[float], written: io.StringIO, terminal: Callable[..., Terminal]
) -> None:
    SECRETS.split("rtsp://me:s3cr3t-of-front@camera/")
    with SiteStatus(terminal(is_terminal=True)) as status:
        status.refresh([running("front")])
        with camera_name("front"):
            try:
                raise RuntimeError("s3cr3t-of-front [bold]")
            except RuntimeError:
                logging.getLogger("streamer.tests").exception("an error of the program")
        clock[0] += 0.5
        status.refresh([running("front")])
        lines = seen(written)
    assert lines[:2] == ["error: front: an error of the program", "Traceback (most recent call last):"]
    assert lines[-4] == "RuntimeError: *** [bold]"
    assert [line.split()[0] for line in lines[-3:]] == ["camera", "front", "detector"]


@pytest.mark.parametrize("columns", [50, 33, 120])
def test_the_table_survives_a_resize(
    clock: list[float], written: io.StringIO, terminal: Callable[..., Terminal], columns: int
) -> None:
    screen, to = Screen(COLUMNS), terminal(is_terminal=True)
    cameras = [running("front"), running("the-yard-behind-the-house"), waiting("gate")]
    with SiteStatus(to) as status:
        to.messages.print("a line before", soft_wrap=True)
        status.refresh(cameras)
        for width in (columns, COLUMNS):
            screen.feed(written.getvalue())
            written.truncate(0)
            written.seek(0)
            screen.resize(width)
            to.messages.width = width
            clock[0] += 0.5
            status.refresh(cameras)
            screen.feed(written.getvalue())
            written.truncate(0)
            written.seek(0)
            assert len(screen.text) == 6, screen.text
            assert screen.text[0] == "a line before"
            assert max(map(len, screen.text)) <= width


def test_without_a_terminal_a_line_tells_each_change(written: io.StringIO, terminal: Callable[..., Terminal]) -> None:
    front = running("front", "", state=CameraState.STARTING)
    with SiteStatus(terminal()) as status:
        status.refresh([front])
        status.refresh([front])
        status.refresh([running("front"), running("clip")])
        status.refresh([waiting("front"), running("clip", state=CameraState.ENDED)])
        status.refresh([running("front", "", state=CameraState.STARTING), running("clip", state=CameraState.ENDED)])
        status.refresh([running("front", "640x360, 10 fps")])
        status.refresh([running("front", state=CameraState.STOPPED)])
    assert written.getvalue().splitlines() == [
        "front: starting, rtsp://camera/front",
        "front: running, 1280x720, 15 fps",
        "clip: running, 1280x720, 15 fps",
        "clip: ended, 90 frames shown",
        "clip: removed",
        "front: running, 640x360, 10 fps",
        "front: stopped, 90 frames shown",
    ]


def test_without_a_terminal_a_summary_comes_once_a_minute(
    clock: list[float], written: io.StringIO, terminal: Callable[..., Terminal]
) -> None:
    cameras = [running("front"), running("back"), waiting("yard")]
    with SiteStatus(terminal()) as status:
        for _ in range(int(3 * SUMMARY_EVERY_S)):
            status.refresh(cameras)
            for camera in cameras[:2]:
                show(camera.stats, entered=10, shown=10, detected=2)
            clock[0] += 1.0
    lines = [line for line in written.getvalue().splitlines() if "cameras" in line]
    detector = "detector starter: 20.0 ms a detection, 4.0 detections/s, 4% busy"
    assert lines == [f"3 cameras: 2 running, 1 waiting; 20.0 fps shown; {detector}"] * 2


@pytest.mark.parametrize(("options", "count"), [({"quiet": True}, 0), ({"json_logs": True}, 1)])
def test_quiet_and_json_show_no_table(
    clock: list[float], written: io.StringIO, terminal: Callable[..., Terminal], options: dict[str, bool], count: int
) -> None:
    with SiteStatus(terminal(is_terminal=True, **options)) as status:
        for _ in range(3):
            status.refresh([running("front")])
            clock[0] += SUMMARY_EVERY_S
    assert len(written.getvalue().splitlines()) == count
    if count:
        assert '"message": "running, 1280x720, 15 fps"' in written.getvalue()
        assert '"camera": "front"' in written.getvalue()


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    written: io.StringIO, terminal: Callable[..., Terminal]
) -> None:
    to = terminal()
    to.messages = Console(file=written, force_terminal=True, _environ={"TERM": "dumb"})
    with SiteStatus(to) as status:
        status.refresh([running("front")])
    assert "front: running" in written.getvalue()

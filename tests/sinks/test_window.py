"""The window: shown under a virtual display where there is one, refused where there is none."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.errors import SinkError, SinkUnavailable
from streamer.sinks import window
from streamer.sinks.window import WindowClosed, WindowSink
from tests.sinks.scenes import scene


@pytest.fixture
def display(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An X server of its own."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    read_end, write_end = os.pipe()
    with (tmp_path / "xvfb.log").open("wb") as log:
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
            pass_fds=[write_end],
            stderr=log,
        )
        os.close(write_end)
        with os.fdopen(read_end) as told:
            monkeypatch.setenv("DISPLAY", f":{told.readline().strip()}")
        try:
            yield
        finally:
            server.terminate()
            server.wait(10)


def press(monkeypatch: pytest.MonkeyPatch, keys: list[int]) -> None:
    """Have the window's process find these keys, one at each look; the window is real, only the hand is not."""
    program = f"""
        import sys, cv2
        from streamer.sinks import window_process
        keys, look = iter({keys}), cv2.waitKey
        def find(wait_ms):
            look(wait_ms)
            return next(keys, -1)
        cv2.waitKey = find
        window_process.main(sys.argv[1])
    """
    monkeypatch.setattr(window, "COMMAND", (sys.executable, "-c", textwrap.dedent(program)))


def show(sink: WindowSink, frames: int) -> None:
    for k in range(frames):
        sink.write(scene(k % 1000, k * 512, size=(320, 240)))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
@pytest.mark.parametrize("display_name", [None, ":87654"], ids=["none", "unreachable"])
def test_without_a_display_it_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], display_name: str | None
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if display_name is not None:
        monkeypatch.setenv("DISPLAY", display_name)
    with pytest.raises(SinkUnavailable, match=r"^no window can be opened: no display.*leave out --show"):
        WindowSink("title").__enter__()
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("display")
def test_scenes_of_any_size_and_format_are_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with WindowSink("clip ü.mp4") as sink:
        for k, (size, pix_fmt) in enumerate([((64, 48), "yuv420p"), ((1920, 1080), "rgb24"), ((33, 21), "gray")]):
            sink.write(scene(k, k * 512, size=size, pix_fmt=pix_fmt))
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("display")
@pytest.mark.parametrize("keys", [[ord("q")], [27], [-1, 32, -1, -1, 32, -1, ord("q")], [32, -1, ord("q")]])
def test_the_user_ends_the_run(monkeypatch: pytest.MonkeyPatch, keys: list[int]) -> None:
    press(monkeypatch, keys)
    with pytest.raises(WindowClosed) as caught, WindowSink("title") as sink:
        show(sink, 10_000)
    assert isinstance(caught.value, KeyboardInterrupt)


@pytest.mark.usefixtures("display")
def test_ctrl_c_ends_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    press(monkeypatch, [32])
    sink = WindowSink("title")
    with sink:
        process = sink._process
        assert process is not None
        for k in range(5):
            # More than a pipe holds: this would wait for ever if the pause went on.
            sink.write(scene(k, k * 512, size=(320, 240)))
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


@pytest.mark.usefixtures("display")
def test_a_window_that_dies_is_an_error() -> None:
    with WindowSink("title") as sink:
        process = sink._process
        assert process is not None
        process.kill()
        process.wait()
        with pytest.raises(SinkError, match="ended by itself"):
            sink.write(scene(0, 0))


def test_writing_before_entering_is_told() -> None:
    with pytest.raises(SinkError, match="not open"):
        WindowSink("title").write(scene(0, 0))

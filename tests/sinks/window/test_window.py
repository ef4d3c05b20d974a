"""The window on a virtual display and without one: its keys and its ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from streamer.errors import SinkError, SinkUnavailable
from streamer.interfaces import Scene
from streamer.sinks.window.window import WindowClosed, WindowSink
from tests.sinks.making import INFO, window_sink
from tests.sinks.scenes import info, scene
from tests.sinks.window.screen import DEADLINE_S, Hand, Screen, UInt8Array

SIZE = (320, 240)
LARGE = (640, 480)
LOOKS = 20
WORDS = slice(4, 24), slice(4, 60)
"""Where the window shows that it is paused."""
ROOT = Path(__file__).parents[3]


def show(sink: WindowSink, *numbers: int) -> None:
    for k in numbers:
        sink.write(scene(k, k * 512, size=SIZE))


def show_for_ever(sink: WindowSink) -> None:
    while True:
        show(sink, 1)


def is_shown(screen: Screen, number: int, size: tuple[int, int]) -> bool:
    return screen.number(size) == number


def pause(hand: Hand, screen: Screen) -> None:
    """Press space, and wait until the window shows the pause."""
    running = settled(screen)
    hand.press(" ")
    screen.wait_for(lambda: bool((settled(screen) != running).any()))


def settled(screen: Screen) -> UInt8Array:
    """The area of the text once it no longer changes."""
    looks = [screen.grab()[WORDS] for _ in range(3)]
    while any((look != looks[-1]).any() for look in looks):
        looks = [*looks[1:], screen.grab()[WORDS]]
    return looks[-1]


def enlarge(hand: Hand, screen: Screen, number: int) -> None:
    """Enlarge the window until it shows that number; a window that is painting may miss a resize."""

    def seen() -> bool:
        hand.resize(LARGE)
        return any(screen.number(LARGE) == number for _ in range(LOOKS))

    screen.wait_for(seen)


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def window_process(sink: WindowSink) -> subprocess.Popen[bytes]:
    assert sink._process is not None
    return sink._process


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
@pytest.mark.parametrize("display_name", [None, ":87654"], ids=["none", "unreachable"])
def test_a_missing_display_is_an_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], display_name: str | None
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if display_name is not None:
        monkeypatch.setenv("DISPLAY", display_name)
    with pytest.raises(SinkUnavailable, match=r"^no window can be opened: no display.*-o http://127.0.0.1:8080/"):
        window_sink().__enter__()
    assert capfd.readouterr() == ("", "")


def write_all(sink: WindowSink, scenes: list[Scene]) -> None:
    for one in scenes:
        sink.write(one)


def test_scenes_of_any_size_and_format_are_shown(screen: Screen, capfd: pytest.CaptureFixture[str]) -> None:
    with window_sink(replace(INFO, name="clip ü.mp4")) as sink:
        # Number 0 is as black as an empty screen.
        for k, (size, pix_fmt) in enumerate([((64, 48), "yuv420p"), ((1920, 1440), "rgb24"), ((32, 24), "gray")], 1):
            sink.write(scene(k, k * 512, size=size, pix_fmt=pix_fmt))
            # The window keeps its size; all three have the same aspect ratio.
            screen.wait_for(partial(is_shown, screen, k, (64, 48)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("holds_run", [True, False], ids=["file", "live"])
@pytest.mark.parametrize("keys", ["q", "Q", "\x1b", "  q", " q"], ids=["q", "Q", "esc", "pause", "paused"])
def test_the_user_ends_the_run(hand: Hand, keys: str, holds_run: bool) -> None:
    with window_sink(info(live=not holds_run)) as sink:
        show(sink, 0)
        hand.press(*keys)
        with pytest.raises(WindowClosed):
            show_for_ever(sink)


def test_closing_the_window_ends_the_run(hand: Hand) -> None:
    with window_sink() as sink:
        show(sink, 0)
        hand.close_window()
        with pytest.raises(WindowClosed):
            show_for_ever(sink)


def test_closing_is_reported_without_another_scene(hand: Hand) -> None:
    closed = threading.Event()
    with window_sink(info(live=True), on_close=closed.set) as sink:
        hand.press("q")
        assert closed.wait(DEADLINE_S)
        with pytest.raises(WindowClosed):
            show(sink, 0)


def test_a_pause_stops_the_run_of_a_file(hand: Hand, screen: Screen) -> None:
    with window_sink() as sink:
        show(sink, 100)
        screen.wait_for(lambda: screen.number(SIZE) == 100)
        pause(hand, screen)
        writer = in_thread(lambda: show(sink, *range(101, 110)))
        enlarge(hand, screen, 100)  # shown after everything before it
        assert writer.is_alive()
        hand.press(" ")
        writer.join(DEADLINE_S)
        assert not writer.is_alive()
        screen.wait_for(lambda: screen.number((640, 480)) == 109)


def test_a_pause_of_a_live_run_stops_the_display_only(hand: Hand, screen: Screen) -> None:
    with window_sink(info(live=True)) as sink:
        show(sink, 100)
        screen.wait_for(lambda: screen.number(SIZE) == 100)
        pause(hand, screen)
        show(sink, *range(101, 200))
        enlarge(hand, screen, 100)
        hand.press(" ")
        seen = {100}

        def note() -> bool:
            seen.add(screen.number((640, 480)))
            return 199 in seen

        screen.wait_for(note)
        assert seen == {100, 199}


def test_release_ends_a_pause(hand: Hand, screen: Screen) -> None:
    with window_sink() as sink:
        show(sink, 100)
        screen.wait_for(lambda: screen.number(SIZE) == 100)
        pause(hand, screen)
        writer = in_thread(partial(write_all, sink, [scene(1, 512, size=SIZE)] * 10))
        sink.release()
        writer.join(DEADLINE_S)
        assert not writer.is_alive()
        show(sink, 0)


@pytest.mark.parametrize("holds_run", [True, False], ids=["file", "live"])
def test_a_frozen_window_does_not_delay_the_end(screen: Screen, holds_run: bool) -> None:  # noqa: ARG001
    sink = window_sink(info(live=not holds_run))
    with sink:
        process = window_process(sink)
        process.send_signal(signal.SIGSTOP)
        # Two frames are larger than the pipe's buffer.
        writer = in_thread(partial(write_all, sink, [scene(k, k * 512, size=LARGE) for k in range(5)]))
        if not holds_run:
            writer.join(DEADLINE_S)
            assert not writer.is_alive()
    assert process.returncode == -signal.SIGKILL
    writer.join(DEADLINE_S)
    assert not writer.is_alive()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_window_ignores_signals_to_the_process_group(screen: Screen, number: int) -> None:
    with window_sink() as sink:
        window_process(sink).send_signal(number)
        show(sink, 5)
        screen.wait_for(lambda: screen.number(SIZE) == 5)


@pytest.mark.parametrize("holds_run", [True, False], ids=["file", "live"])
def test_a_killed_window_is_an_error(screen: Screen, holds_run: bool) -> None:  # noqa: ARG001
    with window_sink(info(live=not holds_run)) as sink:
        window_process(sink).kill()
        with pytest.raises(SinkError, match="process of the window ended"):
            show_for_ever(sink)


def test_writing_before_entering_is_an_error() -> None:
    with pytest.raises(SinkError, match="not open"):
        window_sink().write(scene(0, 0))


@pytest.mark.parametrize("state", ["paused", "frozen"])
@pytest.mark.parametrize("live", [[], ["--live"]], ids=["file", "live"])
def test_sigterm_ends_a_run_whose_window_is_paused_or_frozen(
    hand: Hand, screen: Screen, tmp_path: Path, state: str, live: list[str]
) -> None:
    program = f"""
        import sys
        from streamer.sinks.window import window
        window.COMMAND = {hand.command!r}
        start = window.subprocess.Popen
        class Popen(start):
            def __init__(self, *arguments, **options):
                super().__init__(*arguments, **options)
                print(self.pid, flush=True)
        window.subprocess.Popen = Popen
        from streamer.cli import main
        main()
    """
    command = ["run", "lavfi:testsrc2=size=320x240:rate=25", "--detector", "starter", "--show", *live]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        window_pid = int(process.stdout.readline())
        screen.wait_for(lambda: bool(screen.grab()[120:, :].any()))
        if state == "frozen":
            os.kill(window_pid, signal.SIGSTOP)
        else:
            running = screen.grab()
            hand.press(" ")
            screen.wait_for(lambda: bool((screen.grab()[:24, :64] != running[:24, :64]).all(axis=2).sum() > 200))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "Traceback" not in errors

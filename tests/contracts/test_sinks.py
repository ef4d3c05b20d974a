"""The contract of `streamer.interfaces.Sink`, for every registered sink."""

from __future__ import annotations

import contextlib
import csv
import gc
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import av
import psutil
import pytest

from streamer import registry
from streamer.config.output import OutputEntry
from streamer.errors import Interrupted, SinkUnavailable
from streamer.features import SinkContext
from streamer.interfaces import Sink
from streamer.sinks.selection import open_sink
from tests.sinks.scenes import info, scene
from tests.sinks.window.screen import running_screen
from tests.system.permissions import as_an_ordinary_user

FRAMES = 6
WRITINGS = 8

Make = Callable[..., Sink]


def _frames_in_video(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _frames_in_json(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _frames_in_csv(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as file:
        return len({row["frame"] for row in csv.DictReader(file)})


def _frames_in_mot(path: Path) -> int:
    return len({line.split(",")[0] for line in path.read_text(encoding="ascii").splitlines()})


def _crossings_in_json(path: Path) -> int:
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sum(event["kind"] == "crossing" for event in events)


def _crossings_in_csv(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as file:
        return len(list(csv.DictReader(file)))


# Suffix, and what counts the frames in a finished output.
FILES: dict[str, tuple[str, Callable[[Path], int]]] = {
    "video": (".mp4", _frames_in_video),
    "jsonl": (".jsonl", _frames_in_json),
    "csv": (".csv", _frames_in_csv),
    "mot": (".txt", _frames_in_mot),
    "events": (".jsonl", _crossings_in_json),
    "crossings": (".csv", _crossings_in_csv),
}
# Those that write no file of their own name: the output.
OTHERS = {
    "images": "pictures/",
    "mjpeg": "http://127.0.0.1:0/",
    "recording": "part-%H%M%S.mp4",
    "stream": "live.m3u8",
    "window": "window",
}
NEEDS = {"window": pytest.mark.system}
NEEDS_PICTURE = {"video": True, "jsonl": False, "csv": False, "mot": False, "events": False, "crossings": False}


@pytest.fixture(params=sorted(set(registry.SINKS) - set(OTHERS)))
def name(request: pytest.FixtureRequest) -> str:
    assert request.param in FILES, f"nothing is known of sink {request.param!r} here"
    return str(request.param)


@pytest.fixture
def output(name: str, tmp_path: Path) -> Path:
    return tmp_path / f"out put ü{FILES[name][0]}"


@pytest.fixture
def make(name: str, output: Path) -> Make:
    def build(path: Path = output, *, overwrite: bool = False) -> Sink:
        return open_sink(OutputEntry(to=str(path), sink=name), SinkContext(info(), overwrite=overwrite))

    return build


def write(sink: Sink, frames: int = FRAMES, *, count: int = 2, error: BaseException | None = None) -> None:
    with sink:
        for k in range(frames):
            sink.write(scene(k, k * 512, count=count))
        if error is not None:
            raise error


def test_a_clean_run_completes_the_file(name: str, make: Make, output: Path) -> None:
    write(make())
    assert FILES[name][1](output) == FRAMES
    assert list(output.parent.iterdir()) == [output]


def test_the_final_name_does_not_exist_before_the_end(make: Make, output: Path) -> None:
    sink = make()
    with sink:
        sink.write(scene(0, 0, count=2))
        assert not output.exists()


@pytest.mark.parametrize("error", [Interrupted(), KeyboardInterrupt(), SystemExit(143)], ids=repr)
def test_an_interrupt_completes_the_file(name: str, make: Make, output: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write(make(), error=error)
    assert FILES[name][1](output) == FRAMES
    assert list(output.parent.iterdir()) == [output]


def test_any_other_error_removes_the_file(make: Make, output: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write(make(), error=ZeroDivisionError())
    assert list(output.parent.iterdir()) == []


def test_an_error_keeps_the_existing_file(make: Make, output: Path) -> None:
    output.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        write(make(overwrite=True), error=ZeroDivisionError())
    assert output.read_bytes() == b"old"
    assert list(output.parent.iterdir()) == [output]


def test_an_existing_file_is_replaced_only_on_request(name: str, make: Make, output: Path) -> None:
    output.write_bytes(b"old")
    with pytest.raises(SinkUnavailable, match="exists already"):
        write(make())
    assert output.read_bytes() == b"old"
    write(make(overwrite=True))
    assert FILES[name][1](output) == FRAMES


@pytest.mark.parametrize("where", ["folder", "missing", "file"])
def test_a_path_that_cannot_be_written_is_refused_on_entering(make: Make, output: Path, where: str) -> None:
    impossible = {
        "folder": output.parent,
        "missing": output.parent / "missing" / output.name,
        "file": output.parent / "file" / output.name,
    }[where]
    (output.parent / "file").touch()
    with pytest.raises(SinkUnavailable) as caught:
        write(make(impossible, overwrite=True))
    assert "\n" not in str(caught.value)
    assert [path.name for path in output.parent.iterdir()] == ["file"]


def test_a_read_only_folder_is_refused_on_entering(make: Make, output: Path) -> None:
    output.parent.chmod(0o500)
    with pytest.raises(SinkUnavailable, match="Permission denied"):
        as_an_ordinary_user(lambda: write(make()))


def test_a_run_without_frames_leaves_a_complete_file_or_none(name: str, make: Make, output: Path) -> None:
    write(make(), frames=0)
    left = list(output.parent.iterdir())
    assert left in ([], [output])
    if left:
        assert FILES[name][1](output) == 0


def test_frames_without_tracks_are_fine(make: Make, output: Path) -> None:
    write(make(), count=0)
    assert output.exists()


def test_attributes_for_the_pipeline(name: str, make: Make) -> None:
    sink = make()
    assert sink.stage
    assert not sink.main_thread
    assert sink.wants_picture is NEEDS_PICTURE[name]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), ZeroDivisionError()], ids=["clean", "ctrl-c", "error"])
def test_no_thread_and_no_open_file_is_left(make: Make, output: Path, error: BaseException | None) -> None:
    write(make())  # what is opened once a process is open now
    gc.collect()
    process = psutil.Process()
    files, threads, own_threads = process.num_fds(), threading.active_count(), process.num_threads()
    for _ in range(WRITINGS):
        output.unlink(missing_ok=True)
        with contextlib.suppress(KeyboardInterrupt, ZeroDivisionError):
            write(make(), error=error)
    if error is not None:
        error.__traceback__ = None
    gc.collect()
    assert process.num_fds() == files
    assert threading.active_count() == threads
    # The kernel lists a joined thread for a moment after it has ended; a leak of one thread a sink is more than that.
    assert process.num_threads() - own_threads < WRITINGS


def test_a_refused_sink_leaves_no_open_file(make: Make, output: Path) -> None:
    output.touch()
    gc.collect()
    files = psutil.Process().num_fds()
    for _ in range(3):
        with pytest.raises(SinkUnavailable):
            write(make())
    assert psutil.Process().num_fds() == files


@pytest.fixture(scope="module", params=[pytest.param(one, marks=NEEDS.get(one, ())) for one in OTHERS])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A name of `OTHERS`, with a display for the window."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        if request.param == "window":
            patch.setenv("DISPLAY", stack.enter_context(running_screen(tmp_path_factory.mktemp("screen"))).name)
        yield str(request.param)


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), ZeroDivisionError()], ids=["clean", "ctrl-c", "error"])
@pytest.mark.parametrize("frames", [0, FRAMES])
def test_other_sinks_leave_no_thread_process_or_open_file(
    other: str, frames: int, error: BaseException | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build() -> Sink:
        return open_sink(OutputEntry(to=OTHERS[other], sink=other), SinkContext(info(), overwrite=True))

    monkeypatch.chdir(tmp_path)

    children = psutil.Process().children()
    sink = build()
    assert sink.stage
    assert sink.wants_picture
    assert sink.main_thread is (other == "window")  # a window of a file's run may hold it
    write(sink, frames)
    gc.collect()
    process = psutil.Process()
    files, threads = process.num_fds(), threading.active_count()
    for _ in range(3):
        with contextlib.suppress(KeyboardInterrupt, ZeroDivisionError):
            write(build(), frames, error=error)
    if error is not None:
        error.__traceback__ = None
    gc.collect()
    assert process.num_fds() == files
    assert threading.active_count() == threads
    assert process.children() == children

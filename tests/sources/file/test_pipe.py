"""Recordings from a pipe: all frames and streams of every container, and every wait can be interrupted."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.errors import SourceUnavailable
from streamer.interfaces import Damage, Scene
from streamer.sources.file.file import FileSource
from streamer.sources.file.pipe import Pipe, PipeSource, is_pipe
from streamer.sources.selection import open_source
from streamer.values.frame import Frame
from streamer.values.states import FrameState
from tests.clips import read_number, write_video
from tests.sinks.making import video_sink
from tests.sinks.scenes import LABELS, tracks
from tests.structure import FilePlan, StreamPlan, build, contents

IN_ORDER = {
    ".mkv": ("reordered", "aac"),
    ".webm": ("vp9", "opus"),
    ".ts": ("reordered", "mp2"),
    ".mpg": ("mpeg2video", "mp2"),
    ".flv": ("reordered", "mp3"),
    ".nut": ("h264", "pcm_s16le"),
    ".avi": ("mpeg4", "mp3"),
    ".mp4": ("reordered", "aac"),
}
FRAGMENTED = (("movflags", "frag_keyframe+empty_moov+default_base_moof"),)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@contextmanager
def written(fifo: Path, content: bytes) -> Iterator[None]:
    """A writer that sends `content` and exits."""

    def write() -> None:
        with suppress(BrokenPipeError):  # the reader has stopped
            fifo.write_bytes(content)

    writer = threading.Thread(target=write)
    writer.start()
    yield
    writer.join(timeout=60)
    assert not writer.is_alive()


def read(fifo: Path, content: bytes, **options: Any) -> tuple[list[Frame], list[str], list[Damage]]:
    """The frames, the bytes of all audio, and the damage."""
    with written(fifo, content), PipeSource(str(fifo), threads=1, **options) as source:
        assert source.passthrough is not None
        subscription = source.passthrough.subscribe()
        frames = list(source)
        heard = [packet.data.hex() for stream, packet in subscription.take(None) if stream.kind == "audio"]
        return frames, heard, source.take_damage()


@pytest.mark.parametrize("suffix", IN_ORDER)
@pytest.mark.parametrize("lag_s", [0, 1])
def test_all_frames_and_audio_are_read_from_a_pipe(tmp_path: Path, fifo: Path, suffix: str, lag_s: int) -> None:
    streams = tuple(StreamPlan(codec) for codec in IN_ORDER[suffix])
    options = FRAGMENTED if suffix == ".mp4" else ()
    plan = FilePlan(suffix, streams, lag_s=Fraction(lag_s), options=options)
    clip = build(plan, tmp_path / f"in{suffix}")
    frames, heard, damage = read(fifo, clip.read_bytes())
    with FileSource(clip, threads=1) as source:
        assert source.passthrough is not None
        subscription = source.passthrough.subscribe()
        times = [frame.pts * frame.time_base for frame in source]
        sound = [packet.data.hex() for _, packet in subscription.take(None)]
    assert [read_number(frame.picture) for frame in frames] == list(range(25))
    assert [frame.pts * frame.time_base for frame in frames] == times
    assert heard == sound
    assert damage == []


def test_subtitles_and_second_audio_are_read_from_a_pipe(tmp_path: Path, fifo: Path) -> None:
    streams = (StreamPlan("h264"), StreamPlan("aac"), StreamPlan("mp2"), StreamPlan("subtitle", Fraction(2)))
    clip = build(FilePlan(".mkv", streams), tmp_path / "in.mkv")
    with written(fifo, clip.read_bytes()), PipeSource(str(fifo)) as source:
        assert source.passthrough is not None
        subscription = source.passthrough.subscribe()
        list(source)
        taken = subscription.take(None)
        kinds = [stream.description for stream in source.passthrough.streams]
    assert [kind.split(" (")[0] for kind in kinds] == ["audio stream 1", "audio stream 2", "subtitle stream 3"]
    counts = [sum(stream.index == one.index for stream, _ in taken) for one in contents(clip).streams]
    assert counts == [len(one.packets) for one in contents(clip).streams]


@pytest.mark.parametrize("suffix", [".h264", ".mjpeg", ".m2v"])
def test_raw_video_from_a_pipe_has_the_given_rate(tmp_path: Path, fifo: Path, suffix: str) -> None:
    codec = {".h264": "libx264", ".mjpeg": "mjpeg", ".m2v": "mpeg2video"}[suffix]
    clip = write_video(tmp_path / f"v{suffix}", codec=codec, pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p")
    frames, _, _ = read(fifo, clip.read_bytes(), fps=50)
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(k, 50) for k in range(25)]


def test_an_index_at_the_end_of_a_small_file_is_found(tmp_path: Path, fifo: Path) -> None:
    frames, heard, damage = read(fifo, write_video(tmp_path / "v.mp4", audio=True).read_bytes())
    assert [read_number(frame.picture) for frame in frames] == list(range(25))
    assert len(heard) > 40
    assert damage == []


def test_an_index_at_the_end_is_one_line(tmp_path: Path, fifo: Path) -> None:
    streams = (StreamPlan("h264"), StreamPlan("pcm_s16le", Fraction(10)))  # a megabyte
    clip = build(FilePlan(".mov", streams), tmp_path / "v.mov")
    with written(fifo, clip.read_bytes()), pytest.raises(SourceUnavailable) as caught, PipeSource(str(fifo)):
        pass
    assert "index at the end" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"this is not a video\n" * 100, bytes(100_000)])
def test_data_that_are_not_video_give_one_line(fifo: Path, content: bytes) -> None:
    with written(fifo, content), pytest.raises(SourceUnavailable) as caught, PipeSource(str(fifo)):
        pass
    assert ("no data arrived" if not content else "not a video that can be read in order") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".flv"])
def test_a_writer_that_ends_inside_a_packet_is_reported(tmp_path: Path, fifo: Path, suffix: str) -> None:
    clip = build(
        FilePlan(suffix, (StreamPlan("h264", Fraction(3)), StreamPlan("mp3", Fraction(3)))), tmp_path / f"in{suffix}"
    )
    content = clip.read_bytes()
    frames, _, damage = read(fifo, content[: len(content) // 2 + 50])
    numbers = [read_number(frame.picture) for frame in frames]
    assert numbers[:10] == list(range(10))
    assert len(numbers) < 60
    if suffix != ".ts":  # whose audio may be the truncated part; the others state their duration
        (cut,) = [one for one in damage if one.cause == "truncated"]
        assert abs(cut.frames - (75 - len(numbers))) <= 2


@pytest.mark.parametrize("kind", ["fifo", "socket", "file", "missing"])
def test_pipes_are_recognized(tmp_path: Path, fifo: Path, kind: str) -> None:
    path = fifo if kind == "fifo" else tmp_path / kind
    if kind == "file":
        path.touch()
    with socket.socket(socket.AF_UNIX) as bound:
        if kind == "socket":
            bound.bind(str(path))
        assert is_pipe(str(path)) == (kind in ("fifo", "socket"))
    assert is_pipe("-")
    assert not is_pipe("nul\0")


def test_a_socket_cannot_be_opened(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        with pytest.raises(SourceUnavailable, match="cannot be read"), PipeSource(str(tmp_path / "s")):
            pass


def test_a_path_to_a_fifo_is_opened_as_a_pipe(fifo: Path) -> None:
    assert isinstance(open_source(str(fifo)), PipeSource)
    assert isinstance(open_source("-"), PipeSource)


def test_stop_ends_a_wait_for_a_silent_writer(fifo: Path) -> None:
    pipe = Pipe(str(fifo))
    got: list[bytes] = []
    holder = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)  # a silent writer
    reader = threading.Thread(target=lambda: got.append(pipe.read(100)))
    reader.start()
    pipe.stop()
    reader.join(timeout=60)
    assert got == [b""]
    assert pipe.read(100) == b""
    os.close(holder)
    pipe.close()


def test_a_pipe_returns_the_data_before_its_end(fifo: Path) -> None:
    pipe = Pipe(str(fifo))
    with written(fifo, b"abc" * 10):
        got = b""
        while chunk := pipe.read(7):
            got += chunk
    assert (got, pipe.read_bytes) == (b"abc" * 10, 30)
    pipe.close()


@pytest.mark.parametrize("subtitles", [False, True])
def test_chapter_titles_from_a_pipe_are_chapters_only(tmp_path: Path, fifo: Path, subtitles: bool) -> None:
    chapters = [("one", 0.0, 0.4), ("two", 0.4, 1.0)]
    options = {"movflags": "faststart"}
    clip = write_video(tmp_path / "in.mp4", subtitles=subtitles, chapters=chapters, container_options=options)
    output = tmp_path / "out.mp4"
    with (
        written(fifo, clip.read_bytes()),
        PipeSource(str(fifo), threads=1) as source,
        video_sink(output, source.info, passthrough=source.passthrough) as sink,
    ):
        for frame in source:
            sink.write(Scene(frame, tracks(0), LABELS, FrameState.DETECTED))
    with av.open(str(output)) as container:
        assert [one["metadata"]["title"] for one in container.chapters()] == ["one", "two"]
        assert len(container.streams.subtitles) == int(subtitles)
    assert sink.notes == []

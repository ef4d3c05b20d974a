"""Outputs that cannot be made and disks that fill up leave no file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.errors import SinkError, SinkUnavailable
from streamer.sinks.muxing.crash_safe import WholeFile
from tests.clips import write_video
from tests.sinks.making import video_sink
from tests.sinks.scenes import decoded, info, scene, times, write_all

ROOT = Path(__file__).parents[3]


def refused(path: Path, **options: Any) -> str:
    """The message of the error on entering the sink, which leaves no new file."""
    before = sorted(path.parent.iterdir())
    with pytest.raises(SinkUnavailable) as caught, video_sink(path, info(), **options):
        pytest.fail("the sink opened")
    assert sorted(path.parent.iterdir()) == before
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_the_error_for_a_codec_names_those_that_the_container_holds(tmp_path: Path) -> None:
    assert refused(tmp_path / "out.webm", codec="h264").endswith("set output.codec to one of av1, vp9, vp8")
    assert "h264, hevc, mpeg4" in refused(tmp_path / "out.mov", codec="vp9")
    assert "ffv1" in refused(tmp_path / "out.mp4", codec="prores")


def test_an_unknown_codec_is_refused_with_the_nearest_names(tmp_path: Path) -> None:
    assert refused(tmp_path / "out.mp4", codec="h246") == "no video encoder 'h246'; did you mean h265, h264?"
    assert "no video encoder 'aac'" in refused(tmp_path / "out.mp4", codec="aac")


def test_an_encoder_that_does_not_open_is_refused_with_the_reason(tmp_path: Path) -> None:
    line = refused(tmp_path / "out.mp4", preset="hurried")
    assert "libx264 does not open here: Error setting preset" in line
    assert "choose another output.codec" in line


def test_hardware_encoders_are_refused_without_the_hardware(tmp_path: Path) -> None:
    context: Any = av.CodecContext.create("h264_nvenc", "w")
    context.width, context.height, context.pix_fmt, context.time_base = 64, 48, "yuv420p", Fraction(1, 25)
    try:
        context.open()
    except av.error.FFmpegError:
        assert "h264_nvenc does not open here" in refused(tmp_path / "out.mp4", codec="h264_nvenc")
    else:
        pytest.skip("this machine has such hardware")


def test_options_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    assert "output.options.rc-lookahaed: libx264 has no such option; did you mean rc-lookahead" in refused(
        tmp_path / "out.mp4", options={"rc-lookahaed": "10"}
    )
    assert "libx264 has no pixel format rgb24" in refused(tmp_path / "out.mp4", pixel_format="rgb24")
    assert "ffv1 has no crf" in refused(tmp_path / "out.mkv", codec="ffv1", crf=20)
    assert "ffv1 has no preset" in refused(tmp_path / "out.mkv", codec="ffv1", preset="fast")


def test_options_reach_the_encoder_and_the_container(tmp_path: Path) -> None:
    sink = video_sink(tmp_path / "out.mp4", info(), options={"g": "2", "bf": "0", "movflags": "faststart"})
    write_all(sink, [scene(k, k * 512) for k in range(4)])
    with av.open(str(tmp_path / "out.mp4")) as container:
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    assert keys == [True, False, True, False]
    content = (tmp_path / "out.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert len(decoded(tmp_path / "out.mp4")) == 4


@pytest.mark.parametrize("name", ["out.xyz", "out", "out.png", "out.txt"])
def test_a_suffix_without_a_container_is_refused(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path / name).endswith("end the name in one of .mp4 .mkv .mov .webm .avi")


def test_the_input_is_not_overwritten(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "in.mp4", frames=2)
    before = clip.read_bytes()
    with (
        pytest.raises(SinkUnavailable, match="is the input"),
        video_sink(clip, info(path=str(clip)), overwrite=True),
    ):
        pytest.fail("the sink opened")
    assert clip.read_bytes() == before


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm", ".avi"])
@pytest.mark.parametrize("room", [8_000, 60_000], ids=["at-once", "on-the-way"])
def test_a_full_disk_is_reported_in_one_line_and_no_file_is_left(tmp_path: Path, suffix: str, room: int) -> None:
    # In a process of its own: the limit on file sizes is the nearest to a full disk that needs no privileges.
    output = tmp_path / f"out{suffix}"
    program = f"""
        import resource, signal
        from tests.sinks.scenes import info, scene
        from streamer.errors import SinkError
        from tests.sinks.making import video_sink
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, resource.RLIM_INFINITY))
        try:
            with video_sink({str(output)!r}, info(size=(320, 240)), crf=1) as sink:
                for k in range(200):
                    sink.write(scene(k, k * 512, size=(320, 240)))
        except SinkError as error:
            print(error)
        del sink
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"cannot write {output}: File too large; free some space or choose another output\n"
    assert "Exception ignored" not in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_disk_fills_while_the_trailer_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = False
    write = WholeFile.write

    def limited(file: WholeFile, data: Any) -> int:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data)

    monkeypatch.setattr(WholeFile, "write", limited)
    sink = video_sink(tmp_path / "out.mp4", info())
    sink.__enter__()
    sink.write(scene(0, 0))
    full = True
    with pytest.raises(SinkError, match="No space left on device; free some space"):
        sink.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_run_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), video_sink(tmp_path / "out.mp4", info()) as sink:
        sink.write(scene(0, 1 // 0))
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_frame_writes_no_file_and_notes_it(tmp_path: Path) -> None:
    sink = video_sink(tmp_path / "out.mp4", info())
    write_all(sink, [])
    assert list(tmp_path.iterdir()) == []
    assert sink.notes == [f"there was no frame: {tmp_path / 'out.mp4'} was not written"]


def test_writing_to_a_sink_that_is_not_open_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="not open"):
        video_sink(tmp_path / "out.mp4", info()).write(scene(0, 0))


def test_a_pipe_can_be_written_without_seeking(tmp_path: Path) -> None:
    program = f"cat '{tmp_path}/pipe.mkv' > '{tmp_path}/read.mkv'"
    subprocess.run(["mkfifo", str(tmp_path / "pipe.mkv")], check=True)
    with subprocess.Popen(["sh", "-c", program]) as reader:
        source = [scene(k, k * 512) for k in range(5)]
        write_all(video_sink(tmp_path / "pipe.mkv", info()), source)
        assert reader.wait(20) == 0
    assert times(decoded(tmp_path / "read.mkv")) == times(source)
    assert (tmp_path / "pipe.mkv").is_fifo()

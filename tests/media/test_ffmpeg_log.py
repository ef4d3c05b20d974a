"""Listening to FFmpeg, which has one log for all threads, and what it costs those who do not listen."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

import av
import pytest

from streamer.media.ffmpeg_log import capture_log, reason
from tests.clips import write_video

ERROR, WARNING = av.logging.ERROR, av.logging.WARNING
LIMIT_S = 60.0


def test_what_is_less_grave_is_not_told() -> None:
    with capture_log(ERROR) as lines:
        av.logging.log(WARNING, "rtsp", "RTP: missed 3 packets")
        av.logging.log(ERROR, "libx264", "no such preset\n")
    assert lines == [(ERROR, "libx264", "no such preset\n")]
    assert reason(ValueError("Invalid argument"), lines) == "no such preset"


def test_every_line_comes_although_it_is_the_same() -> None:
    with capture_log(WARNING) as lines:
        for _ in range(3):
            av.logging.log(WARNING, "rtsp", "RTP: missed 3 packets")
    assert len(lines) == 3


def test_who_listens_for_less_does_not_make_another_deaf() -> None:
    """A file is begun (errors) while a camera is watched (warnings)."""
    with capture_log(WARNING) as camera:
        with capture_log(ERROR):
            pass
        av.logging.log(WARNING, "rtsp", "RTP: missed 3 packets")
    assert len(camera) == 1


def test_other_threads_are_not_heard(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with capture_log(WARNING) as lines:
        thread = threading.Thread(target=av.logging.log, args=(ERROR, "h264", "error while decoding"))
        thread.start()
        thread.join()
    assert lines == []
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_nothing_is_logged_when_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RuntimeError, match="left early"), capture_log(WARNING):
        raise RuntimeError("left early")
    caplog.set_level(logging.DEBUG, "libav")
    av.logging.log(ERROR, "h264", "error while decoding")
    assert caplog.records == []


def test_a_log_that_somebody_else_had_switched_on_is_left_as_it_was() -> None:
    av.logging.set_level(av.logging.VERBOSE)
    try:
        with capture_log(WARNING), capture_log(ERROR):
            assert av.logging.get_level() == WARNING
        assert av.logging.get_level() == av.logging.VERBOSE
    finally:
        av.logging.set_level(None)


_LEAVE_EARLY = """
import sys, av
from streamer.media.ffmpeg_log import capture_log
from streamer.sources.file.file import FileSource

with capture_log(av.logging.WARNING):
    for _ in range(60):
        with FileSource(sys.argv[1], threads=3) as source:
            source.info
print("left")
"""


def test_a_file_is_left_early_while_a_camera_is_watched(tmp_path: Path) -> None:
    """The decoder's threads have something to say of the pictures that they were at; see `FrameDecoder.rest`."""
    clip = write_video(tmp_path / "clip.mp4", frames=60, options={"g": "20"})
    command = [sys.executable, "-c", _LEAVE_EARLY, str(clip)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, cwd=Path(__file__).parents[2])
    assert (done.stdout, done.stderr) == ("left\n", "")

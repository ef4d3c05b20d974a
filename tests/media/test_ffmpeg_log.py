"""Captures of FFmpeg's log, which is shared by all threads."""

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


def test_less_severe_lines_are_not_captured() -> None:
    with capture_log(ERROR) as lines:
        av.logging.log(WARNING, "rtsp", "RTP: missed 3 packets")
        av.logging.log(ERROR, "libx264", "no such preset\n")
    assert lines == [(ERROR, "libx264", "no such preset\n")]
    assert reason(ValueError("Invalid argument"), lines) == "no such preset"


def test_repeated_lines_are_captured() -> None:
    with capture_log(WARNING) as lines:
        for _ in range(3):
            av.logging.log(WARNING, "rtsp", "RTP: missed 3 packets")
    assert len(lines) == 3


def test_a_capture_of_a_lower_level_does_not_affect_another() -> None:
    """A file is opened (errors) while a camera is read (warnings)."""
    with capture_log(WARNING) as camera:
        with capture_log(ERROR):
            pass
        av.logging.log(WARNING, "rtsp", "RTP: missed 3 packets")
    assert len(camera) == 1


def test_lines_of_other_threads_are_dropped(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with capture_log(WARNING) as lines:
        thread = threading.Thread(target=av.logging.log, args=(ERROR, "h264", "error while decoding"))
        thread.start()
        thread.join()
    assert lines == []
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_nothing_is_logged_without_a_capture(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RuntimeError, match="left early"), capture_log(WARNING):
        raise RuntimeError("left early")
    caplog.set_level(logging.DEBUG, "libav")
    av.logging.log(ERROR, "h264", "error while decoding")
    assert caplog.records == []


def test_an_enabled_log_is_restored() -> None:
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


def test_a_file_is_closed_early_during_a_capture(tmp_path: Path) -> None:
    """The decoder's threads log lines about their frames; see `FrameDecoder.idle`."""
    clip = write_video(tmp_path / "clip.mp4", frames=60, options={"g": "20"})
    command = [sys.executable, "-c", _LEAVE_EARLY, str(clip)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, cwd=Path(__file__).parents[2])
    assert (done.stdout, done.stderr) == ("left\n", "")

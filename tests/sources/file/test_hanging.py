"""A hanging read: leaving the source must not fail, and must not close the container in use."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import av
import pytest

from streamer.errors import Interrupted
from streamer.pipeline import Pipeline
from streamer.sources.file.file import FileSource
from streamer.values.frame import Frame
from tests import clips
from tests.pipeline.parts import DEADLINE_S, OneBox
from tracking.iou import IouTracker

HANGS_AT = 3


class HangingFile(FileSource):
    """A file whose fourth frame never arrives."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, threads=1)
        self.hangs = threading.Event()
        self.release = threading.Event()
        self._read = 0

    def _upright(self, picture: av.VideoFrame, time_base: object) -> av.VideoFrame:
        del time_base
        if self._read == HANGS_AT:
            self.hangs.set()
            assert self.release.wait(DEADLINE_S)
        self._read += 1
        return picture

    @property
    def is_open(self) -> bool:
        return self._container is not None


@pytest.fixture
def source(tmp_path: Path) -> HangingFile:
    return HangingFile(clips.write_video(tmp_path / "clip.mp4", frames=8))


def test_leaving_while_a_thread_hangs_in_a_read_is_clean(source: HangingFile, caplog: pytest.LogCaptureFixture) -> None:
    frames: list[Frame] = []

    def read() -> None:
        frames.extend(iter(source))

    with caplog.at_level(logging.WARNING), source:
        reader = threading.Thread(target=read)
        reader.start()
        assert source.hangs.wait(DEADLINE_S)
    assert "still reading the source" in caplog.text
    source.__exit__(None, None, None)
    assert source.is_open
    source.release.set()
    reader.join(DEADLINE_S)
    assert len(frames) == 8
    source.__exit__(None, None, None)  # no thread hangs now
    assert not source.is_open


def test_a_run_with_a_hanging_source_can_be_stopped(source: HangingFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.flow.threads.DEADLINE_S", 0.1)
    with source:
        pipeline = Pipeline(source, [OneBox()], IouTracker())

        def stop() -> None:
            assert source.hangs.wait(DEADLINE_S)
            pipeline.stop()

        stopper = threading.Thread(target=stop)
        stopper.start()
        with pytest.raises(Interrupted):
            pipeline.run()
    assert source.is_open
    assert pipeline.stats.ledger.in_flight == 0
    source.release.set()
    stopper.join(DEADLINE_S)

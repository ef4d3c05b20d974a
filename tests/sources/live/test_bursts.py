"""Cameras that send frames in bursts: all are recorded at their times, and detections follow media time."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from streamer.config.source import SourceSettings, Transport
from streamer.flow.cadence import Cadence
from streamer.flow.playout import Playout
from streamer.flow.stats import RunStats
from streamer.interfaces import Scene
from streamer.pipeline import Pipeline
from streamer.sources.live.live import LiveSource
from streamer.sources.network.connector import NetworkConnector
from streamer.values.states import FrameState
from tests.faults.camera import Camera
from tests.faults.counter import read_number
from tests.pipeline.parts import DEADLINE_S, OneBox
from tests.sinks.making import video_sink
from tracking.iou import IouTracker

pytestmark = pytest.mark.slow

PICTURES = 90


def recorded(path: Path) -> tuple[list[int | None], list[float]]:
    """The numbers in the frames of a file, and their times in seconds."""
    with av.open(str(path)) as container:
        pictures = list(container.decode(video=0))
    return [read_number(one) for one in pictures], [float(one.time or 0) for one in pictures]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("burst", [5, 8, 12, 25])
def test_every_frame_of_a_burst_is_recorded_at_its_time(burst: int, transport: Transport, tmp_path: Path) -> None:
    stats, out, scenes = RunStats(), tmp_path / "out.mp4", list[Scene]()
    with Camera(fps=25, burst=burst, key_frame_every_s=burst / 25) as camera:
        connector = NetworkConnector(camera.url, SourceSettings(transport=transport))
        with (
            LiveSource(connector, SourceSettings(stall_s=DEADLINE_S), stats) as source,
            video_sink(out, source.info) as sink,
        ):
            pipeline = Pipeline(
                source,
                [OneBox()],
                IouTracker(),
                sinks=[sink],
                keep_all=[sink],
                playout=Playout(),
                cadence=Cadence(fps=2.0),
                stats=stats,
            )
            for scene in pipeline:
                scenes.append(scene)
                if len(scenes) == PICTURES:
                    break
        numbers, times_s = recorded(out)
        first = numbers[0]
        assert first is not None
        assert numbers == list(range(first, first + len(numbers)))
        shots = map(camera.shot, range(first, first + len(numbers)))
        stamps_s = np.array([shot.stamped_s for shot in shots if shot is not None])
    assert len(numbers) >= PICTURES
    # FFmpeg loses the stamp of the first picture, and this camera takes its very first one out of step.
    assert np.array(times_s)[1:] - times_s[1] == pytest.approx(stamps_s[1:] - stamps_s[1], abs=0.005)
    assert 0.02 < times_s[1] <= 0.1
    assert stats.ledger.causes(FrameState.DROPPED).keys() <= {"interrupted"}
    slots = [int(scene.frame.time_s * 2 + 1e-6) for scene in scenes if scene.detections is not None]
    assert len(slots) == len(set(slots))

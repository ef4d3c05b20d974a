"""Cameras that send irregular data beside intact frames, and cameras that send garbage between packets."""

from __future__ import annotations

import itertools

import pytest

from streamer.config.source import SourceSettings, Transport
from streamer.sources.live.live import LiveSource
from streamer.sources.network.connector import NetworkConnector
from streamer.values.frame import Frame
from tests.faults import counter
from tests.faults.camera import Camera, Codec
from tests.faults.camera.settings import SLOPPY
from tests.pipeline.parts import DEADLINE_S

pytestmark = pytest.mark.slow


def frames(camera: Camera, count: int, transport: Transport = "tcp") -> list[Frame]:
    connector = NetworkConnector(camera.url, SourceSettings(transport=transport))
    with LiveSource(connector, SourceSettings(stall_s=DEADLINE_S)) as source:
        return list(itertools.islice(source, count))


def is_damaged(frame: Frame) -> bool:
    return counter.is_damaged(frame.picture, counter.read_number(frame.picture))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("sloppy", SLOPPY)
def test_irregular_data_beside_intact_frames_is_no_damage(sloppy: str, transport: Transport) -> None:
    with Camera(fps=50, key_frame_every_s=0.5, sloppy=sloppy) as camera:
        seen = frames(camera, 60, transport)
    assert [is_damaged(frame) for frame in seen] == [False] * 60
    assert [frame.damage for frame in seen] == [""] * 60


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_frames_that_depend_on_dropped_frames_are_flagged(codec: Codec) -> None:
    """No packet is missing, and FFmpeg logs nothing for H.264."""
    with Camera(codec=codec, fps=25, key_frame_every_s=0.5) as camera:
        camera.skip(0.05, 1)
        seen = frames(camera, 120)
    damaged = [frame for frame in seen if is_damaged(frame)]
    assert damaged or codec == "h265"  # of which FFmpeg decodes nothing that misses a reference
    assert [frame.index for frame in damaged if not frame.damage] == []
    assert [frame for frame in seen if not frame.damage]


@pytest.mark.parametrize("seed", range(4))
def test_frames_lost_among_garbage_are_flagged(seed: int) -> None:
    """After zeros FFmpeg skips whole packets, and over TCP it reports no gap unless it is configured to."""
    with Camera(fps=50, key_frame_every_s=0.5) as camera:
        camera.insert_garbage(0.05, seed)
        seen = frames(camera, 200)
    damaged = [frame for frame in seen if is_damaged(frame)]
    assert damaged
    assert [frame.index for frame in damaged if not frame.damage] == []
    assert [frame for frame in seen if not frame.damage]

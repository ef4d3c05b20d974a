"""A join writes, byte for byte, what one process writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.parts.planning import make_plan
from streamer.parts.values import DETECTED_HERE, DIFFERING, JOINED, MISSING
from tests import clips
from tests.parts import joins
from tests.parts.detector import registered

FRAMES = 60


@pytest.fixture(autouse=True)
def detector() -> Iterator[None]:
    with registered():
        yield


def open_groups(path: Path) -> Path:
    """H.264 with leading pictures: frames that are shown before their keyframe and need the group before it."""
    options = {"g": "12", "bf": "3", "x264-params": "open-gop=1:scenecut=0:threads=1", "preset": "veryfast"}
    return clips.write_video(path.with_suffix(".mp4"), frames=FRAMES, options=options)


def cra(path: Path) -> Path:
    """HEVC with CRA pictures and RASL pictures."""
    options = {"x265-params": "log-level=none:keyint=12:min-keyint=12:open-gop=1:bframes=3:pools=none:scenecut=0"}
    return clips.write_video(path.with_suffix(".mp4"), codec="libx265", frames=FRAMES, options=options)


def variable_rate(path: Path) -> Path:
    steps = [0, *(512 * (1 + k % 5) for k in range(FRAMES - 1))]
    pts = [sum(steps[: k + 1]) for k in range(FRAMES)]
    return clips.write_video(path.with_suffix(".mp4"), pts=pts, options={"g": "9"})


def negative(path: Path) -> Path:
    return clips.write_video(path.with_suffix(".ts"), frames=FRAMES, start_pts=-12800, options={"g": "10"})


def rotated(path: Path) -> Path:
    return clips.write_video(path.with_suffix(".mp4"), frames=FRAMES, rotation=90, options={"g": "10"})


def damaged(path: Path) -> Path:
    whole = clips.write_video(path.with_suffix(".ts"), frames=FRAMES, options={"g": "10", "bf": "2"})
    return clips.corrupt(whole, path.with_name("damaged.ts"), start=0.4, end=0.5)


def transport_stream(path: Path) -> Path:
    return clips.write_video(path.with_suffix(".ts"), frames=FRAMES, audio=True, options={"g": "10", "bf": "2"})


CLIPS: tuple[Callable[[Path], Path], ...] = (
    open_groups,
    cra,
    variable_rate,
    negative,
    rotated,
    damaged,
    transport_stream,
)


@pytest.mark.parametrize("make", CLIPS)
@pytest.mark.parametrize("parts", [1, 2, 7, 64])
def test_parts_give_the_bytes_of_a_single_run(tmp_path: Path, make: Callable[[Path], Path], parts: int) -> None:
    clip, settings = make(tmp_path / "clip"), joins.settings_of("draw.hud=true")
    single = joins.run(clip, tmp_path / "single", settings)
    plan = make_plan(clip, settings, parts)
    joins.detect(plan, tmp_path / "parts")
    joined = joins.join(clip, tmp_path / "joined", plan, tmp_path / "parts", settings)
    assert joined.outputs == single.outputs
    frames = single.report.stats.shown
    here = joined.count(DETECTED_HERE, MISSING) + joined.count(DETECTED_HERE, DIFFERING)
    assert joined.count(JOINED) + here == frames
    assert here == 0 or make is damaged

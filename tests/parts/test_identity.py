"""A join writes, byte for byte, what one process writes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamer.parts.part_file import part_name
from streamer.parts.plan_file import write_plan
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


@dataclass(frozen=True, slots=True)
class Single:
    """A clip, and what one process writes of it."""

    clip: Path
    ran: joins.Ran


SETTINGS = ("draw.hud=true", "draw.trails=true")


@pytest.fixture(scope="module", params=CLIPS, ids=lambda make: make.__name__)
def single(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Single:
    folder = tmp_path_factory.mktemp("single")
    clip = request.param(folder / "clip")
    with registered():
        return Single(clip, joins.run(clip, folder / "out", joins.settings_of(*SETTINGS)))


@pytest.mark.parametrize("parts", [1, 2, 7, pytest.param(64, marks=pytest.mark.slow)])
def test_parts_give_the_bytes_of_a_single_run(single: Single, tmp_path: Path, parts: int) -> None:
    settings = joins.settings_of(*SETTINGS)
    plan = make_plan(single.clip, settings, parts)
    joins.detect(plan, tmp_path / "parts")
    joined = joins.join(single.clip, tmp_path / "joined", plan, tmp_path / "parts", settings)
    assert joined.outputs == single.ran.outputs
    here = joined.count(DETECTED_HERE, MISSING) + joined.count(DETECTED_HERE, DIFFERING)
    assert joined.count(JOINED) + here == single.ran.report.stats.shown
    assert here == 0 or single.clip.stem == "damaged"


def test_a_single_run_is_the_same_twice(tmp_path: Path) -> None:
    clip, settings = open_groups(tmp_path / "clip"), joins.settings_of(*SETTINGS)
    first, second = (joins.run(clip, tmp_path / name, settings).outputs for name in ("first", "second"))
    assert first == second
    assert all(first.values())


@pytest.mark.slow
def test_killed_workers_give_the_bytes_of_a_single_run(tmp_path: Path) -> None:
    clip, settings, mark = open_groups(tmp_path / "clip"), joins.settings_of(*SETTINGS), tmp_path / "mark"
    single = joins.run(clip, tmp_path / "single", settings)
    plan = make_plan(clip, settings, 3)
    write_plan(plan, tmp_path / "plan.json")
    (tmp_path / "parts").mkdir()
    detect = [sys.executable, "-m", "tests.parts.hanging_program", "detect", str(tmp_path / "plan.json")]
    for number in range(3):
        command = [*detect, "--part", str(number), "-o", str(tmp_path / "parts")]
        with subprocess.Popen(command, env=os.environ | {"HANG_AFTER": "9", "HANG_MARK": str(mark)}) as process:
            while not mark.exists():
                with suppress(subprocess.TimeoutExpired):
                    raise AssertionError(f"ended with {process.wait(0.05)}")
            process.kill()
        mark.unlink()
        assert not (tmp_path / "parts" / part_name(number)).exists()
        subprocess.run(command, check=True)
    joined = joins.join(clip, tmp_path / "joined", plan, tmp_path / "parts", settings)
    assert joined.outputs == single.outputs
    assert joined.count(JOINED) == FRAMES

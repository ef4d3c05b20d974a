"""A part has the frames that a run over the whole file detects, whatever happens to its worker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.config.detector import DetectorSettings
from streamer.config.loading import load_settings
from streamer.errors import ConfigError, DetectorError, Interrupted
from streamer.parts.detecting import PartDetector, settings_of_worker
from streamer.parts.matching import joined_settings
from streamer.parts.plan import Plan
from streamer.parts.planning import make_plan
from streamer.parts.values import FrameDetections, PartDetections
from tests import clips
from tests.parts.numbers import NAME, NumberDetector, number_of, registered

FRAMES = 40


@pytest.fixture
def detector() -> Iterator[type[NumberDetector]]:
    with registered() as kind:
        yield kind


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Groups of 8 frames with B-frames."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return clips.write_video(path, frames=FRAMES, options={"g": "8", "bf": "2", "preset": "ultrafast"})


def plan_of(clip: Path, parts: int, *assignments: str) -> Plan:
    return make_plan(clip, load_settings(None, [f"detector.name={NAME}", *assignments]), parts)


def detected(plan: Plan) -> list[PartDetections]:
    with PartDetector(plan) as loaded:
        return [loaded.detect(part) for part in plan.parts]


def numbers(part: PartDetections) -> list[int]:
    return [number_of(frame.detections) for frame in part.frames.values()]


@pytest.mark.usefixtures("detector")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_parts_have_every_frame_once(clip: Path, count: int) -> None:
    parts = detected(plan_of(clip, count))
    assert [number for part in parts for number in numbers(part)] == list(range(FRAMES))
    times = [pts for part in parts for pts in part.frames]
    assert times == [512 * index for index in range(FRAMES)]
    assert [part.number for part in parts] == list(range(count))


@pytest.mark.usefixtures("detector")
def test_every_third_frame_counts_from_the_start_of_the_file(clip: Path) -> None:
    parts = detected(plan_of(clip, 5, "detector.every=3"))
    assert [number for part in parts for number in numbers(part)] == list(range(0, FRAMES, 3))


@pytest.mark.usefixtures("detector")
def test_a_rate_detects_what_the_whole_file_does_and_the_first_of_a_part(clip: Path) -> None:
    (whole,) = detected(plan_of(clip, 1, "detector.fps=4"))
    parts = detected(plan_of(clip, 5, "detector.fps=4"))
    wanted, found = set(numbers(whole)), {number for part in parts for number in numbers(part)}
    assert len(wanted) == 7  # of 1.6 s
    assert wanted <= found
    assert found - wanted <= {numbers(part)[0] for part in parts}


@pytest.mark.usefixtures("detector")
def test_auto_detects_every_frame_because_its_choice_needs_those_before(clip: Path) -> None:
    plan = plan_of(clip, 2)
    plan = plan.model_copy(update={"detector": plan.detector.model_copy(update={"every": "auto"})})
    assert [number for part in detected(plan) for number in numbers(part)] == list(range(FRAMES))


def test_results_are_in_order_whichever_detector_is_quicker(clip: Path, detector: type[NumberDetector]) -> None:
    second = threading.Event()

    def before(number: int) -> None:
        if number == 0:
            assert second.wait(30)
        second.set()

    detector.before = staticmethod(before)
    plan, order, progress = plan_of(clip, 1, "detector.workers=2"), list[int](), list[tuple[int, int]]()
    with PartDetector(plan) as loaded:
        loaded.detect(
            plan.parts[0],
            on_frame=lambda frame: order.append(number_of(frame.detections)),
            on_progress=lambda count, failed: progress.append((count, failed)),
        )
    assert order == list(range(FRAMES))
    assert progress == [(count, 0) for count in range(1, FRAMES + 1)]


def test_a_frame_on_which_the_detector_fails_is_left_out(clip: Path, detector: type[NumberDetector]) -> None:
    def before(number: int) -> None:
        if number in (3, 4, 20):
            raise DetectorError("no luck")

    detector.before = staticmethod(before)
    (part,) = detected(plan_of(clip, 1))
    assert numbers(part) == [number for number in range(FRAMES) if number not in (3, 4, 20)]


def test_three_failures_in_a_row_end_the_part(clip: Path, detector: type[NumberDetector]) -> None:
    def before(number: int) -> None:
        if number in (10, 11, 12):
            raise DetectorError("the graphics card is gone")

    detector.before = staticmethod(before)
    with pytest.raises(DetectorError, match="the graphics card is gone"):
        detected(plan_of(clip, 1))


def test_done_frames_are_used_where_their_picture_is_the_same(clip: Path, detector: type[NumberDetector]) -> None:
    (before,) = detected(plan_of(clip, 1))
    seen = list[int]()
    detector.before = staticmethod(seen.append)
    done = {pts: frame for pts, frame in before.frames.items() if pts < 20 * 512}
    done[5 * 512] = replace(done[5 * 512], picture_digest=bytes(16))
    plan, new = plan_of(clip, 1), list[FrameDetections]()
    with PartDetector(plan) as loaded:
        part = loaded.detect(plan.parts[0], done=done, on_frame=new.append)
    assert seen == [5, *range(20, FRAMES)] == [number_of(frame.detections) for frame in new]
    assert numbers(part) == list(range(FRAMES))


def test_stop_ends_a_part_and_those_after_it(clip: Path, detector: type[NumberDetector]) -> None:
    plan = plan_of(clip, 1)
    with PartDetector(plan) as loaded:
        detector.before = staticmethod(lambda number: loaded.stop() if number == 5 else None)
        for _ in range(2):
            with pytest.raises(Interrupted):
                loaded.detect(plan.parts[0])


@pytest.mark.usefixtures("detector")
def test_an_error_of_the_caller_ends_the_threads(clip: Path) -> None:
    plan = plan_of(clip, 1)
    with PartDetector(plan) as loaded:
        with pytest.raises(ZeroDivisionError):
            loaded.detect(plan.parts[0], on_frame=lambda _: print(1 / 0))
        assert not [one for one in threading.enumerate() if one.name in ("streamer-capture", "streamer-detector")]


def test_another_file_is_refused(clip: Path, tmp_path: Path, detector: type[NumberDetector]) -> None:
    other = clips.write_video(tmp_path / "other.mp4", frames=FRAMES - 1)
    plan = plan_of(clip, 1)
    with PartDetector(plan, path=other) as loaded, pytest.raises(ConfigError, match="is not the file of the plan"):
        loaded.detect(plan.parts[0])
    assert detector.contexts[0].info is not None
    assert (detector.contexts[0].info.width, detector.contexts[0].info.height) == (160, 120)


def test_another_model_is_refused_before_it_is_loaded(clip: Path, tmp_path: Path) -> None:
    model = tmp_path / "boxes.txt"
    model.write_text("1,-1,1,2,3,4,0.5\n")
    plan = make_plan(clip, load_settings(None, [f"detector.name={model}"]), 1)
    moved = tmp_path / "moved.txt"
    model.rename(moved)
    own = settings_of_worker(plan, DetectorSettings(name=str(moved)))
    with PartDetector(plan, settings=own) as loaded:
        assert loaded.worker.model == plan.model_sha256
    moved.write_text("no detections")
    with pytest.raises(ConfigError, match=r"the model .*moved\.txt of this machine is not the plan's: its SHA-256 is"):
        PartDetector(plan, settings=own)


@pytest.mark.usefixtures("detector")
def test_a_machine_sets_its_device_and_threads_only(clip: Path) -> None:
    plan = plan_of(clip, 1, "detector.min_score=0.3")
    own = settings_of_worker(plan, DetectorSettings(device="gpu:1", workers=4))
    assert own == plan.detector.model_copy(update={"device": "gpu:1", "workers": 4})
    assert settings_of_worker(plan, DetectorSettings(name="auto", min_score=0.3)) == plan.detector
    with pytest.raises(ConfigError, match=r"detector\.min_score is 0\.1, but 0\.3 in the plan; leave it out"):
        settings_of_worker(plan, DetectorSettings(min_score=0.1))
    with pytest.raises(ConfigError, match=r"the plan has no checksum to compare the model /m\.onnx with"):
        settings_of_worker(plan, DetectorSettings(name="/m.onnx"))


def test_the_detector_reports_what_a_run_keeps(clip: Path, detector: type[NumberDetector]) -> None:
    """The lowest score of all bounds, as `build_detector` computes it for a run."""
    with PartDetector(plan_of(clip, 1, "detector.min_score=0.4", "detector.min_scores={Number: 0.2}")):
        assert detector.contexts[-1].min_score == 0.2


def test_settings_of_a_detector_of_another_package_are_in_the_plan(clip: Path, detector: type[NumberDetector]) -> None:
    given = {NAME: {"level": 3}, "other": {"size": 1}}
    settings = load_settings(None, [f"detector.name={NAME}"]).model_copy(update={"extensions": given})
    plan = make_plan(clip, settings, 1)
    assert plan.extensions == {NAME: {"level": 3}}
    with PartDetector(plan):
        assert detector.contexts[-1].extensions == {NAME: {"level": 3}}
    message = r"extensions\.numbers is {'level': 4}, but the plan was made with {'level': 3}; leave it out"
    with pytest.raises(ConfigError, match=message):
        PartDetector(plan, extensions={NAME: {"level": 4}})
    with pytest.raises(ConfigError, match=message):
        joined_settings(plan, settings.model_copy(update={"extensions": {NAME: {"level": 4}}}))
    assert joined_settings(plan, settings.model_copy(update={"extensions": {}})).extensions == plan.extensions

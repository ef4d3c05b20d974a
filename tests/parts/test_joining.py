"""The join: what it takes from parts, what it detects itself, and what it refuses."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
import pytest

from streamer.config.loading import load_settings
from streamer.config.settings import Settings
from streamer.errors import ConfigError, DetectorError, Interrupted
from streamer.features import DetectorContext
from streamer.flow.stats import RunStats
from streamer.parts.folder import FolderSupply
from streamer.parts.joining import JoinedDetectors
from streamer.parts.matching import SameWorkers
from streamer.parts.part_file import part_name, read_part, write_part
from streamer.parts.planning import make_plan
from streamer.parts.values import DETECTED_HERE, DIFFERING, JOINED, MISSING, PartDetections
from streamer.sources.file.file import FileSource
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.clips import write_video
from tests.parts import joins
from tests.parts.detector import PictureDetector, registered
from tracking.types import Detections

FRAMES, PARTS = 40, 4


class CountedDetector(PictureDetector):
    """Counts how often it is built, and fails on some frames."""

    built: ClassVar[int] = 0
    closed: ClassVar[int] = 0
    fails_on: ClassVar[frozenset[int]] = frozenset()

    @classmethod
    def from_settings(cls, settings: Any, context: DetectorContext) -> Sequence[Any]:
        cls.built += 1
        return super().from_settings(settings, context)

    def detect(self, frame: Frame) -> Detections:
        if frame.pts in self.fails_on:
            raise DetectorError("as the test wants")
        return super().detect(frame)

    def close(self) -> None:
        type(self).closed += 1


class Split:
    """A clip, its plan and parts, and the outputs of a single run."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.clip = write_video(folder / "clip.mp4", frames=FRAMES, options={"g": "10"})
        self.parts = folder / "parts"
        self.plan = make_plan(self.clip, settings, PARTS)
        self.single = joins.run(self.clip, folder / "single", settings)
        joins.detect(self.plan, self.parts)

    def copied_to(self, folder: Path) -> Split:
        """The same with parts and outputs of its own."""
        copied = copy.copy(self)
        copied.folder, copied.parts = folder, folder / "parts"
        shutil.copytree(self.parts, copied.parts)
        CountedDetector.built = CountedDetector.closed = 0
        return copied

    def file(self, number: int) -> Path:
        return self.parts / part_name(number)

    def change(self, number: int, change: Callable[[PartDetections], PartDetections]) -> None:
        write_part(change(read_part(self.file(number))), self.file(number))

    def join(self, settings: Settings | None = None, **options: Any) -> joins.Ran:
        chosen = settings or self.settings
        return joins.join(self.clip, self.folder / "joined", self.plan, self.parts, chosen, **options)


@pytest.fixture(autouse=True)
def detector() -> Iterator[None]:
    CountedDetector.fails_on = frozenset()
    with registered(CountedDetector):
        yield


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Split:
    with registered(CountedDetector):
        return Split(tmp_path_factory.mktemp("split"), joins.settings_of("detector.workers=2"))


@pytest.fixture
def split(original: Split, tmp_path: Path) -> Split:
    return original.copied_to(tmp_path)


def test_no_detector_is_loaded_when_all_parts_are_there(split: Split) -> None:
    joined = split.join()
    assert joined.outputs == split.single.outputs
    assert (CountedDetector.built, joined.count(JOINED)) == (0, FRAMES)
    assert joined.report.detector == "joining 4 parts: picture (3 classes)"
    assert joined.report.to_dict()["counts"][JOINED] == FRAMES


@pytest.mark.parametrize("number", range(PARTS))
def test_the_frames_of_a_missing_part_are_detected_here(split: Split, number: int) -> None:
    split.file(number).unlink()
    joined = split.join(wait_s=0)
    assert joined.outputs == split.single.outputs
    assert joined.count(DETECTED_HERE, MISSING) == split.plan.parts[number].frames
    assert joined.count(JOINED) == FRAMES - split.plan.parts[number].frames
    assert (CountedDetector.built, CountedDetector.closed) == (1, 2)
    assert f"part {number} did not come; its frames were detected here" in joined.report.notes


def test_without_any_part_everything_is_detected_here(split: Split) -> None:
    for number in range(PARTS):
        split.file(number).unlink()
    joined = split.join(wait_s=0)
    assert joined.outputs == split.single.outputs
    assert joined.count(DETECTED_HERE, MISSING) == FRAMES
    assert "parts 0 to 3 did not come; their frames were detected here" in joined.report.notes


def test_a_frame_with_another_picture_is_detected_here(split: Split, caplog: pytest.LogCaptureFixture) -> None:
    def change(part: PartDetections) -> PartDetections:
        wrong = [replace(one, picture_digest=b"0" * 16, detections=Detections.empty()) for one in part.frames.values()]
        return replace(part, frames={**part.frames, **{one.pts: one for one in wrong[:3]}})

    split.change(1, change)
    joined = split.join()
    assert joined.outputs == split.single.outputs
    assert (joined.count(DETECTED_HERE, DIFFERING), joined.count(JOINED)) == (3, FRAMES - 3)
    assert caplog.text.count("is not the one that the worker has detected: it is detected here") == 1


def test_a_frame_that_a_worker_left_out_is_detected_here(split: Split, caplog: pytest.LogCaptureFixture) -> None:
    split.change(2, lambda part: replace(part, frames=dict(list(part.frames.items())[2:])))
    joined = split.join()
    assert joined.outputs == split.single.outputs
    assert joined.count(DETECTED_HERE, MISSING) == 2
    assert caplog.text.count("is missing in part 2: it is detected here") == 1


def test_threads_may_be_many_parts_apart(tmp_path: Path) -> None:
    """With 64 detector threads and one frame a part; `wait` gets the parts in order, and each once."""
    clip, settings = write_video(tmp_path / "clip.mp4", frames=FRAMES, options={"g": "10"}), joins.settings_of()
    plan = make_plan(clip, settings, FRAMES)
    joins.detect(plan, tmp_path / "parts")
    workers = SameWorkers()
    with JoinedDetectors(plan, FolderSupply(tmp_path / "parts", plan, workers, wait_s=0), workers) as joined:
        stats = RunStats()
        joined.build(settings.detector, DetectorContext(stats=stats))
        with FileSource(clip) as source:
            for frame in reversed(list(source)):
                joined.detect(frame)
    assert stats.counts == {(JOINED, ""): FRAMES}


def test_detections_by_the_number_of_a_frame_are_joined_after_damage(tmp_path: Path) -> None:
    """Damaged packets become no frame, so packets do not say which number a frame has."""
    clip = write_video(tmp_path / "clip.mp4", frames=240, options={"g": "10"})
    with av.open(str(clip)) as container:
        damaged = [packet for packet in container.demux(video=0) if packet.size][32:36]
    content = bytearray(clip.read_bytes())
    for packet in damaged:
        assert packet.pos is not None
        content[packet.pos + 4 : packet.pos + packet.size] = b"\xff" * (packet.size - 4)
    clip.write_bytes(content)
    boxes = "".join(f"{number},-1,{number},2,14,14,0.5\n" for number in range(1, 241))
    (tmp_path / "boxes.txt").write_text(boxes)
    settings = load_settings(None, [f"detector.name={tmp_path / 'boxes.txt'}"])
    single = joins.run(clip, tmp_path / "single", settings)
    assert single.report.stats.shown < 240
    plan = make_plan(clip, settings, 3)
    joins.detect(plan, tmp_path / "parts")
    assert joins.join(clip, tmp_path / "joined", plan, tmp_path / "parts", settings).outputs == single.outputs


def test_a_frame_on_which_every_detector_fails_is_lost_as_in_a_single_run(tmp_path: Path) -> None:
    CountedDetector.fails_on = frozenset({512 * 13})
    split = Split(tmp_path, joins.settings_of())
    joined = split.join()
    assert joined.outputs == split.single.outputs
    assert joined.report.to_dict()["frames"]["lost"] == {"detector error": 1}


def test_other_detections_of_the_same_pictures_give_other_outputs(split: Split) -> None:
    def change(part: PartDetections) -> PartDetections:
        frames = {
            pts: replace(one, detections=one.detections.select(np.arange(1, len(one.detections))))
            for pts, one in part.frames.items()
        }
        return replace(part, frames=frames)

    split.change(1, change)
    outputs = split.join().outputs
    assert all(outputs[name] != content for name, content in split.single.outputs.items())


def test_a_run_selects_classes_and_scores_of_the_parts(split: Split) -> None:
    for given in ("detector.classes=[Green]", "detector.min_score=0.71", "detector.min_scores={Red: 0.92}"):
        settings = joins.settings_of(given, "tracker.name=iou", "detector.every=3")
        folder = split.folder / given.partition("=")[0]
        folder.mkdir()
        single = joins.run(split.clip, folder / "single", settings)
        joined = joins.join(split.clip, folder / "joined", split.plan, split.parts, settings)
        assert joined.outputs == single.outputs
    with pytest.raises(ConfigError, match="no class 'Lilac' in this detector"):
        split.join(joins.settings_of("detector.classes=[Lilac]"))


def test_a_plan_of_some_frames_is_joined(tmp_path: Path) -> None:
    split = Split(tmp_path, joins.settings_of("detector.every=3")).copied_to(tmp_path / "copy")
    joined = split.join(joins.settings_of())
    assert joined.outputs == split.single.outputs
    assert (joined.count(JOINED), CountedDetector.built) == (14, 0)


def test_a_part_with_other_classes_is_refused(split: Split) -> None:
    split.change(2, lambda part: replace(part, labels=LabelTable(("Red", "Green"))))
    with pytest.raises(ConfigError, match="part 2 was detected with other classes"):
        split.join()
    assert not list((split.folder / "joined").iterdir())


def test_mixed_workers_are_refused_or_the_report_says_so(split: Split) -> None:
    split.change(3, lambda part: replace(part, worker=replace(part.worker, canary="other", machine="another CPU")))
    with pytest.raises(ConfigError, match=r"part 3 computes other numbers than .* allow mixed workers"):
        split.join()
    assert not list((split.folder / "joined").iterdir())
    (split.folder / "joined").rmdir()
    joined = split.join(allow_mixed=True)
    assert joined.outputs == split.single.outputs
    (note,) = [note for note in joined.report.notes if "not reproducible" in note]
    assert "another CPU" in note


def test_a_join_that_computes_other_numbers_detects_nothing(split: Split) -> None:
    for number in range(PARTS):
        split.change(number, lambda part: replace(part, worker=replace(part.worker, canary="other")))
    split.file(1).unlink()
    with pytest.raises(ConfigError, match="this machine computes other numbers than the worker of part 0"):
        split.join(wait_s=0)
    assert not list((split.folder / "joined").iterdir())
    assert CountedDetector.closed == CountedDetector.built * 2


def test_a_join_with_another_model_detects_nothing(split: Split) -> None:
    for number in range(PARTS):
        split.change(number, lambda part: replace(part, worker=replace(part.worker, model="other")))
    split.file(1).unlink()
    with pytest.raises(ConfigError, match="this machine has another model than the worker of part 0"):
        split.join(wait_s=0)


def test_a_stop_ends_the_wait_and_completes_the_outputs(split: Split) -> None:
    split.file(2).unlink()
    stops: list[Callable[[], None]] = []
    with pytest.raises(Interrupted):
        split.join(waiting=lambda _: stops[0](), on_ready=stops.append)
    names = {path.name for path in (split.folder / "joined").iterdir()}
    assert names == set(split.single.outputs)
    written = (split.folder / "joined" / "out.jsonl").read_bytes()
    assert split.single.outputs["out.jsonl"].startswith(written)


def test_parts_of_another_plan_are_refused(split: Split, tmp_path: Path) -> None:
    other = make_plan(split.clip, split.settings, 2)
    with pytest.raises(ConfigError, match=r"part-0\.npz belongs to another plan"):
        joins.join(split.clip, tmp_path / "joined", other, split.parts, split.settings)

"""`streamer.open`: the scenes of a run as an iterator, with parts by name and parts of one's own."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
import pytest

import streamer
from streamer.config.settings import Settings
from streamer.render.canvas import Canvas
from streamer.values.drawable import Drawable
from tests import clips
from tracking.iou import IouTracker

FRAMES = 10


class OneBox(streamer.Detector):
    """Finds the same box on every frame."""

    labels = streamer.LabelTable(("thing",))

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.closed = False

    def detect(self, frame: streamer.Frame) -> streamer.Detections:
        self.seen.append(frame.index)
        return streamer.Detections(np.array([[8, 8, 40, 30]]), np.array([0.9]), np.array([0]))

    def close(self) -> None:
        self.closed = True


class Numbers(streamer.Source):
    """Frames made in memory; only what a source must have."""

    @property
    def info(self) -> streamer.StreamInfo:
        return streamer.StreamInfo("numbers", 64, 48, "yuv420p", Fraction(1, 25), Fraction(25))

    def __iter__(self) -> Iterator[streamer.Frame]:
        for index in range(FRAMES):
            picture = av.VideoFrame.from_ndarray(clips.picture(index, (64, 48)), "rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            yield streamer.Frame(picture, index, index, Fraction(1, 25), 0.0)


class Collected(streamer.Sink):
    """Keeps the scenes; only what a sink must have."""

    stage = "collect"
    entered = left = False

    def __init__(self) -> None:
        self.scenes: list[streamer.Scene] = []

    def __enter__(self) -> Self:
        self.entered = True
        return self

    def __exit__(self, *_: object) -> None:
        self.left = True

    def write(self, scene: streamer.Scene) -> None:
        self.scenes.append(scene)


class Dot:
    """Draws one white square."""

    def draw(self, canvas: Drawable, scene: streamer.Scene) -> None:  # noqa: ARG002
        canvas.fill((0, 40, 8, 48), (255, 255, 255))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return clips.write_video(tmp_path / "clip.mp4", frames=FRAMES, size=(64, 48))


def test_scenes_have_objects_with_names_and_ids(clip: Path) -> None:
    found = [(scene.frame.index, item) for scene in streamer.open(clip, detector=OneBox()) for item in scene.objects]
    assert found[-1][0] == FRAMES - 1
    assert {(item.label, item.id) for _, item in found} == {("thing", 1)}
    assert found[-1][1].box == pytest.approx((8, 8, 40, 30), abs=0.1)


def test_detections_have_names_and_undetected_frames_have_none(clip: Path) -> None:
    scenes = list(streamer.open(clip, detector=OneBox(), settings={"detector.every": 3}))
    assert [scene.detected_objects.labels for scene in scenes[:4]] == [["thing"], [], [], ["thing"]]


def test_the_annotated_frame_is_an_array(clip: Path) -> None:
    no_labels = {"draw.labels": False}
    for scene in streamer.open(clip, detector=OneBox(), annotators=[Dot()], draw=True, settings=no_labels):
        rgb, plain = scene.rgb(), scene.frame.rgb()
    assert rgb.shape == (48, 64, 3)
    assert rgb.dtype == np.uint8
    assert rgb[44, 4].min() > 240
    assert (rgb[8:11, 12:36] != plain[8:11, 12:36]).any(), "the box is drawn"
    assert np.array_equal(rgb[36:40, 44:], plain[36:40, 44:]), "the rest is not changed"
    assert np.array_equal(scene.bgr(), rgb[..., ::-1])
    assert scene.bgr().flags.c_contiguous, "OpenCV draws on contiguous arrays only"


def test_a_frame_without_drawing_has_no_annotated_array(clip: Path) -> None:
    scene = next(streamer.open(clip, detector=OneBox()))
    with pytest.raises(ValueError, match=r"draw=True, or take scene\.frame\.rgb\(\)"):
        scene.rgb()


def test_a_function_of_an_array_is_a_detector(clip: Path, tmp_path: Path) -> None:
    def find_white(rgb: Any) -> Any:
        rows, columns = np.nonzero(rgb[36:].min(axis=2) > 200)
        box = (columns.min(), rows.min() + 36, columns.max() + 1, rows.max() + 37)
        return [box], [0.9], ["white"]

    with streamer.open(clip, detector=find_white, outputs=tmp_path / "out.jsonl") as scenes:
        assert scenes.detector == "using find_white"
        shown = list(scenes)
    assert shown[-1].objects[0].label == "white"
    assert shown[-1].objects[0].box == pytest.approx((0, 36, 16, 48), abs=1)
    assert '"white"' in (tmp_path / "out.jsonl").read_text(encoding="utf-8")


def test_an_error_in_a_function_ends_the_run_as_it_is(clip: Path) -> None:
    def divide(rgb: Any) -> Any:
        raise ZeroDivisionError(rgb.shape)

    with pytest.raises(ZeroDivisionError):
        streamer.open(clip, detector=divide).run()


def test_classes_cannot_select_from_a_function(clip: Path) -> None:
    with pytest.raises(streamer.ConfigError, match="a function has none; filter in it"):
        streamer.open(clip, detector=lambda _: ([], [], []), classes=["car"])


def test_classes_and_scores_are_arguments(clip: Path) -> None:
    assert all(len(scene.tracks) == 0 for scene in streamer.open(clip, detector=OneBox(), min_score=0.95))
    assert any(len(scene.tracks) for scene in streamer.open(clip, detector=OneBox(), classes=["Thing"]))
    with pytest.raises(streamer.ConfigError, match="no class 'thin' in this detector; did you mean thing"):
        streamer.open(clip, detector=OneBox(), classes=["thin"])


def test_run_without_an_output_warns(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    streamer.open(clip, detector=OneBox()).run()
    assert [record.getMessage() for record in caplog.records] == [
        "run() writes nothing without an output; use streamer.open(..., outputs='out.mp4')"
    ]


def test_run_writes_the_outputs_without_a_loop(clip: Path, tmp_path: Path) -> None:
    streamer.open(clip, detector=OneBox(), outputs=tmp_path / "out.jsonl").run()
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == FRAMES


def test_info_stats_and_detector_are_available(clip: Path) -> None:
    with streamer.open(clip, detector=OneBox()) as scenes:
        assert (scenes.info.width, scenes.info.height, scenes.info.frame_count) == (64, 48, FRAMES)
        assert scenes.detector == "using OneBox (1 class)"
        assert sum(1 for _ in scenes) == FRAMES
    assert scenes.stats.shown == FRAMES


@pytest.mark.parametrize("taken", [1, FRAMES])
def test_events_that_last_end_with_the_run(taken: int) -> None:
    zone = {"name": "all", "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "enter_s": 0}
    scenes = streamer.open(Numbers(), detector=OneBox(), tracker="iou", settings={"analytics.zones": [zone]})
    events = [event for scene in itertools.islice(scenes, taken) for event in scene.watched.events]
    assert scenes.final_events == ()
    scenes.close()
    events += scenes.final_events
    assert [event.phase for event in events] == ["start", "end"]


def test_parts_of_ones_own_replace_those_of_the_settings() -> None:
    detector, sink = OneBox(), Collected()
    scenes = list(
        streamer.open(Numbers(), detector=detector, tracker=IouTracker(), annotators=[Dot()], outputs=[sink], draw=True)
    )
    assert detector.seen == [scene.frame.index for scene in scenes] == list(range(FRAMES))
    assert not detector.closed, "the caller owns it"
    assert [scene.frame.index for scene in sink.scenes] == list(range(FRAMES))
    assert sink.entered
    assert sink.left
    assert all(scene.picture is not None and scene.picture.to_ndarray()[44, 4] > 220 for scene in scenes)


def test_parts_by_name_and_settings_by_dotted_name(clip: Path) -> None:
    settings = {"detector.every": 3, "tracker.options": {"confirm_s": 0.0}}
    detector = OneBox()
    scenes = list(streamer.open(clip, detector=detector, tracker="iou", settings=settings))
    assert detector.seen == [0, 3, 6, 9]
    assert len(scenes[3].tracks) == 1


class Registered(OneBox, streamer.DetectorFeature):
    """A detector that `detector.name` can name."""

    @classmethod
    def accepts(cls, name: str) -> bool:
        return name == "mine"

    @classmethod
    def from_settings(cls, settings: streamer.DetectorSettings, context: streamer.DetectorContext) -> list[Self]:  # noqa: ARG003
        return [cls()]


def test_a_registered_class_is_found_by_name(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamer.DETECTORS, "_registered", {})
    streamer.DETECTORS.register("mine", Registered)
    with streamer.open(clip, detector="mine") as scenes:
        assert scenes.detector == "using mine"
        assert sum(len(scene.tracks) for scene in scenes) > 0


def test_settings_may_be_loaded_before(clip: Path) -> None:
    loaded = streamer.load_settings(None, ["detector.every=5", "source.threads=1"])
    assert isinstance(loaded, Settings)
    detector = OneBox()
    assert len(list(streamer.open(clip, detector=detector, settings=loaded))) == FRAMES
    assert detector.seen == [0, 5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"detector": "startr"}, "did you mean starter?"),
        ({"tracker": "casade"}, "did you mean cascade?"),
        ({"annotators": ["boxs"]}, "did you mean boxes?"),
        ({"settings": {"detector.evry": 2}}, "did you mean every?"),
        ({"outputs": ["nowhere://x"]}, "is no address of an output"),
    ],
    ids=["detector", "tracker", "annotator", "setting", "output"],
)
def test_wrong_names_are_refused_before_the_first_frame(clip: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(streamer.ConfigError, match="^[^\n]*" + message.replace("?", r"\?")):
        streamer.open(clip, **{"detector": OneBox(), **arguments})  # type: ignore[arg-type]


def test_a_missing_source_is_unavailable() -> None:
    with pytest.raises(streamer.SourceUnavailable, match=r"missing\.mp4"):
        streamer.open("missing.mp4", detector=OneBox())


def test_outputs_are_complete_at_the_end(clip: Path, tmp_path: Path) -> None:
    for _ in streamer.open(clip, detector=OneBox(), outputs=[tmp_path / "out.mp4", str(tmp_path / "out.jsonl")]):
        assert not (tmp_path / "out.mp4").exists()
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == FRAMES
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == FRAMES


def test_an_existing_output_needs_overwrite(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"old")
    with pytest.raises(streamer.SinkUnavailable, match="exists already"):
        streamer.open(clip, detector=OneBox(), outputs=[tmp_path / "out.mp4"])
    assert (
        sum(1 for _ in streamer.open(clip, detector=OneBox(), outputs=[tmp_path / "out.mp4"], overwrite=True)) == FRAMES
    )


def test_the_output_must_not_be_the_input(clip: Path) -> None:
    with pytest.raises(streamer.ConfigError, match="is the input"):
        streamer.open(clip, detector=OneBox(), outputs=[clip], overwrite=True)


@pytest.mark.parametrize("taken", [0, 1, 4])
def test_closing_early_completes_the_outputs(clip: Path, tmp_path: Path, taken: int) -> None:
    with streamer.open(clip, detector=OneBox(), outputs=[tmp_path / "out.jsonl"]) as scenes:
        for _ in range(taken):
            next(scenes)
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == taken
    scenes.close()
    with pytest.raises(StopIteration):
        next(scenes)


@pytest.mark.parametrize("taken", [0, 2])
def test_an_error_in_the_block_deletes_incomplete_outputs(clip: Path, tmp_path: Path, taken: int) -> None:
    def fail() -> None:
        with streamer.open(clip, detector=OneBox(), outputs=[tmp_path / "out.mp4"]) as scenes:
            for _ in range(taken):
                next(scenes)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == [clip]


def test_ctrl_c_in_the_block_completes_the_outputs(clip: Path, tmp_path: Path) -> None:
    def interrupt() -> None:
        with streamer.open(clip, detector=OneBox(), outputs=[tmp_path / "out.jsonl"]) as scenes:
            next(scenes)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert (tmp_path / "out.jsonl").exists()


def test_another_thread_can_stop_it(clip: Path) -> None:
    shown = 0
    with streamer.open(clip, detector=OneBox()) as scenes:
        for _ in scenes:
            shown += 1
            stopper = threading.Thread(target=scenes.stop)
            stopper.start()
            stopper.join()
    assert shown < FRAMES


def test_scenes_can_be_drawn_on_afterwards(clip: Path) -> None:
    for scene in streamer.open(clip, detector=OneBox()):
        canvas = Canvas(scene.frame.picture)
        Dot().draw(canvas, scene)
    assert canvas.picture.width == 64


LEFT_EARLY = """
import sys
import streamer

class Nothing(streamer.Detector):
    labels = streamer.LabelTable(("thing",))

    def detect(self, frame):
        return streamer.Detections([], [], [])

{body}
print("end of script")
"""


@pytest.mark.parametrize(
    "body",
    [
        "for scene in streamer.open(sys.argv[1], detector=Nothing(), outputs='out.mp4'):\n    break",
        "scenes = streamer.open(sys.argv[1], detector=Nothing(), outputs='out.mp4')\nnext(scenes)",
    ],
)
def test_a_script_that_stops_early_ends_and_completes_its_output(clip: Path, tmp_path: Path, body: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    command = [sys.executable, "-c", LEFT_EARLY.format(body=body), str(clip)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=40)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end of script\n", "")
    assert [path.name for path in folder.iterdir()] == ["out.mp4"]
    with av.open(str(folder / "out.mp4")) as container:
        assert next(container.decode(video=0)).width


def test_scenes_that_are_gone_are_not_silently_empty(clip: Path) -> None:
    scenes = streamer.open(clip, detector=OneBox())
    assert len(list(scenes)) == len(list(streamer.open(clip, detector=OneBox())))
    with pytest.raises(RuntimeError, match=r"call streamer\.open again"):
        list(scenes)
    failed = streamer.open(clip, detector=OneBox())
    with pytest.raises(ValueError, match="a mistake"), failed:
        raise ValueError("a mistake")
    with pytest.raises(RuntimeError, match=r"call streamer\.open again"):
        list(failed)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"detector": [1]}, "list is no detector: it has no labels, detect, close; derive it from streamer.Detector"),
        ({"detector": OneBox}, "OneBox is a class; give an instance of it as detector"),
        ({"outputs": object()}, "object is no sink: it has no stage, .*; derive it from streamer.Sink"),
        ({"annotators": [3]}, "int is no annotator: it has no draw"),
        ({"source": [1]}, "list is no source: it has no info"),
    ],
)
def test_a_part_that_lacks_something_is_refused_by_name(clip: Path, parts: dict[str, Any], reason: str) -> None:
    arguments: dict[str, Any] = {"source": clip, "detector": OneBox(), **parts}
    with pytest.raises(TypeError, match=reason):
        streamer.open(**arguments)


def test_a_number_is_a_webcam() -> None:
    with pytest.raises(streamer.SourceUnavailable, match="camera:9"):
        streamer.open(9, detector=OneBox())


class StrongAndWeak(streamer.Detector):
    """Finds a Car on every frame, and a Person with a lower score from the third on."""

    labels = streamer.LabelTable(("Car", "Person"))

    def detect(self, frame: streamer.Frame) -> streamer.Detections:
        count = 2 if frame.index >= 2 else 1
        boxes = np.array([[2, 2, 20, 20], [30, 10, 60, 40]][:count])
        return streamer.Detections(boxes, np.array([0.95, 0.6][:count]), np.arange(count, dtype=np.int32))

    def close(self) -> None:
        return None


@pytest.mark.parametrize("tracker", ["cascade", "iou"])
@pytest.mark.parametrize("bound", [{"detector.min_score": 0.6}, {"detector.min_scores": {"Person": 0.5}}])
def test_every_object_at_a_bound_of_the_user_is_shown(clip: Path, tracker: str, bound: dict[str, Any]) -> None:
    with streamer.open(clip, detector=StrongAndWeak(), tracker=tracker, settings=bound) as scenes:
        shown = ["Person" in scene.objects.labels for scene in scenes]
    assert shown == [False] * 4 + [True] * (FRAMES - 4)  # 2 frames without it, and 2 of probation
    assert scenes.stats.counts == {}


def test_options_of_the_user_stay_with_a_bound_of_the_user(clip: Path) -> None:
    settings = {"detector.min_score": 0.5, "tracker.options": {"shown_ratio": 0.7}}
    with streamer.open(clip, detector=StrongAndWeak(), settings=settings) as scenes:
        assert not any("Person" in scene.objects.labels for scene in scenes)


def test_without_a_bound_of_the_user_hidden_detections_are_counted(clip: Path) -> None:
    with streamer.open(clip, detector=StrongAndWeak()) as scenes:
        assert not any("Person" in scene.objects.labels for scene in scenes)
    assert scenes.stats.counts == {("hidden", "Person"): FRAMES - 4}

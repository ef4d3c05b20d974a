"""Several runs in one process, one after the other or at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from streamer.config.loading import load_settings
from streamer.detectors.shared import SharedDetectors
from streamer.errors import ConfigError, DetectorHung, Interrupted, ModelError
from streamer.features import DetectorContext, DetectorFeature
from streamer.observe.report import Progress, SilentReporter
from streamer.registry import DETECTORS
from streamer.run.inputs import find_inputs, plan
from streamer.run.outcome import Outcome
from streamer.run.outputs import Outputs
from streamer.run.several import RunsFailed, RunsReporter, SeveralRuns
from streamer.values.frame import Frame
from streamer.values.labels import LabelTable
from tests.clips import write_video
from tracking.types import Detections

SETTINGS = load_settings(None, ["detector.name=scripted"])


class ScriptedDetector(DetectorFeature):
    """Fails on its n-th frame, counted over all its instances, with the error for n."""

    built: ClassVar[int] = 0
    closed: ClassVar[int] = 0
    frames: ClassVar[int] = 0
    errors: ClassVar[dict[int, Exception]] = {}
    labels = LabelTable(("thing",))

    @classmethod
    def accepts(cls, name: str) -> bool:
        return name == "scripted"

    @classmethod
    def from_settings(cls, settings: Any, context: DetectorContext) -> Sequence[Any]:
        del settings, context
        cls.built += 1
        if cls.built in cls.errors and isinstance(cls.errors[cls.built], ModelError):
            raise cls.errors[cls.built]
        return [cls()]

    def detect(self, frame: Frame) -> Detections:
        del frame
        type(self).frames += 1
        if self.frames in self.errors:
            raise self.errors[self.frames]
        return Detections.empty()

    def close(self) -> None:
        type(self).closed += 1


class Kept(RunsReporter):
    """Keeps what several runs report."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.total = 0
        self.in_run: dict[int, Callable[[], None]] = {}
        """Called when the run of this number has begun."""

    def message(self, text: str) -> None:
        del text

    def started(self, destinations: Sequence[str]) -> None:
        assert len(destinations) == 1

    def progress(self, total: int | None, *, live: bool, title: str) -> AbstractContextManager[Progress]:
        self.in_run.get(int(title.partition("/")[0]), lambda: None)()
        return SilentReporter().progress(total, live=live)

    def ended(self, number: int, total: int, outcome: Outcome) -> None:
        assert 1 <= number <= total
        self.outcomes.append(outcome)
        self.total = total

    def summary(self, outcomes: Sequence[Outcome], total: int, wall_s: float) -> None:
        assert list(outcomes) == self.outcomes
        assert total >= len(outcomes)
        assert wall_s > 0


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[ScriptedDetector]]:
    monkeypatch.chdir(tmp_path)
    for name, value in {"built": 0, "closed": 0, "frames": 0, "errors": {}}.items():
        monkeypatch.setattr(ScriptedDetector, name, value)
    DETECTORS.register("scripted", ScriptedDetector)
    yield ScriptedDetector
    DETECTORS.unregister("scripted")


def several(names: Sequence[str] = ("a.mp4", "b.mp4", "c.mp4"), **options: Any) -> tuple[SeveralRuns, Kept]:
    for name in names:
        write_video(Path(name), frames=4)
    planned = plan(find_inputs(names), SETTINGS.source, lambda source: Outputs.of(SETTINGS, source))
    kept = Kept()
    return SeveralRuns(planned.runs, SETTINGS, kept, **options), kept


def states(kept: Kept) -> list[str]:
    return ["none" if one.figures is None else one.figures.state for one in kept.outcomes]


def test_the_detector_is_loaded_once_and_closed_once() -> None:
    runs, kept = several()
    runs.run()
    assert states(kept) == ["complete"] * 3
    assert (ScriptedDetector.built, ScriptedDetector.closed, ScriptedDetector.frames) == (1, 1, 12)


@pytest.mark.parametrize("error", [DetectorHung("no answer"), ZeroDivisionError("a bug")], ids=["hang", "bug"])
def test_a_run_that_fails_does_not_stop_the_others(error: Exception) -> None:
    ScriptedDetector.errors[6] = error
    runs, kept = several()
    with pytest.raises(RunsFailed, match=r"1 of 3 inputs failed: b.mp4"):
        runs.run()
    assert [type(one.error) for one in kept.outcomes] == [type(None), type(error), type(None)]
    assert sorted(path.name for path in Path().glob("*.annotated.mp4")) == ["a.annotated.mp4", "c.annotated.mp4"]
    assert ScriptedDetector.built == (2 if isinstance(error, DetectorHung) else 1)
    assert ScriptedDetector.built == ScriptedDetector.closed


def test_a_model_that_cannot_be_loaded_ends_all_runs() -> None:
    ScriptedDetector.errors[1] = ModelError("no such model")
    runs, kept = several()
    with pytest.raises(ModelError, match="no such model"):
        runs.run()
    assert kept.outcomes == []


def test_settings_that_fail_for_the_first_input_end_all_runs() -> None:
    write_video(Path("a.mp4"), frames=2)
    write_video(Path("b.mp4"), frames=2)
    settings = load_settings(None, ["detector.name=scripted", "overlay=now"])
    planned = plan(find_inputs(["a.mp4", "b.mp4"]), settings.source, lambda source: Outputs.of(settings, source))
    with pytest.raises(ConfigError, match="overlay now"):
        SeveralRuns(planned.runs, settings, Kept()).run()


def test_stop_ends_all_runs_and_keeps_what_is_complete() -> None:
    runs, kept = several()
    kept.in_run[2] = runs.stop
    with pytest.raises(Interrupted):
        runs.run()
    assert states(kept)[0] == "complete"
    assert len(kept.outcomes) == 2
    assert kept.outcomes[1].interrupted
    assert Path("a.annotated.mp4").exists()
    assert not Path("c.annotated.mp4").exists()


def test_detectors_are_loaded_again_for_other_settings() -> None:
    other = SETTINGS.detector.model_copy(update={"min_score": 0.9})
    with SharedDetectors() as shared:
        for _ in range(2):
            shared.build(SETTINGS.detector, DetectorContext())
        assert (ScriptedDetector.built, ScriptedDetector.closed) == (1, 0)
        shared.build(other, DetectorContext())
        assert ScriptedDetector.closed == 1
    assert (ScriptedDetector.built, ScriptedDetector.closed) == (2, 2)

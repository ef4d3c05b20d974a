"""Several runs in one process, one after the other or at the same time."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from streamer.config.loading import load_settings
from streamer.detectors.shared import SharedDetectors
from streamer.errors import ConfigError, DetectorHung, Interrupted, ModelError, SinkError
from streamer.features import DetectorContext
from streamer.observe.report import Progress, SilentReporter
from streamer.run.inputs import find_inputs, plan
from streamer.run.outcome import Outcome
from streamer.run.outputs import Outputs
from streamer.run.runs_reporter import RunsReporter
from streamer.run.several import RunsFailed, SeveralRuns
from streamer.sources.file.file import FileSource
from tests.clips import write_video
from tests.run.scripted_detector import ScriptedDetector, scripted_detector

SETTINGS = load_settings(None, ["detector.name=scripted"])


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
    with scripted_detector(monkeypatch) as found:
        yield found


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


def test_two_runs_go_on_at_the_same_time_with_one_detector() -> None:
    second_has_begun = threading.Event()
    ScriptedDetector.before = lambda: second_has_begun.wait(20) or pytest.fail("the runs are one after the other")
    runs, kept = several(jobs=2)
    kept.in_run[2] = second_has_begun.set
    runs.run()
    assert states(kept) == ["complete"] * 3
    assert (ScriptedDetector.built, ScriptedDetector.closed, ScriptedDetector.frames) == (1, 1, 12)


def test_stop_ends_all_runs_in_progress() -> None:
    runs, kept = several(jobs=2)
    second_has_begun = threading.Event()
    ScriptedDetector.before = lambda: second_has_begun.wait(20) or pytest.fail("the runs are one after the other")

    def stop() -> None:
        runs.stop()
        second_has_begun.set()

    kept.in_run[2] = stop
    with pytest.raises(Interrupted):
        runs.run()
    assert all(one.interrupted for one in kept.outcomes)
    assert len(kept.outcomes) == 2


def test_a_hang_in_one_run_fails_that_run_only() -> None:
    ScriptedDetector.errors[6] = DetectorHung("no answer")
    runs, kept = several(jobs=3)
    with pytest.raises(RunsFailed, match=r"1 of 3 inputs failed"):
        runs.run()
    assert sorted(states(kept)) == ["complete", "complete", "failed"]


def test_a_full_disk_ends_all_runs() -> None:
    full = SinkError("cannot write b.annotated.mp4: No space left on device")
    full.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    ScriptedDetector.errors[6] = full
    runs, kept = several()
    with pytest.raises(RunsFailed, match=r"1 of 3 inputs failed: b.mp4; the disk is full, so 1 were not begun"):
        runs.run()
    assert states(kept) == ["complete", "failed"]


def test_interrupted_runs_leave_no_output_if_only_complete_ones_are_wanted() -> None:
    runs, kept = several(keep_interrupted=False)
    kept.in_run[2] = runs.stop
    with pytest.raises(Interrupted):
        runs.run()
    assert {path.name for path in Path().iterdir()} == {"a.mp4", "b.mp4", "c.mp4", "a.annotated.mp4"}
    assert kept.outcomes[1].figures is None or not kept.outcomes[1].figures.outputs


def test_kept_errors_hold_no_frames_of_the_video() -> None:
    ScriptedDetector.errors[1] = ZeroDivisionError("a bug")
    runs, kept = several()
    with pytest.raises(RunsFailed):
        runs.run()
    (failed,) = [one.error for one in kept.outcomes if one.failed]
    assert failed is not None
    assert failed.__traceback__ is None


def test_each_run_hears_of_its_own_frames_only() -> None:
    with SharedDetectors() as shared:
        first, second = (shared.build(SETTINGS.detector, DetectorContext()).detectors[0] for _ in range(2))
        with FileSource(write_video(Path("a.mp4"), frames=2)) as source:
            first.detect(next(iter(source)))
        assert (first.top_score, second.top_score) == (0.5, None)  # type: ignore[attr-defined]
        assert first.unknown_classes == {"gnu": 1}  # type: ignore[attr-defined]
        assert second.unknown_classes == {}  # type: ignore[attr-defined]

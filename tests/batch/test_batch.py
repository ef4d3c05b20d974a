"""A batch: what is done again and what is not, and what is refused before the first run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from streamer.batch.batch import Batch, BatchOutputs, BatchReporter
from streamer.batch.journal import JOURNAL, LOCK
from streamer.batch.resuming import FAILED, INPUT, INTERRUPTED, NEW, OUTPUTS, SETTINGS, Work
from streamer.config.loading import load_settings
from streamer.errors import ConfigError, DetectorHung, Interrupted, SinkError, StreamerError
from streamer.observe.report import Progress, SilentReporter
from streamer.run.outcome import Outcome
from streamer.run.several import RunsFailed
from tests.clips import write_video
from tests.run.scripted_detector import ScriptedDetector, scripted_detector


class Kept(BatchReporter):
    """Keeps what a batch reports."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.why: Mapping[str, int] = {}
        self.ran: list[str] = []
        self.failed: list[str] = []
        self.messages: list[str] = []
        self.in_run: Callable[[str], None] = lambda _: None
        """Called with the input of each run, once it has begun."""

    def found(self, names: Mapping[str, str], work: Work) -> None:
        assert len(names) == len(work.done) + len(work.to_do)
        self.done, self.why = [entry.file for entry in work.done], dict(work.why)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def started(self, destinations: Sequence[str]) -> None:
        assert destinations

    def progress(self, total: int | None, *, live: bool, title: str) -> AbstractContextManager[Progress]:
        self.in_run(title.partition(" ")[2])
        return SilentReporter().progress(total, live=live)

    def ended(self, number: int, total: int, outcome: Outcome) -> None:
        assert 1 <= number <= total
        self.ran.append(Path(outcome.source).name)
        if outcome.failed:
            self.failed.append(str(outcome.error))

    def summary(self, outcomes: Sequence[Outcome], total: int, wall_s: float) -> None:
        assert len(outcomes) <= total
        assert wall_s >= 0


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    for name in ("v/a.mp4", "v/b.mp4", "v/day/a.mp4"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_video(Path(name), frames=4)
    with scripted_detector(monkeypatch):
        yield tmp_path


def run(*settings: str, kept: Kept | None = None, given: Sequence[str] = ("v",), jobs: int = 1, **outputs: Any) -> Kept:
    """One call of the command."""
    kept = kept or Kept()
    loaded = load_settings(None, ["detector.name=scripted", *settings])
    batch = Batch(given, BatchOutputs(Path("out"), **outputs), loaded, kept, jobs=jobs)
    batch.run()
    return kept


def files(base: str = "out") -> set[str]:
    return {str(path.relative_to(base)) for path in Path(base).rglob("*") if path.is_file()} - {JOURNAL, LOCK}


def test_each_file_has_its_outputs_in_the_folders_of_the_inputs() -> None:
    assert run(csv=True, mot=True).ran == ["a.mp4", "b.mp4", "a.mp4"]
    kinds = ("annotated.mp4", "jsonl", "report.json", "csv", "txt")
    assert files() == {f"{name}.{kind}" for name in ("a", "b", "day/a") for kind in kinds}
    assert json.loads(Path("out/day/a.report.json").read_text())["state"] == "complete"
    assert ScriptedDetector.built == 1


def test_any_name_of_a_folder_is_a_folder() -> None:
    for name in ("50%", "%H", "{name}", "-o", "caf\udce9", "[1]"):
        Path("v", name).mkdir()
        shutil.copy("v/b.mp4", Path("v", name, "%d.mp4"))
    run(video=False)
    folders = {str(Path(name).parent) for name in files()}
    assert folders == {".", "day", "50_", "_H", "{name}", "-o", "caf\udce9", "[1]"}
    assert run(video=False).ran == []


def test_a_batch_that_is_done_does_nothing_more() -> None:
    run()
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    again = run()
    assert (again.ran, again.done, again.why) == ([], ["a.mp4", "b.mp4", "day/a.mp4"], {})
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")} == before
    assert ScriptedDetector.built == 1  # not loaded again


def change_input() -> None:
    write_video(Path("v/b.mp4"), frames=6)


def change_output() -> None:
    Path("out/b.jsonl").write_text("{}")


def remove_output() -> None:
    Path("out/b.annotated.mp4").unlink()


@pytest.mark.parametrize(("change", "why"), [(change_input, INPUT), (change_output, OUTPUTS), (remove_output, OUTPUTS)])
def test_a_file_that_changed_is_done_again(change: Callable[[], None], why: str) -> None:
    run()
    change()
    again = run()
    assert (again.ran, again.why) == (["b.mp4"], {why: 1})
    assert run().ran == []


def test_files_that_were_only_touched_or_moved_stay_done() -> None:
    run()
    for path in [*Path("v").rglob("*.mp4"), *Path("out").rglob("*")]:
        os.utime(path, (1, 1))
    assert run().ran == []
    Path("v").rename("moved")
    assert run(given=["moved/**/*.mp4"]).ran == []


@pytest.mark.parametrize(
    ("settings", "outputs"),
    [(["detector.min_score=0.5"], {}), (["output.crf=30"], {}), ([], {"csv": True}), ([], {"video": False})],
)
def test_other_settings_do_all_files_again(settings: list[str], outputs: dict[str, Any]) -> None:
    run()
    again = run(*settings, **outputs)
    assert (len(again.ran), again.why) == (3, {SETTINGS: 3})
    assert run(*settings, **outputs).ran == []


def test_settings_of_the_machine_change_no_output() -> None:
    run()
    assert run("detector.workers=3", "detector.offline=true", jobs=2).ran == []


def test_a_changed_model_file_does_all_files_again() -> None:
    name = f"detector.name={Path('boxes.txt').absolute()}"
    Path("boxes.txt").write_text("1,-1,10,10,20,20,0.9\n")
    run(name)
    assert run(name).ran == []
    Path("boxes.txt").write_text("1,-1,10,10,30,30,0.9\n")
    assert run(name).why == {SETTINGS: 3}


def test_a_new_file_is_done_alone() -> None:
    run()
    write_video(Path("v/c.mp4"), frames=3)
    again = run()
    assert (again.ran, again.why) == (["c.mp4"], {NEW: 1})


def test_a_broken_file_fails_alone_and_is_tried_again() -> None:
    Path("v/b.mp4").write_text("no video")
    for _ in range(2):
        kept = Kept()
        with pytest.raises(RunsFailed, match=r"1 of \d inputs failed: v/b.mp4"):
            run(kept=kept)
        assert "not a video" in kept.failed[0]
        assert {name.partition(".")[0] for name in files()} == {"a", "day/a"}
    assert kept.why == {FAILED: 1}
    write_video(Path("v/b.mp4"), frames=4)
    assert run().ran == ["b.mp4"]


def test_an_interrupted_file_leaves_nothing_and_is_done_last() -> None:
    kept = Kept()
    loaded = load_settings(None, ["detector.name=scripted"])
    batch_ends: list[Callable[[], None]] = []
    kept.in_run = lambda source: batch_ends[0]() if source == "v/a.mp4" else None
    batch = Batch(["v"], BatchOutputs(Path("out")), loaded, kept)
    with pytest.raises(Interrupted):
        batch.run(on_ready=batch_ends.append)
    assert files() == set()
    again = run()
    assert (again.ran, again.why) == (["b.mp4", "a.mp4", "a.mp4"], {NEW: 2, INTERRUPTED: 1})


def test_what_a_killed_program_left_is_removed() -> None:
    run()
    line = json.loads(Path("out", JOURNAL).read_text().splitlines()[0])
    assert (line["file"], line["state"]) == ("a.mp4", "begun")
    with Path("out", JOURNAL).open("a") as journal:
        journal.write(json.dumps(line) + "\n" + '{"file": "b.mp4", "sta')
    for name in (".a.0123abcd.partial.jsonl", ".a.annotated.0123abcd.partial.mp4", ".other.0123abcd.partial.jsonl"):
        Path("out", name).write_text("{}\n")
    again = run()
    assert (again.ran, again.why) == (["a.mp4"], {INTERRUPTED: 1})
    assert {name for name in files() if "partial" in name} == {".other.0123abcd.partial.jsonl"}
    assert not [name for name in files() if "-2" in name]


def test_files_of_others_are_not_replaced() -> None:
    Path("out").mkdir()
    Path("out/b.jsonl").write_text("mine")
    with pytest.raises(ConfigError, match=r"out/b.jsonl exists already; set overwrite"):
        run()
    assert files() == {"b.jsonl"}
    assert Path("out/b.jsonl").read_text() == "mine"
    run(overwrite=True)
    assert Path("out/b.jsonl").read_text() != "mine"
    assert run(overwrite=True).ran == []


def test_outputs_of_another_input_of_the_same_name_are_not_replaced() -> None:
    run(given=["v/day"])
    before = Path("out/a.jsonl").read_text()
    shutil.copytree("v/day", "v/tomorrow")
    write_video(Path("v/tomorrow/a.mp4"), frames=6)
    with pytest.raises(ConfigError, match=r"out/a.annotated.mp4, .* exist already; set overwrite"):
        run(given=["v/tomorrow"])
    assert Path("out/a.jsonl").read_text() == before
    assert run(given=["v/day"]).ran == []
    assert run(given=["v/tomorrow"], overwrite=True).ran == ["a.mp4"]


def test_inputs_that_are_done_under_other_names_are_told(caplog: pytest.LogCaptureFixture) -> None:
    run(given=["v/day"])
    run(given=["v/day"])
    assert caplog.messages == []
    run(given=["v"])
    (message,) = caplog.messages
    assert message.startswith("out: day/a.mp4 is done already, as a.mp4: names begin at the folder that all inputs")


def test_an_input_that_grows_while_it_is_read_is_no_success() -> None:
    kept = Kept()

    def grow(source: str) -> None:
        if source == "v/b.mp4":
            with Path(source).open("ab") as file:
                file.write(b"more")

    kept.in_run = grow
    with pytest.raises(RunsFailed):
        run(kept=kept)
    assert kept.failed == ["v/b.mp4 was changed while it was read; run the command again when it is complete"]
    assert run().ran == ["b.mp4"]


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (["v/b.avi"], [], "v/b.avi, v/b.mp4 would all write out/b.jsonl; rename one of them"),
        (["v/b.MP4"], [], "would all write out/b.annotated.mp4"),
        ([], ["outputs=[{to: 'http://127.0.0.1:1/'}]"], "http://127.0.0.1:1/ is no single file"),
        ([], ["outputs=[{to: '{name}-%H%M.mp4'}]"], "is no single file"),
        ([], ["outputs=[{to: all.csv}]"], "would all write"),
        ([], ["store.folder=events"], "store.folder is for one run at a time"),
        ([], ["metrics.address=':9090'"], "metrics.address is for one run at a time"),
        ([], ["detector.name=gone.onnx"], "gone.onnx"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    names: list[str], settings: list[str], message: str
) -> None:
    for name in names:
        write_video(Path(name), frames=2)
    with pytest.raises(StreamerError, match=message) as refused:
        run(*settings, jobs=2)
    assert refused.value.exit_code == 2
    assert not Path("out").exists()


def test_the_outputs_of_the_settings_replace_the_annotated_video() -> None:
    run("outputs=[{to: '{name}.mkv', crf: 30}]")
    assert files() == {f"{name}.{kind}" for name in ("a", "b", "day/a") for kind in ("mkv", "jsonl", "report.json")}


def test_several_jobs_write_what_one_writes() -> None:
    run()
    one = {name: Path("out", name).read_bytes() for name in files() if not name.endswith("report.json")}
    Path("out").rename("before")
    run(jobs=3)
    assert {name: Path("out", name).read_bytes() for name in one} == one


def test_a_hang_of_the_detector_fails_one_file() -> None:
    ScriptedDetector.errors[6] = DetectorHung("no answer")
    with pytest.raises(RunsFailed, match="1 of 3"):
        run()
    assert run().why == {FAILED: 1}


def test_a_journal_that_cannot_be_written_ends_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(SinkError, match=r"cannot write out/.streamer-batch.jsonl: No space left on device; free some"):
        run()
    assert files() == set()

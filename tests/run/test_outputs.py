"""The outputs of a run: those that were typed, those of the settings, and the default one."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.config.loading import load_settings
from streamer.config.output import OutputEntry
from streamer.errors import ConfigError
from streamer.run.output_paths import default_video_output
from streamer.run.outputs import Outputs
from tests.sinks.scenes import info


def entry(to: str, **settings: object) -> OutputEntry:
    return OutputEntry.model_validate({"to": to, **settings})


def test_typed_outputs_get_the_common_settings_and_listed_ones_their_own() -> None:
    settings = load_settings(None, ["output.crf=20", "outputs=[{to: b.mp4, crf: 30}, {to: c.mp4}]"])
    outputs = Outputs.of(settings, "clip.mp4", typed=["a.mp4"], jsonl=Path("a.jsonl"))
    found = [(one.to, one.crf, one.sink) for one in outputs.entries]
    assert found == [("a.mp4", 20, None), ("b.mp4", 30, None), ("c.mp4", None, None), ("a.jsonl", None, "jsonl")]


def test_events_of_a_live_source_need_no_rule() -> None:
    (only,) = Outputs.of(load_settings(None), "rtsp://camera/1", events=Path("e.jsonl")).entries
    assert only.sink == "events"
    for settings, source in (("never", "rtsp://camera/1"), ("live", "clip.mp4")):
        with pytest.raises(ConfigError, match="there is no rule to write events of"):
            Outputs.of(load_settings(None, [f"analytics.camera.when={settings}"]), source, events=Path("e.jsonl"))


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="an output has an empty name"):
        Outputs.of(load_settings(None), "clip.mp4", typed=["a.mp4", ""])


def test_a_run_without_any_output_writes_a_video() -> None:
    settings = load_settings(None, ["output.crf=20"])
    (only,) = Outputs.of(settings, "clip.mkv").entries
    assert (only.to, only.crf) == ("clip.annotated.mkv", 20)
    assert [one.to for one in Outputs.of(settings, "clip.mkv", show=True).entries] == ["window"]


@pytest.mark.parametrize("to", ["out.mp4", "rec/%H%M%S.mp4", "rtsp://me:swordfish@server/live?token=swordfish"])
def test_two_outputs_with_one_name_are_refused(to: str) -> None:
    with pytest.raises(ConfigError, match="two outputs have the same name") as caught:
        Outputs((entry(to), entry("other.mp4"), entry(to))).check("rtsp://camera/")
    assert "swordfish" not in str(caught.value)


def test_an_output_that_is_the_input_is_refused(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    (tmp_path / "link.mp4").symlink_to(clip)
    with pytest.raises(ConfigError, match="is the input"):
        Outputs((entry(str(tmp_path / "link.mp4")),)).check(str(clip))


def test_the_sinks_of_a_run_are_opened_in_order(tmp_path: Path) -> None:
    settings = load_settings(None)
    videos = (
        entry(f"{tmp_path}/a.mp4"),
        entry(f"{tmp_path}/%H.mp4"),
        entry("rtsp://127.0.0.1:9/a", required=True),
        entry("rtsp://127.0.0.1:9/b"),
    )
    others = Outputs.of(settings, "0", jsonl=tmp_path / "a.jsonl", mot=tmp_path / "a.txt", show=True).entries
    opened = Outputs((*videos, *others)).open_sinks(info(live=True), settings)
    sinks = opened.all
    assert [sink.stage for sink in sinks][-3:] == ["jsonl", "mot", "window"]
    assert opened.optional == [sinks[1], sinks[3]]
    assert opened.keep_all == [*sinks[:2], *sinks[4:6]]
    assert not sinks[-1].main_thread  # a window of a live run does not block it


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("rtsp://me:swordfish@camera/live?token=swordfish", "streamer.annotated.mp4"),
        ("0", "0.annotated.mp4"),
        ("lavfi:testsrc2", "streamer.annotated.mp4"),
    ],
)
def test_the_default_output_of_a_live_source_has_a_plain_name(source: str, name: str) -> None:
    assert default_video_output(source) == Path(name)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("folder/clip.mkv", "clip.annotated.mkv"),
        ("clip.m2ts", "clip.annotated.mp4"),
        ("हिन्दी में.mp4", "हिन्दी में.annotated.mp4"),
        ("कर्\u200cम.mp4", "कर्\u200cम.annotated.mp4"),
        ("Mu\u0308nchen ๑๒.mp4", "Mu\u0308nchen ๑๒.annotated.mp4"),
        ("caf\udce9.mp4", "caf\udce9.annotated.mp4"),
        ("100%d: *[x]?\n\x1b\u202e.mp4", "100d x.annotated.mp4"),
        ("lone \ud800.mp4", "lone.annotated.mp4"),
        ("...mp4", "streamer.annotated.mp4"),
        ("a" * 250 + ".mp4", "a" * 241 + ".annotated.mp4"),
        ("語" * 84 + ".mp4", "語" * 80 + ".annotated.mp4"),
        ("\udce9" * 251 + ".mp4", "\udce9" * 241 + ".annotated.mp4"),
        ("b" * 300 + ".mp4", "b" * 241 + ".annotated.mp4"),
    ],
)
def test_the_default_output_keeps_the_letters_of_the_name(source: str, name: str) -> None:
    assert default_video_output(source) == Path(name)


@pytest.mark.parametrize("source", ["0", "rtsp://me:swordfish@camera/live", "udp://@:5000"])
def test_a_live_source_needs_an_output(source: str) -> None:
    with pytest.raises(ConfigError, match="is live and never ends: name its output") as caught:
        Outputs.of(load_settings(None), source)
    assert "swordfish" not in str(caught.value)
    for remedy in (
        "-o rec/%Y%m%d-%H%M%S.mp4",
        "-o http://127.0.0.1:8080/",
        "-o boxes.csv",
        "show a window",
        "store.folder",
    ):
        assert remedy in str(caught.value)
    assert Outputs.of(load_settings(None), source, show=True).entries


@pytest.mark.parametrize("source", ["0", "rtsp://me:swordfish@camera/live"])
def test_a_live_source_whose_events_are_stored_needs_no_output(source: str) -> None:
    outputs = Outputs.of(load_settings(None, ["store.folder=kept"]), source)
    assert (outputs.files, outputs.by_default) == ([], False)
    clip = Outputs.of(load_settings(None, ["store.folder=kept"]), "clip.mp4")
    assert clip.files == [Path("clip.annotated.mp4")]


def test_a_file_that_is_played_in_real_time_has_a_default_output(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    assert Outputs.of(load_settings(None, ["source.live=true"]), str(clip)).files == [Path("clip.annotated.mp4")]


def test_the_folders_of_all_files_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outputs = Outputs.of(
        load_settings(None),
        "clip.mp4",
        typed=["a/b/out.mp4", "rec/%Y/%S.mp4"],
        csv=Path("tables/out.csv"),
        report=Path("reports/run.json"),
    )
    outputs.make_folders()
    assert {str(path) for path in Path().rglob("*")} == {"a", "a/b", "tables", "reports"}

"""The inputs that a command names, and the outputs of several inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from streamer.config.loading import load_settings
from streamer.errors import ConfigError, SourceUnavailable
from streamer.run.inputs import Inputs, PlannedRun, find_inputs, plan
from streamer.run.outputs import Outputs

SETTINGS = load_settings(None)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def planned(*sources: str, **outputs: Any) -> tuple[PlannedRun, ...]:
    return plan(Inputs(sources), SETTINGS.source, lambda source: Outputs.of(SETTINGS, source, **outputs)).runs


def written(runs: Sequence[PlannedRun]) -> list[str]:
    return [str(path) for run in runs for path in run.outputs.files]


def test_a_folder_of_videos_is_all_its_videos_in_natural_order() -> None:
    touch("v/c10.mp4", "v/c2.MKV", "v/.hidden.mp4", "v/notes.txt", "v/sub/deep.mp4")
    assert find_inputs(["v"]).sources == ("v/c2.MKV", "v/c10.mp4")
    assert find_inputs(["v/*.mp4"]).sources == ("v/c10.mp4",)
    assert find_inputs(["v/**/*.mp4"]).sources == ("v/c10.mp4", "v/sub/deep.mp4")


@pytest.mark.parametrize(
    "given", ["p", "p/*.png", "p/img%d.png", "empty", "rtsp://a/[b]", "lavfi:color[out0]", "gone*"]
)
def test_a_folder_or_pattern_without_videos_stays_one_input(given: str) -> None:
    touch("p/img1.png", "p/img2.png")
    Path("empty").mkdir()
    assert find_inputs([given]) == Inputs((given,))


def test_pictures_beside_videos_are_left_out_with_a_note() -> None:
    touch("m/a.mp4", "m/1.jpg", "m/2.jpg")
    found = find_inputs(["m"])
    assert found.sources == ("m/a.mp4",)
    assert found.notes == (
        "m: the videos are read, but not the 2 pictures in it; for those give a pattern such as *.jpg",
    )


def test_outputs_of_earlier_runs_are_left_out() -> None:
    touch("a.mp4", "a.annotated.mp4", "b.mkv", "b.annotated.mkv")
    for given in (["."], ["a.mp4", "a.annotated.mp4", "b.mkv", "b.annotated.mkv"], ["*.m*"]):
        found = find_inputs(given)
        assert [Path(source).name for source in found.sources] == ["a.mp4", "b.mkv"]
        assert "left out" in found.notes[0]
        assert "a.annotated.mp4" in found.notes[0]


def test_outputs_only_are_refused() -> None:
    touch("v/a.annotated.mp4", "v/b.annotated.mp4")
    with pytest.raises(SourceUnavailable, match="earlier run"):
        find_inputs(["v"])
    with pytest.raises(SourceUnavailable, match="earlier run"):
        find_inputs(["v/a.annotated.mp4", "v/b.annotated.mp4"])


def test_an_output_alone_needs_a_name_for_its_own_output() -> None:
    touch("a.annotated.mp4")
    assert find_inputs(["a.annotated.mp4"]).sources == ("a.annotated.mp4",)
    with pytest.raises(ConfigError, match="output of an earlier run"):
        Outputs.of(SETTINGS, "a.annotated.mp4")
    assert Outputs.of(SETTINGS, "a.annotated.mp4", typed=["b.mp4"]).files == [Path("b.mp4")]


def test_an_input_that_is_named_twice_runs_once() -> None:
    touch("v/a.mp4", "v/b.mp4")
    assert find_inputs(["v/b.mp4", "v", "./v/b.mp4"]).sources == ("v/b.mp4", "v/a.mp4")


def test_each_input_gets_its_own_outputs_in_the_folder() -> None:
    touch("a.mp4", "x/b.mov")
    runs = planned("a.mp4", "x/b.mov", out_dir=Path("out"))
    assert written(runs) == ["out/a.annotated.mp4", "out/b.annotated.mov"]
    files = {"typed": ["{name}.mkv"], "jsonl": Path("text/{folder}-{name}.jsonl"), "report": Path("/r/{name}.json")}
    runs = planned("a.mp4", "x/b.mov", out_dir=Path("out"), **files)
    assert written(runs)[3:] == ["out/b.mkv", "out/text/x-b.jsonl", "/r/b.json"]
    assert {str(folder) for folder in runs[1].outputs.folders} == {"out", "out/text", "/r"}


def test_the_outputs_of_the_settings_are_named_after_the_input_too() -> None:
    settings = load_settings(None, ["outputs=[{to: 'x/{name}.mkv'}, {to: w, sink: window}]"])
    outputs = Outputs.of(settings, "clip.mp4", out_dir=Path("out"))
    assert [entry.to for entry in outputs.entries] == ["out/x/clip.mkv", "w"]


@pytest.mark.parametrize("name", ["all.mp4", "all.m3u8", "all-%H%M.mp4", "all/", "all-%d.jpg", "all.csv"])
def test_one_name_for_all_inputs_is_refused_with_the_remedy(name: str) -> None:
    touch("a.mp4", "b.mp4", "c.mp4")
    with pytest.raises(ConfigError, match=r"a.mp4, b.mp4, c.mp4 would all write all.*; put \{name\} into"):
        planned("a.mp4", "b.mp4", "c.mp4", typed=[name])


@pytest.mark.parametrize("option", [{"jsonl": Path("all.jsonl")}, {"report": Path("all.json")}])
def test_one_data_file_for_all_inputs_is_refused(option: dict[str, Any]) -> None:
    touch("a.mp4", "b.mp4", "c.mp4")
    with pytest.raises(ConfigError, match=r"a.mp4, b.mp4, c.mp4 would all write all\.\w+; put \{name\} into"):
        planned("a.mp4", "b.mp4", "c.mp4", **option)


def test_an_address_or_a_device_may_be_shared() -> None:
    touch("a.mp4", "b.mp4")
    assert len(planned("a.mp4", "b.mp4", typed=["rtsp://server/live"], show=True)) == 2
    assert len(planned("a.mp4", "b.mp4", jsonl=Path("/dev/null"))) == 2


def test_inputs_with_one_name_are_refused_before_they_run() -> None:
    touch("a/x.mp4", "b/x.mp4", "c.mp4")
    with pytest.raises(
        ConfigError, match=r"a/x.mp4, b/x.mp4 would all write x.annotated.mp4; .*\{folder\}-\{name\}.mp4"
    ):
        planned("a/x.mp4", "b/x.mp4", "c.mp4")
    assert written(planned("a/x.mp4", "b/x.mp4", typed=["{folder}-{name}.mp4"])) == ["a-x.mp4", "b-x.mp4"]


def test_outputs_that_exist_are_listed_before_the_first_run() -> None:
    touch("a.mp4", "b.mp4", "a.annotated.mp4", "b.annotated.mp4")
    with pytest.raises(ConfigError, match=r"a.annotated.mp4, b.annotated.mp4 exist already; set overwrite"):
        planned("a.mp4", "b.mp4")
    assert len(planned("a.mp4", "b.mp4", overwrite=True)) == 2


def test_the_output_of_another_input_is_no_input() -> None:
    touch("a.mp4", "a-boxes.mp4")
    inputs = Inputs(("a.mp4", "a-boxes.mp4"))
    found = plan(
        inputs, SETTINGS.source, lambda source: Outputs.of(SETTINGS, source, typed=["{name}-boxes.mp4"], overwrite=True)
    )
    assert [run.source for run in found.runs] == ["a.mp4"]
    assert found.notes == ("left out, because another input writes it: a-boxes.mp4",)


def test_an_input_that_would_be_its_own_output_is_refused() -> None:
    touch("a.mp4", "b.mp4")
    with pytest.raises(ConfigError, match="is the input"):
        planned("a.mp4", "b.mp4", typed=["{name}.mp4"], overwrite=True)


@pytest.mark.parametrize("live", ["0", "/dev/video0", "rtsp://me:swordfish@camera/live", "udp://@:5000"])
def test_a_live_source_among_several_inputs_is_refused(live: str) -> None:
    touch("a.mp4")
    with pytest.raises(ConfigError, match="is live and never ends") as caught:
        planned("a.mp4", live)
    assert "swordfish" not in str(caught.value)


def test_pictures_go_into_one_folder_under_their_own_names() -> None:
    touch("p/a.jpg", "p/b.png", "q/c.ppm")
    runs = planned("p/a.jpg", "p/b.png", "q/c.ppm", typed=["shots/"])
    assert written(runs) == ["shots/a.jpg", "shots/b.png", "shots/c.png"]


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("p/a.jpg", "a.annotated.jpg"),
        ("p/b.ppm", "b.annotated.png"),
        ("p", "p.annotated/"),
        ("p/*.jpg", "p.annotated/"),
        ("p/a%d.jpg", "p.annotated/"),
        ("clip.mkv", "clip.annotated.mkv"),
        ("anim.gif", "anim.annotated.mp4"),
        ("missing.jpg", "missing.annotated.mp4"),
    ],
)
def test_pictures_become_pictures_and_videos_become_videos(source: str, output: str) -> None:
    touch("p/a.jpg", "p/b.ppm", "p/a1.jpg", "clip.mkv", "anim.gif")
    assert [entry.to for entry in Outputs.of(SETTINGS, source).entries] == [output]


def test_pictures_with_a_frame_rate_become_a_video() -> None:
    touch("p/a.jpg")
    assert Outputs.of(load_settings(None, ["source.fps=30"]), "p").files == [Path("p.annotated.mp4")]

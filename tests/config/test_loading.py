"""Settings: the order of priority, and errors that name the path and the nearest valid name."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamer.config.loading import load_settings
from streamer.config.settings import Settings
from streamer.errors import ConfigError
from streamer.registry import SINKS, SOURCES
from streamer.run.trackers import build_tracker
from streamer.sinks.selection import sink_class
from tracking.types import Detections

CONFIGS = Path(__file__).parents[2] / "configs"
RUNS = sorted(file for file in CONFIGS.glob("*.yaml") if file.name != "site.yaml")
DIFFERENT = {
    "webcam.yaml": {"source.uri"},
    "rtsp.yaml": {"source.uri", "source.retry_at_start", "detector.classes", "detector.on_hang", "outputs"},
}
CANARY = "swordfish"


@pytest.fixture(autouse=True)
def no_login_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER", "PASSWORD", "PASSWORD_FILE"):
        monkeypatch.delenv(f"STREAMER_SOURCE_{name}", raising=False)


def test_options_override_the_file_and_the_file_overrides_defaults(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("detector:\n  every: 3\n  min_score: 0.5\noutput:\n  crf: 20\n")
    settings = load_settings(file, ["output.crf=30"], {"detector.every": 2, "detector.min_score": None})
    assert settings.detector.every == 2
    assert settings.detector.min_score == 0.5
    assert settings.output.crf == 30
    assert settings.draw.boxes is True


def test_assignments_are_read_as_yaml() -> None:
    settings = load_settings(None, ["draw.hud=true", "detector.classes=[Car, Person]", "output.options.g=12"])
    assert settings.draw.hud is True
    assert settings.detector.classes == ("Car", "Person")
    assert settings.output.options == {"g": "12"}


@pytest.mark.parametrize(("given", "exact"), [("30000/1001", "30000/1001"), ("29.97", "2997/100"), ("25", "25")])
def test_frame_rates_are_exact(given: str, exact: str) -> None:
    assert load_settings(None, [f"source.fps={given}"]).source.fps == Fraction(exact)


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("detector.min_scor=1", "detector.min_scor: no such setting; did you mean min_score"),
        ("detectr.every=1", "detectr: no such setting; did you mean detector"),
        ("output.crf=abc", "output.crf"),
        ("detector.every=0", "detector.every: give a whole number from 1 to 300, or auto"),
        ("detector.every=often", "detector.every: give a whole number from 1 to 300, or auto"),
        ("detector.max_gap_s=0", "detector.max_gap_s"),
        ("tracker.name=iuo", "did you mean iou"),
        ("output.pixel_format=yuv402p", "output.pixel_format: no pixel format 'yuv402p'; did you mean .*yuv420p"),
        ("output.pixel_format=sauce", "output.pixel_format: no pixel format 'sauce'; did you mean source?"),
        ("output.pixel_format=8bit", "give auto, source or a name such as yuv420p"),
        ("output.options={pix_fmt: yuv402p}", "output.pixel_format: no pixel format 'yuv402p'; did you mean .*yuv420p"),
        ("source.fps=fast", "source.fps: a frame rate looks like"),
        ("source.fps=1/0", "source.fps: a frame rate looks like"),
        ("source.fps=-3", "source.fps"),
        ("draw", "key.path=value"),
        ("draw.hud=[", "not a YAML value"),
        ("detector.every.deep=1", "detector.every"),
    ],
)
def test_an_invalid_setting_is_reported_with_its_path(assignment: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected.replace("[", r"\[")) as caught:
        load_settings(None, [assignment])
    assert "\n" not in str(caught.value)


def test_assignments_change_entries_of_a_list(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("outputs: [{to: a.mp4}, {to: b.mp4, crf: 30}]\n")
    assert [one.crf for one in load_settings(file, ["outputs.0.crf=20"]).outputs] == [20, 30]
    with pytest.raises(ConfigError, match=r"outputs\.2\.crf: no entry '2'; the list has 2, counted from 0"):
        load_settings(file, ["outputs.2.crf=20"])
    with pytest.raises(ConfigError, match=r"outputs: give a list such as \[{to: out.mp4"):
        load_settings(None, ["outputs.1.segment_s=60"])


@pytest.mark.parametrize("content", ["- a list", "detector: [", "\xff\xfe"])
def test_an_invalid_file_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        load_settings(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*none\.yaml"):
        load_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize("file", RUNS, ids=lambda path: path.name)
def test_the_example_configurations_change_only_necessary_defaults(file: Path) -> None:
    chosen, defaults = load_settings(file).model_dump(), Settings().model_dump()
    sections = {name: value if isinstance(value, dict) else {"": value} for name, value in chosen.items()}
    different = {
        f"{name}.{key}".strip(".")
        for name, section in sections.items()
        for key, value in section.items()
        if value != (defaults[name][key] if key else defaults[name])
    }
    assert different == DIFFERENT.get(file.name, set())


def test_the_camera_example_has_its_outputs() -> None:
    recording, images = load_settings(CONFIGS / "rtsp.yaml").outputs
    assert (sink_class(recording), recording.keep_days) == (SINKS["recording"], 14)
    assert (sink_class(images), images.max_fps) == (SINKS["mjpeg"], 10)


def test_pix_fmt_sets_the_pixel_format() -> None:
    for given, expected in (
        ([], "auto"),
        (["output.pixel_format=gray"], "gray"),
        (["output.options={pix_fmt: yuv444p, g: 5}"], "yuv444p"),
        (["output.options={pix_fmt: yuv444p, g: 5}", "output.pixel_format=yuv444p"], "yuv444p"),
        (["output.options={pix_fmt: yuv444p, g: 5}", "output.pixel_format=auto"], "yuv444p"),
    ):
        output = load_settings(None, given).output
        assert output.pixel_format == expected
        assert output.options == ({"g": "5"} if len(given) and "pix_fmt" in given[0] else {})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("outputs: [{to: a.mp4, qualty: 3}]", "outputs.0.qualty: no such setting; did you mean quality?"),
        (
            "outputs: [{to: a.mp4, pixel_format: yuv44p}]",
            "outputs.0.pixel_format: no pixel format 'yuv44p'; did you mean",
        ),
        (
            "outputs: [{to: a.mp4, pixel_format: yuv444p, options: {pix_fmt: yuv420p}}]",
            "outputs.0: options.pix_fmt and pixel_format name two formats; give pixel_format alone",
        ),
        ("outputs: [{to: a.mp4}, {too: b.mp4}]", "outputs.1.to: field required"),
        ("outputs: [{to: a.mp4, required: maybe}]", "outputs.0.required: input should be a valid boolean"),
        ("outputs: {to: a.mp4}", "outputs: give a list such as [{to: out.mp4, crf: 23}, "),
        ("outputs: [a.mp4]", "outputs.0: an output looks like {to: out.mp4, crf: 23} (got 'a.mp4')"),
        ("detector: starter", "detector: give the settings of this section below it, such as {name: starter}"),
        ("detector: 3", "detector: give the settings of this section below it (name, sha256, offline, ...)"),
        ("tracker: {name: iuo}", "tracker.name: no tracker 'iuo'; did you mean iou?"),
        ("source: {transport: tpc}", "source.transport: input should be 'tcp', 'udp' or 'prefer_tcp'"),
        ("source: {stall_s: 0.1}", "source.stall_s"),
        ("source: {jitter_ms: abc}", "source.jitter_ms: give auto, or 0 to 10000 milliseconds"),
        ("source: {jitter_ms: -1}", "source.jitter_ms: give auto, or 0 to 10000 milliseconds"),
        ("source: {size: large}", "source.size"),
        ("overlay: later", "overlay: input should be 'auto', 'now', 'detected' or 'delayed'"),
        ("outputs: [{to: ''}]", "outputs.0.to"),
    ],
)
def test_an_invalid_setting_in_a_file_is_reported_with_its_path(tmp_path: Path, content: str, expected: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        f"source: rtsp://me:{CANARY}@camera/",
        f"outputs: [rtsp://me:{CANARY}@server/]",
        f"source: {{password: [{CANARY}]}}",
        f"source: {{pasword: {CANARY}}}",
        f"source: {{options: rtsp://me:{CANARY}@camera/}}",
    ],
)
def test_errors_of_settings_contain_no_password(tmp_path: Path, content: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert CANARY not in str(caught.value)


def test_the_text_of_the_settings_contains_no_password() -> None:
    settings = load_settings(None, [f"source.password={CANARY}"])
    assert CANARY not in f"{settings!r} {settings}"
    assert settings.source.login()[1] == CANARY


def test_the_environment_supplies_a_missing_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAMER_SOURCE_USER", "me")
    monkeypatch.setenv("STREAMER_SOURCE_PASSWORD", CANARY)
    assert load_settings(None).source.login() == ("me", CANARY)
    assert load_settings(None, ["source.user=you", "source.password=other"]).source.login() == ("you", "other")
    monkeypatch.delenv("STREAMER_SOURCE_PASSWORD")
    (tmp_path / "password").write_text("in a file\n")
    monkeypatch.setenv("STREAMER_SOURCE_PASSWORD_FILE", str(tmp_path / "password"))
    assert load_settings(None).source.login()[1] == "in a file"


@pytest.mark.parametrize("content", [b"pass word \nanother line", b"pass word \r\n", b"pass word "])
def test_the_first_line_of_a_password_file_is_the_password(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "password").write_bytes(content)
    settings = load_settings(None, [f"source.password_file={tmp_path / 'password'}"])
    assert settings.source.login()[1] == "pass word "


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"\xff\xfe", "is no text")])
def test_an_unreadable_password_file_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"source\.password_file: cannot read {re.escape(str(file))}: {reason}"):
        load_settings(None, [f"source.password_file={file}"]).source.login()


def test_source_settings_have_derived_values() -> None:
    assert load_settings(None, ["source.size=1280x720"]).source.frame_size == (1280, 720)
    assert load_settings(None).source.frame_size is None


@pytest.mark.parametrize("given", ["0", "'0'", "camera:0"])
def test_a_camera_number_is_a_source(given: str) -> None:
    assert load_settings(None, [f"source.uri={given}"]).source.uri == given.strip("'")


def test_an_unknown_tracker_option_suggests_the_nearest_name() -> None:
    settings = load_settings(None, ["tracker.options.memroy_s=2"])
    with pytest.raises(ConfigError, match=r"tracker\.options\.memroy_s: no such option; did you mean memory_s"):
        build_tracker(settings.tracker)


def test_the_tracker_connects_rare_detections() -> None:
    one = Detections(np.array([[10, 10, 60, 60]]), np.array([0.9]), np.array([1]))
    for interval_s in (0.04, 3.0):
        tracker = build_tracker(load_settings(None).tracker, detection_interval_s=interval_s)
        seen = [tracker.update(one, index * interval_s).ids.tolist() for index in range(5)]
        assert seen[-1] == seen[-2] == [1]


def test_ffmpeg_options_may_be_numbers_and_booleans(tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("source: {options: {reorder_queue_size: 500, overrun_nonfatal: true, headers: 'X: 1'}}")
    options = load_settings(config).source.options
    assert options == {"reorder_queue_size": "500", "overrun_nonfatal": "1", "headers": "X: 1"}
    assert load_settings(None, ["source.options.timeout=1.5"]).source.options == {"timeout": "1.5"}


def test_settings_of_a_feature_that_is_not_installed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"extensions: .* feature 'my_camra'; there is none"):
        load_settings(None, ["extensions.my_camra.gain=2"])
    monkeypatch.setattr(SOURCES, "_registered", {"my_camera": object})
    with pytest.raises(ConfigError, match=r"extensions: .* feature 'my_camra'; did you mean my_camera\?"):
        load_settings(None, ["extensions.my_camra.gain=2"])
    assert load_settings(None, ["extensions.my_camera.gain=2"]).extensions == {"my_camera": {"gain": 2}}


def test_a_key_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("detector: {name: starter}\noutputs:\n  - {to: a.mp4, crf: 20, crf: 30}\n")
    with pytest.raises(ConfigError, match=r"\(line 3: 'crf' is given twice; the first is in line 3\)"):
        load_settings(config)
    config.write_text("detector: {name: starter}\n\ndetector: {every: 2}\n")
    with pytest.raises(ConfigError, match=r"\(line 3: 'detector' is given twice; the first is in line 1\)"):
        load_settings(config)


def test_a_key_may_replace_one_of_an_anchor(tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("outputs:\n  - &first {to: a.mp4, crf: 20}\n  - {<<: *first, to: b.mp4}\n")
    assert [(one.to, one.crf) for one in load_settings(config).outputs] == [("a.mp4", 20), ("b.mp4", 20)]


@pytest.mark.parametrize("content", ["outputs: [{to: {name}.mp4}]\n", "outputs:\n  - to: {camera}.jsonl\n"])
def test_a_placeholder_without_quotes_is_explained(tmp_path: Path, content: str) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text(content)
    with pytest.raises(ConfigError, match=r"put quotes around a name with \{camera\}"):
        load_settings(config)


def test_a_run_does_not_take_the_settings_of_a_site() -> None:
    with pytest.raises(ConfigError, match=r"site\.yaml: a run has one source; for several .* use 'streamer serve'"):
        load_settings(CONFIGS / "site.yaml")


def test_a_tab_in_the_settings_is_named(tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("detector:\n\tname: starter\n")
    with pytest.raises(ConfigError, match=r"\(line 2: found character .* that cannot start any token"):
        load_settings(str(config))


@pytest.mark.parametrize("word", ["auto", "on", "off"])
def test_on_and_off_need_no_quotes(word: str, tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text(f"source:\n  deinterlace: {word}\n")
    assert load_settings(config).source.deinterlace == word
    assert load_settings(None, [f"source.deinterlace={word}"]).source.deinterlace == word

"""`streamer check`: every mistake of a file on one line, and what a valid file means."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.cli.program import Program, Result
from tests.clips import write_video
from tests.config.test_loading import CONFIGS

CANARY = "swordfish"


@pytest.fixture
def clip(program: Program) -> Path:
    (program.folder / "det.txt").write_text("1,-1,10,10,20,20,0.9,-1,-1,-1\n")
    return write_video(program.folder / "clip.mp4", frames=5)


def check(program: Program, text: str, *options: str) -> Result:
    """The result for a file with this text. Nothing may be written."""
    (program.folder / "site.yaml").write_text(text)
    before = program.files()
    result = program("check", "--config", "site.yaml", *options, columns=80)
    assert program.files() == before
    assert "Traceback" not in result.errors
    return result


def errors_of(result: Result) -> list[str]:
    """The messages, one a line."""
    return [line.removeprefix("error: ") for line in result.errors.splitlines()]


SITE = """
detector: {name: det.txt}
detectors: {spare: {name: starter}}
cameras:
  front: {source: {uri: clip.mp4, live: true}, outputs: [{to: "{camera}.jsonl"}]}
  yard: {source: {uri: "rtsp://me:swordfish@192.0.2.10/1"}, outputs: [{to: "rec/{camera}-%H.mp4"}, {to: yard.txt}, {to: "rtmp://me:swordfish@192.0.2.20/live/swordfish"}]}
  gate: camera:0
"""


@pytest.mark.usefixtures("clip")
def test_a_valid_site_is_described(program: Program) -> None:
    result = check(program, SITE)
    assert (result.code, result.errors) == (0, "")
    assert result.output.splitlines() == [
        "front  clip.mp4 -> front.jsonl",
        "yard   rtsp://192.0.2.10/1 -> rec/yard-%H.mp4, yard.txt, rtmp://192.0.2.20/live/***",
        "gate   camera:0, no outputs",
        "detector: detections of det.txt, policy gain, for front, yard, gate",
        "detectors.spare: no camera uses it",
        "site.yaml: valid settings of 3 cameras",
    ]


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.yaml")))
def test_every_example_is_valid(program: Program, name: str) -> None:
    result = program("check", "--config", CONFIGS / name)
    assert (result.code, result.errors) == (0, "")
    assert result.output.splitlines()[-1].endswith("3 cameras" if name == "site.yaml" else "one run")


@pytest.mark.usefixtures("clip")
def test_every_mistake_of_every_camera_is_told(program: Program) -> None:
    (program.folder / "file").write_text("")
    settings = [
        "cameras.front.source.uri=missing.mp4",
        "cameras.front.outputs.0.to=file/out.mp4",
        "cameras.front.tracker.options.iou_mn=1",
        "cameras.yard.source.password_file=missing.txt",
        "cameras.yard.outputs.1.to=yard.txt",
        "cameras.gate.draw.annotators=[boxs]",
        "cameras.gate.outputs=[{to: yard.txt}]",
        "metrics.address=here",
    ]
    result = check(program, SITE, *(word for one in settings for word in ("--set", one)))
    assert result.code == 2
    assert result.output == ""
    found = errors_of(result)
    for number, begin in enumerate(
        [
            "cameras.gate.outputs.0.to: yard.txt is an output of camera yard; put {camera} into the name, or choose",
            "metrics.address: metrics address 'here': write HOST:PORT",
            "cameras.front.source.uri: missing.mp4: no such file",
            "cameras.front.tracker.options.iou_mn: no such option; did you mean iou_min?",
            "cameras.front.outputs.0.to: file/out.mp4 cannot be written: ",
            "cameras.yard.source.password_file: cannot read missing.txt: No such file",
            "cameras.gate.draw.annotators: no annotator 'boxs'; did you mean boxes?",
        ]
    ):
        assert found[number].startswith(begin)
    assert len(found) == 7
    assert CANARY not in result.errors


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ("detector.name=nanodt", "detector: no detector 'nanodt'; did you mean nanodet?"),
        ("detector.name=missing.onnx", "detector: there is no missing.onnx"),
        (
            "detector={name: nanodet, classes: [Prson]}",
            "detector.classes: no class 'Prson' in this detector; did you mean Person",
        ),
        (
            "cameras.gate.detector={name: small, classes: [Prson]}",
            "cameras.gate.detector.classes: no class 'Prson' in this detector; did you mean Person",
        ),
        (
            "cameras.gate={source: {uri: 0}, detector: small, analytics: {presence: [{name: a, classes: [Caat]}]}}",
            "cameras.gate.analytics.presence.0.classes: no class 'Caat' in this detector; did you mean Cat",
        ),
        (
            "cameras.gate={source: {uri: 0}, detector: smal}",
            "cameras.gate.detector.name: no entry 'smal' in detectors; ",
        ),
    ],
)
def test_a_wrong_detector_is_told_once(program: Program, setting: str, error: str) -> None:
    result = check(program, SITE.replace("spare: {name: starter}", "small: {name: nanodet}"), "--set", setting)
    assert result.code == 2
    (found,) = errors_of(result)
    assert found.startswith(error)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "cameras:\n  a: 0\n  a: 1\n",
            "site.yaml is not valid YAML (line 3: 'a' is given twice; the first is in line 2)",
        ),
        ("cameras: {}\nweb: {address: null}\n", "cameras: there is no camera, and no page to add one; give at least "),
        ("cameras: []\n", "cameras: there is no camera; give at least one, such as front: {source: "),
        ("tracker: {name: iuo}\n", "tracker.name: no tracker 'iuo'; did you mean iou?"),
        ("outputs: [{to: a.mp4}, {to: a.mp4}]\n", "two outputs have the same name a.mp4"),
        ("outputs: [{to: 'udp://192.0.2.1'}]\n", "outputs.0.to: udp://192.0.2.1: the port is missing"),
        ("source: {uri: missing.mp4}\n", "source.uri: missing.mp4: no such file"),
    ],
)
def test_a_wrong_file_is_refused(program: Program, text: str, error: str) -> None:
    result = check(program, text)
    assert result.code == 2
    (found,) = errors_of(result)
    assert found.startswith(error)


EVENTS = """
detector: {name: det.txt}
cameras: {front: {source: {uri: clip.mp4}}}
"""
TARGETS = """
notify:
  targets:
    hook: {type: webhook, url: "https://example.com/${NO_SUCH_NAME}"}
    home: {type: mqtt, url: "mqtt://127.0.0.1:1", user: me, password: "${file:nowhere}"}
"""


@pytest.mark.usefixtures("clip")
def test_every_mistake_of_events_and_targets_is_told(program: Program) -> None:
    result = check(program, EVENTS + TARGETS)
    assert result.code == 2
    hook, home, store = errors_of(result)
    assert hook.startswith("notify.targets.hook.url: the environment has no variable NO_SUCH_NAME")
    assert home.startswith("notify.targets.home.password: cannot read nowhere")
    assert store.startswith("notify.targets: ")
    (program.folder / "kept").write_bytes(b"a file")
    result = check(program, f"{EVENTS}store: {{folder: kept/events}}\n")
    assert result.code == 2
    assert errors_of(result) == [f"store.folder: {program.folder}/kept is no folder; choose another one"]


@pytest.mark.usefixtures("clip")
def test_a_valid_file_says_where_events_go(program: Program) -> None:
    target = "notify: {targets: {hook: {type: webhook, url: 'https://example.com/'}}}\n"
    result = check(program, f"{EVENTS}{target}store: {{folder: kept}}\n")
    assert result.code == 0, result.errors
    assert "events: kept, told to hook (webhook)" in result.output.splitlines()


@pytest.mark.usefixtures("clip")
def test_names_in_targets_that_do_not_exist_are_told(program: Program) -> None:
    hook = "hook: {type: webhook, url: 'https://example.com/', cameras: [frnt, front], rules: [camera, gate]}"
    result = check(program, f"{EVENTS}store: {{folder: kept}}\nnotify: {{targets: {{{hook}}}}}\n")
    assert result.code == 0, result.errors
    warnings = [line for line in result.output.splitlines() if line.startswith("warning: ")]
    assert warnings[0] == "warning: notify.targets.hook.cameras: no camera 'frnt'; did you mean front?"
    assert warnings[1].startswith("warning: notify.targets.hook.rules: no rule 'gate'")


@pytest.mark.usefixtures("clip")
def test_the_output_of_a_run_that_names_none_is_told(program: Program) -> None:
    detector = "detector: {name: det.txt}\n"
    result = check(program, f"source: {{uri: clip.mp4}}\n{detector}")
    assert result.output.splitlines()[0] == "clip.mp4 -> clip.annotated.mp4 (no output is named)"
    result = check(program, f"source: {{uri: 'rtsp://192.0.2.10/1'}}\n{detector}")
    assert result.output.splitlines()[0] == "rtsp://192.0.2.10/1, no outputs"


def test_a_misspelled_section_of_cameras_is_recognised(program: Program) -> None:
    result = check(program, "camera: {front: 0}\n")
    assert result.code == 2
    assert "error: camera: no such setting; did you mean cameras?\n" in result.errors


@pytest.mark.usefixtures("clip")
def test_connect_says_what_each_source_sends(program: Program) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # does not listen
        address = f"rtsp://me:{CANARY}@127.0.0.1:{closed.getsockname()[1]}/1"
        result = check(program, SITE, "--connect", "--set", f"cameras={{front: clip.mp4, yard: '{address}'}}")
    assert result.code == 1
    front, yard = result.output.splitlines()[-2:]
    assert front == "front  160x120, 25 fps, h264"
    assert yard.startswith("yard   rtsp://127.0.0.1:")
    assert "no server listens at that port" in yard
    assert errors_of(result) == ["1 of 2 sources cannot be opened"]
    assert CANARY not in result.output


@pytest.mark.usefixtures("clip")
def test_connect_opens_the_source_of_a_run(program: Program) -> None:
    result = check(
        program, "source: {uri: clip.mp4}\noutputs: [{to: out.mp4}]\ndetector: {name: det.txt}\n", "--connect"
    )
    assert (result.code, result.errors) == (0, "")
    assert result.output.splitlines() == [
        "clip.mp4 -> out.mp4",
        "detector: detections of det.txt",
        "site.yaml: valid settings of one run",
        "clip.mp4  160x120, 25 fps, h264",
    ]


def test_a_site_without_cameras_is_valid(program: Program) -> None:
    """Its page adds the first one."""
    result = check(program, "cameras: {}\n")
    wanted = """\
no cameras; add some on the page of 'streamer serve' (127.0.0.1:8080)
site.yaml: valid settings of 0 cameras
"""
    assert (result.code, result.output, result.errors) == (0, wanted, "")


@pytest.mark.usefixtures("clip")
def test_serve_refuses_what_check_refuses(program: Program) -> None:
    (program.folder / "site.yaml").write_text(SITE)
    before = program.files()
    options = ["--set", "cameras.gate.outputs=[{to: yard.txt}, {to: -}]"]
    results = [program(*words, "--config", "site.yaml", *options) for words in (["check"], ["serve"])]
    assert program.files() == before
    for result in results:
        assert (result.code, result.output) == (2, "")
        assert [line.partition(": ")[2].partition(":")[0] for line in result.errors.splitlines()] == [
            "cameras.gate.outputs.0.to",
            "cameras.gate.outputs.1.to",
        ]

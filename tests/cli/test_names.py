"""Any legal name works as input and output; an invalid name gives one error line and exit code 2."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest
from typer.testing import CliRunner

from streamer.cli.program import app
from tests.cli.program import DEADLINE_S, MAIN, Program, Result
from tests.clips import write_video

FRAMES = 5
LONG = "b" * 300
DETECTIONS = "1,-1,10,10,20,20,0.9,-1,-1,-1\n"
# Names of one path component. In the name of an output, % starts a time field and : ends the scheme of an address.
NAMES = {
    "255 bytes": "a" * 251,
    "255 bytes, two a letter": "ü" * 125,
    "not UTF-8": os.fsdecode(b"caf\xe9 \xff"),
    "escape sequences": "e\x1b[31mvil\x1b]0;title\x07 \x9b2J",
    "line ends and controls": "two\nlines\r\t\x08\x7f",
    "marks of direction": "gpj.\u202eexe\u2066",
    "looks like an option": "-o",
    "looks like a pattern": "shot*[1-9]?{a,b}",
    "looks like an address": "rtsp:cam@home",
    "spaces and dots": " . clip . . ",
    "quotes and markup": "'\"[bold red]`$(x)\\ :smile: <&>",
}
UNSHOWN = [chr(code) for code in (*range(9), *range(11, 32), 0x7F, *range(0x80, 0xA0), 0x202E, 0x2066)]


class InProcess(Program):
    """The program in this process, which starts faster."""

    def __call__(self, *arguments: str | Path, columns: int = 200) -> Result:  # noqa: ARG002
        """Run to the end."""
        done = CliRunner().invoke(app, [*map(str, arguments)])
        return Result(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def quick(program: Program, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    """The program in this process, in the same folder."""
    monkeypatch.chdir(program.folder)
    return InProcess(program.folder)


@pytest.fixture
def clip(program: Program) -> Path:
    (program.folder / "det.txt").write_text(DETECTIONS)
    return write_video(program.folder / "clip.mp4", frames=FRAMES)


def count(path: Path) -> int:
    with av.open(f"file:{path}") as container:
        return sum(1 for _ in container.decode(video=0))


def check_shown(text: str) -> None:
    """The text does not move the cursor of a terminal and hides nothing."""
    assert not [character for character in UNSHOWN if character in text], repr(text)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_legal_name_works_as_input_and_output(program: Program, clip: Path, name: str) -> None:
    source, out = f"{name}.mp4", f"./{name}.mkv"
    clip.rename(program.folder / source)
    texts = [f"./{name}.{suffix}" for suffix in ("txt", "rep")]
    outputs = ["-o", out, "--mot", texts[0], "--report", texts[1]]
    result = program("run", "--detector", "det.txt", *outputs, "--", source)
    assert result.code == 0, result.errors
    assert program.files() == {"det.txt", source, *(os.path.normpath(path) for path in (out, *texts))}
    assert count(program.folder / out) == FRAMES
    report = program.report(texts[1])
    json.dumps(report, ensure_ascii=False).encode()  # UTF-8: any reader takes it
    assert report["frames"]["detected"] == FRAMES
    assert len(report["outputs"]) == 2
    check_shown(result.output + result.errors)
    assert len([line for line in result.output.splitlines() if line.startswith("written: ")]) == 2


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_default_output_works_for_every_source_name(quick: InProcess, clip: Path, name: str) -> None:
    clip.rename(quick.folder / f"{name}.mp4")
    result = quick("run", "--detector", "det.txt", "--", f"{name}.mp4")
    assert result.code == 0, result.errors
    check_shown(result.output + result.errors)
    (made,) = quick.files() - {"det.txt", f"{name}.mp4"}
    assert made.endswith(".annotated.mp4")
    assert count(quick.folder / made) == FRAMES


@pytest.mark.parametrize("name", ["not UTF-8", "escape sequences", "line ends and controls"])
def test_other_commands_accept_such_names(quick: InProcess, clip: Path, name: str) -> None:
    odd = NAMES[name]
    for suffix, content in ((".txt", DETECTIONS), (".yaml", "detector: {name: det.txt}\n")):
        (quick.folder / f"{odd}{suffix}").write_text(content)
    clip.rename(quick.folder / f"{odd}.mp4")
    named = f"{odd}.mp4"
    commands = [
        ["probe", named],
        ["probe", named, "--json"],
        ["run", named, "--live", "--config", f"{odd}.yaml", "--record", f"{odd} kept", "--jsonl", f"{odd}.jsonl"],
        ["run", named, "--detector", f"{odd}.txt", "--latency", "0.1", "-o", f"{odd}-%Y.mp4"],
        ["replay", f"{odd} kept", "-o", f"{odd} again.mp4"],
        ["track", f"{odd}.txt", "--fps", "25", "--size", "64x64", "-o", f"{odd} tracks.txt"],
        ["evaluate", "video", named, "--detector", "det.txt", "--json", f"{odd}.json"],
    ]
    for command in commands:
        result = quick(*command)
        assert result.code == 0, (command, result.errors)
        check_shown(result.output + result.errors)
        if "--json" in command and command[0] == "probe":
            json.dumps(json.loads(result.output), ensure_ascii=False).encode()
    made = ("again.mp4", "tracks.txt", "kept")
    assert quick.files() >= {*(f"{odd} {end}" for end in made), f"{odd}.json", f"{odd}.jsonl"}


def test_the_error_for_a_missing_file_shows_its_name(program: Program, quick: InProcess) -> None:
    for command in (["probe"], ["run"], ["evaluate", "video"]):
        result = quick(*command, "no\x1b[2J\n\u202e\udce9.mp4")
        assert result.code == 2
        assert r"no\x1b[2J\n\u202e\xe9.mp4" in result.errors
        assert len(result.errors.splitlines()) == 1
    check_shown(program("run", "clip.mp4", "again\x1b[2J\u202e.mp4").errors)


def test_a_file_address_is_decoded_byte_by_byte(quick: InProcess, clip: Path) -> None:
    clip.rename(quick.folder / "caf\udce9 %41.mp4")
    result = quick("probe", f"file://{quick.folder}/caf%E9%20%2541.mp4")
    assert result.code == 0, result.errors


def test_log_lines_in_json_are_utf_8(program: Program, clip: Path) -> None:
    clip.rename(program.folder / "a\udce9\x1b.mp4")
    options = ["--detector", "det.txt", "--log-format", "json", "-o", "b\udce9\u202e.mp4"]
    result = program("run", "a\udce9\x1b.mp4", *options)
    assert result.code == 0, result.errors
    for line in result.errors.splitlines():
        json.dumps(json.loads(line), ensure_ascii=False).encode()
        check_shown(line)
    result = program("run", "a\udce9\x1b.mp4", *options)
    assert result.code == 2
    assert json.loads(result.errors.splitlines()[-1])["message"].startswith(r"b\xe9\u202e.mp4 exists already")


IMPOSSIBLE = [
    ["run", f"{LONG}.mp4"],
    ["run", f"{LONG}.mp4", "--live"],
    ["run", f"{LONG}/shot%d.png", "-o", "out.mp4"],
    ["run", "clip.mp4", "-o", f"{LONG}.mp4"],
    ["run", "clip.mp4", "-o", f"{LONG}/out.mp4"],
    ["run", "clip.mp4", "-o", f"{LONG}-%H.mp4"],
    ["run", "clip.mp4", "-o", f"{LONG}/%H.mp4"],
    ["run", "clip.mp4", "-o", f"{LONG}.m3u8"],
    ["run", "clip.mp4", "-o", "caf\udce9.m3u8"],
    ["run", "clip.mp4", "-o", ""],
    ["run", "clip.mp4", "--jsonl", f"{LONG}.jsonl"],
    ["run", "clip.mp4", "--mot", LONG],
    ["run", "clip.mp4", "--report", f"{LONG}.json"],
    ["run", "clip.mp4", "--config", f"{LONG}.yaml"],
    ["run", "clip.mp4", "--live", "--record", LONG],
    ["run", "clip.mp4", "--detector", LONG],
    ["run", "clip.mp4", "--detector", f"{LONG}.txt"],
    ["run", "clip.mp4", "--latency", LONG],
    ["run", "clip.mp4", "--set", f"detector.label_map={LONG}.csv", "--detector", "det.txt", "--mot", "/"],
    ["run", "clip.mp4", "--set", f"source.password_file={LONG}"],
    ["demo", "-o", f"{LONG}/out.mp4"],
    ["demo", "-o", f"{LONG}.mp4"],
    ["probe", f"{LONG}.mp4"],
    ["probe", f"file:///{LONG}.mp4"],
    ["probe", f"{LONG}*.png"],
    ["track", f"{LONG}.txt", "--fps", "25", "--size", "64x64", "-o", "t.txt"],
    ["track", "det.txt", "--fps", "25", "--size", "64x64", "-o", LONG],
    ["evaluate", "video", f"{LONG}.mp4"],
    ["evaluate", "video", "clip.mp4", "--json", LONG],
    ["evaluate", "tracking", LONG],
    ["evaluate", "streaming", LONG],
    ["replay", LONG, "--jsonl", "x.jsonl"],
    ["replay", "clip.mp4", "--jsonl", LONG],
    ["models", "check", LONG],
    ["models", "fetch", LONG],
    ["models", "labels", "--detector", LONG],
    ["models", "labels", "--label-map", f"{LONG}.csv"],
]


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize("arguments", IMPOSSIBLE, ids=lambda arguments: " ".join(arguments).replace(LONG, "LONG"))
def test_an_invalid_name_gives_one_error(quick: InProcess, arguments: list[str]) -> None:
    if arguments[:2] == ["run", "clip.mp4"] and "--detector" not in arguments:
        arguments = [*arguments, "--detector", "det.txt"]
    before = quick.files()
    result = quick(*arguments)
    assert result.code == 2, result.errors
    assert "Traceback" not in result.errors
    assert len([line for line in result.errors.splitlines() if line.startswith("error: ")]) == 1, result.errors
    assert quick.files() == before


def test_a_null_character_in_the_settings_gives_one_error(quick: InProcess, clip: Path) -> None:
    (quick.folder / "null.yaml").write_text('outputs: [{to: "a\\0b.mp4"}]\n')
    keys = ("detector.name", "detector.latency", "source.password_file", "source.uri")
    for options in (["--config", "null.yaml"], *(["--set", f'{key}="a\\0b"'] for key in keys)):
        source = [] if "source.uri" in options[1] else [clip]
        result = quick("run", *source, *options)
        assert result.code == 2, result.errors
        assert len(result.errors.splitlines()) == 1, result.errors
        assert r"a\x00b" in result.errors


DEEP = """
import os, shutil, subprocess, sys
for _ in range(18):
    os.mkdir("d" * 250)
    os.chdir("d" * 250)
for name in ("clip.mp4", "det.txt"):
    shutil.copy(os.path.join(sys.argv[1], name), name)
program = [sys.executable, sys.argv[2], "run", "clip.mp4"]
subprocess.run([*program, "--detector", "det.txt", "-o", "out.mp4", "--report", "r.json"])
subprocess.run([*program, "-o", "clip.mp4"])
print(sorted(os.listdir()))
"""


def test_a_folder_deeper_than_the_longest_path(program: Program, clip: Path) -> None:
    command = [sys.executable, "-c", DEEP, str(clip.parent), str(MAIN)]
    done = subprocess.run(command, cwd=program.folder, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    shutil.rmtree(program.folder / ("d" * 250))
    assert done.stdout.splitlines()[-1] == "['clip.mp4', 'det.txt', 'out.mp4', 'r.json']", done.stderr
    assert "the output clip.mp4 is the input" in done.stderr

"""The help: a first screen that fits a terminal, and pages with every default and every choice."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import typer

import streamer
from streamer.cli.program import app
from streamer.cli.run_options import OPTION_OF, with_options
from streamer.config.settings import Settings
from streamer.registry import TRACKERS
from streamer.values.states import Overlay
from tests.cli.program import Program

COMMANDS = [
    "run", "batch", "replay", "demo", "track", "probe", "models list", "models fetch", "models check", "models labels",
    "evaluate tracking", "evaluate streaming", "evaluate video",
    "reload", "cameras list", "cameras add", "cameras remove", "cameras restart",
]  # fmt: skip
GROUPS = ["Input", "Detection", "Tracking", "Drawing", "Outputs", "Live", "Several machines", "Advanced"]
NOT_LITERAL = {
    "analytics.lines",
    "analytics.zones",
    "source.uri",
    "source.fps",
    "source.live",
    "detector.classes",
    "detector.min_score",
    "detector.fps",
}
NOT_LITERAL |= {
    "detector.offline",
    "detector.latency",
    "set overwrite",
    "allow mixed workers",
    "source.retry_for_s",
    "delay_s",
    "metrics.address",
    "store.folder",
}
"""Settings whose default in the help is a description, or that have none."""


def page(program: Program, *arguments: str) -> str:
    """A help page at 80 columns, without its borders and line breaks."""
    result = program(*arguments, columns=80)
    assert result.code == 0, result.errors
    assert max(map(len, result.output.splitlines())) <= 80
    return " ".join(re.sub("[│╭╮╰╯─]", " ", result.output).split())


def test_the_first_screen_fits_a_terminal_and_has_examples(program: Program) -> None:
    alone, asked = program(columns=80), program("--help", columns=80)
    assert (alone.code, asked.code) == (2, 0)
    shown = alone.output or alone.errors
    assert shown.strip() == asked.output.strip()
    assert len(shown.splitlines()) <= 25
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("\n streamer ") == 3


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_shown(program: Program, option: str) -> None:
    assert program(option).output == f"streamer {streamer.__version__}\n"


@pytest.mark.parametrize("command", ["", "models", "evaluate", "cameras", *COMMANDS])
def test_every_command_takes_h(program: Program, command: str) -> None:
    assert page(program, *command.split(), "-h") == page(program, *command.split(), "--help")


def test_the_options_of_run_are_in_groups(program: Program) -> None:
    shown = program("run", "--help", columns=80).output
    assert [name for name in re.findall("╭─ ([\\w ]+?) ─", shown) if name in GROUPS] == GROUPS


def test_the_help_of_run_lists_every_choice(program: Program) -> None:
    shown = page(program, "run", "--help")
    for name in (*TRACKERS, *Overlay, "auto", "starter", "faster_rcnn_openimages_v4", "tcp", "udp", "prefer_tcp"):
        assert re.search(rf"\b{name}\b", shown), name


def test_the_help_shows_the_defaults_of_the_settings() -> None:
    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    shown = {name: one.help for one in command.params for name in one.opts}
    defaults = Settings().model_dump()
    for path, option in OPTION_OF.items():
        assert option in shown
        if path not in NOT_LITERAL:
            section, _, key = path.rpartition(".")
            value = defaults[section][key] if section else defaults[key]
            assert rf"\[default: {value}]" in shown[option], path
    assert rf"\[default: {defaults['overlay']}]" in shown["--overlay"]


def test_the_help_has_the_names_of_other_packages() -> None:
    code = (
        "from streamer.registry import DETECTORS, TRACKERS\n"
        "DETECTORS.register('own_detector', type('A', (), {'accepts': print, 'from_settings': print}))\n"
        "methods = dict.fromkeys(('update', 'to_carry', 'predict', 'reset'), print)\n"
        "TRACKERS.register('own_tracker', type('B', (), methods))\n"
        "from streamer.cli.program import app\n"
        "app(['run', '--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert "own_detector" in done.stdout
    assert "own_tracker" in done.stdout


def test_the_help_imports_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from streamer.cli.program import app\n"
        "try: app(['run', '--help'])\n"
        "finally:\n"
        "    heavy = {'av', 'cv2', 'numpy', 'streamer.config', 'tensorflow'}\n"
        "    print(*heavy & sys.modules.keys(), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert done.stderr == "\n"


def test_messages_name_the_option_of_a_setting() -> None:
    assert with_options("set source.live or detector.latency") == (
        "set source.live (--live) or detector.latency (--latency)"
    )
    assert with_options("try detector.min_score=0.3, or more") == "try detector.min_score=0.3 (--min-score), or more"
    assert with_options("detector.fps_more, --live is source.live") == "detector.fps_more, --live is source.live"


def test_the_camera_of_the_tests_shows_its_defaults() -> None:
    command = [sys.executable, "-m", "tests.faults.camera", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert "(default: 640x360)" in done.stdout

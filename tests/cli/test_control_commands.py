"""The commands `reload` and `cameras`, with a site behind a real control socket."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from streamer.cli.program import app
from streamer.cli.serve import camera_table, control_commands
from streamer.errors import ConfigError
from streamer.serve.control import paths
from streamer.serve.control.server import ControlSocket
from tests.cli.program import Program, Result
from tests.serve.fake_site import FakeSite
from tests.system.permissions import as_an_ordinary_user


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the sockets of this user; none is anywhere else."""
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(paths, "SYSTEM_FOLDER", tmp_path / "system")
    return tmp_path / "run" / "streamer"


@pytest.fixture
def site(folder: Path) -> Iterator[FakeSite]:
    """A site that runs."""
    site = FakeSite("front", "dead")
    with ControlSocket(paths.default_path(folder / "site.yaml"), site):
        yield site


def streamer(*arguments: str | Path) -> Result:
    """A command in this process."""
    done = CliRunner().invoke(app, [*map(str, arguments)])
    return Result(done.exit_code, done.stdout, done.stderr)


def error_of(*arguments: str | Path) -> str:
    """The error line of a command that is refused."""
    result = streamer(*arguments)
    assert result.code == 2, result
    assert result.output == ""
    (line,) = result.errors.splitlines()
    return line


def test_reload_prints_what_changed(site: FakeSite) -> None:
    assert site.reloading.is_set() is False
    assert streamer("reload") == Result(0, "added: garage\n", "")


def test_cameras_are_listed_on_80_columns(program: Program, folder: Path, site: FakeSite) -> None:
    assert site.settings
    result = program("cameras", "list", "--socket", *folder.iterdir(), columns=80)
    assert result.code == 0, result.errors
    head, front, dead, fault = result.output.splitlines()
    assert head.split() == ["camera", "state", "for", "shown", "detected", "dropped", "restarts", "source"]
    assert front.split() == ["front", "running", "2", "h", "0", "0", "0", "0", "front.mp4"]
    assert dead.split()[:2] == ["dead", "waiting"]
    assert fault == "dead is waiting: connection refused"
    assert max(map(len, result.output.splitlines())) <= 80


def test_cameras_are_listed_as_json(site: FakeSite) -> None:
    assert site.settings
    cameras = json.loads(streamer("cameras", "list", "--json").output)
    assert [(camera["name"], camera["state"]) for camera in cameras] == [("front", "running"), ("dead", "waiting")]


def test_a_camera_is_added_with_outputs_and_settings(site: FakeSite) -> None:
    options = ("-o", "a.jsonl", "-o", "b.mp4", "--set", "detector.fps=1", "--set", "detector.classes=[Car]")
    result = streamer("cameras", "add", "garage", "rtsp://me:s3cretword@192.0.2.1/a", *options)
    assert result.code == 0, result
    assert "s3cretword" not in result.output + result.errors
    assert result.output == "added garage; write it into the settings file as well, or the next reload removes it\n"
    added = site.settings["garage"]
    assert added.source.uri == "rtsp://me:s3cretword@192.0.2.1/a"
    assert [output.to for output in added.outputs] == ["a.jsonl", "b.mp4"]
    assert (added.detector.fps, added.detector.classes) == (1.0, ("Car",))


def test_a_camera_is_removed_and_restarted(site: FakeSite) -> None:
    assert streamer("cameras", "restart", "front").output == "restarted front\n"
    assert site.restarted == ["front"]
    assert streamer("cameras", "remove", "front").output.startswith("removed front; ")
    assert list(site.settings) == ["dead"]


def test_a_refused_change_is_one_line_with_the_reason(site: FakeSite) -> None:
    assert error_of("cameras", "remove", "frnt") == "error: there is no camera 'frnt'; did you mean front?"
    assert error_of("cameras", "add", "front", "0") == "error: there is a camera 'front' already"
    invalid = error_of("cameras", "add", "garage", "0", "--set", "detector.fsp=1")
    assert invalid == "error: cameras.garage.detector.fsp: no such setting; did you mean fps?"
    site.error = ConfigError("site.yaml is not valid YAML (line 3: expected ':')")
    assert error_of("reload") == "error: site.yaml is not valid YAML (line 3: expected ':'); nothing is changed"
    assert list(site.settings) == ["front", "dead"]


@pytest.mark.parametrize("text", ["detector.fps", "outputs=3"])
def test_an_assignment_that_does_not_fit_is_refused(site: FakeSite, text: str) -> None:
    assert text.partition("=")[0] in error_of("cameras", "add", "garage", "0", "--set", text)
    assert list(site.settings) == ["front", "dead"]


def test_without_a_site_the_error_says_where_it_looked(folder: Path, tmp_path: Path) -> None:
    line = error_of("reload")
    assert line.startswith(f"error: no 'streamer serve' is running (no socket in {folder}, {tmp_path}/system); start")
    socket = tmp_path / "own.sock"
    line = error_of("cameras", "list", "--socket", socket)
    assert line == f"error: no 'streamer serve' is running at {socket} (No such file or directory)"


def test_a_folder_of_another_user_is_named_with_the_remedy(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "system").mkdir(mode=0)
    with pytest.raises(ConfigError) as refused:
        as_an_ordinary_user(lambda: control_commands.site_at(None))
    assert f"no socket in {folder}, {tmp_path}/system (try sudo))" in str(refused.value)


def test_of_several_sites_one_must_be_chosen(folder: Path, site: FakeSite) -> None:
    other = FakeSite("other")
    with ExitStack() as stack:
        second = stack.enter_context(ControlSocket(paths.default_path(folder / "other.yaml"), other)).path
        assert error_of("cameras", "list").startswith("error: several sites are running; choose one: --socket ")
        assert streamer("cameras", "restart", "other", "--socket", second).code == 0
    assert other.restarted == ["other"]
    assert streamer("cameras", "restart", "front").code == 0
    assert site.restarted == ["front"]


def test_a_socket_of_another_kind_of_file_is_refused(tmp_path: Path, folder: Path) -> None:
    assert not folder.exists()
    file = tmp_path / "site.yaml"
    file.touch()
    assert error_of("reload", "--socket", file).startswith(f"error: no 'streamer serve' is running at {file}")


def test_a_long_address_leaves_the_other_columns_whole() -> None:
    camera = {"name": "front", "source": f"rtsp://192.0.2.1/{'long' * 20}", "state": "running", "state_s": 7300.0}
    counts = {"frames_shown": 1_000_000, "frames_detected": 20_000, "frames_dropped": 7, "restarts": 1}
    shown = StringIO()
    Console(width=80, file=shown).print(camera_table.table([camera | counts]))
    head, row = shown.getvalue().splitlines()
    assert row.startswith("front   running  2 h  1000k     20000        7         1  rtsp://192.0.2.1/")
    assert row.endswith("…")
    assert len(head) <= 80

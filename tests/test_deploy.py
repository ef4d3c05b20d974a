"""The files of deploy/ match the program and the repository: options, settings, files, packages."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from typer.testing import CliRunner

from streamer.cli.program import app
from streamer.config.loading import load_settings, load_site
from streamer.errors import ConfigError, SourceUnavailable
from streamer.registry import SINKS
from streamer.serve.control.paths import SYSTEM_FOLDER, default_path
from streamer.sinks.selection import sink_class

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
CAMERA_UNIT, SITE_UNIT = DEPLOY / "streamer@.service", DEPLOY / "streamer.service"
UNITS = [CAMERA_UNIT, SITE_UNIT]
DOCKERFILES = [DEPLOY / "Dockerfile", DEPLOY / "Dockerfile.gpu"]
CAMERA_COMPOSE, SITE_COMPOSE = DEPLOY / "compose.yaml", DEPLOY / "compose.site.yaml"
COMPOSE_FILES = [CAMERA_COMPOSE, SITE_COMPOSE, DEPLOY / "compose.gpu.yaml"]
SITE_SETTINGS = DEPLOY / "site" / "site.yaml"
INSTALLED = "/opt/streamer/.venv/bin/streamer"
WATCHDOG_AT_LEAST_S = 10


class _Repeated(dict[str, Any]):
    """configparser stores every value of a key as a list of lines; adding them keeps repeated keys."""

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, list) and isinstance(self.get(key), list):
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def unit(file: Path) -> dict[str, dict[str, list[str]]]:
    """Sections of a unit: key to its values."""
    parser = RawConfigParser(strict=False, dict_type=_Repeated, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(file, encoding="utf-8")
    return {section: {key: value.splitlines() for key, value in parser[section].items()} for section in parser}


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Instructions of a Dockerfile with their arguments, lines joined."""
    lines = [line for line in dockerfile.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, arguments) for name, _, arguments in (line.partition(" ") for line in joined.splitlines()) if name]


def of(dockerfile: Path, name: str) -> list[str]:
    """Arguments of all instructions of this name."""
    return [arguments for instruction, arguments in instructions(dockerfile) if instruction == name]


def apt_packages(text: str) -> set[str]:
    """The packages that the text installs with `apt-get install`."""
    found = re.findall(r"apt-get install ([^&\n]*)", text)
    return {word for arguments in found for word in arguments.split() if not word.startswith("-")}


def compose() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each compose file with its one service."""
    for file in COMPOSE_FILES:
        (service,) = yaml.safe_load(file.read_text(encoding="utf-8"))["services"].values()
        yield file, service


def unit_command(file: Path, key: str = "ExecStart") -> list[str]:
    (line,) = unit(file)["Service"][key]
    return shlex.split(line)


def compose_command(file: Path) -> list[str]:
    (command,) = (service["command"] for one, service in compose() if one == file)
    return ["streamer", *command]


def test_the_parser_keeps_repeated_keys() -> None:
    assert len(unit(CAMERA_UNIT)["Service"]["Environment"]) > 1
    assert len(unit(SITE_UNIT)["Service"]["DeviceAllow"]) > 1


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_unit_has_each_setting_once_or_as_a_list(file: Path) -> None:
    lists = {key for key, values in unit(file)["Service"].items() if len(values) > 1}
    assert lists <= {"Environment", "DeviceAllow"}


@pytest.mark.system
@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_systemd_takes_every_line_of_the_unit(file: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    copy = tmp_path / file.name.replace("@", "@front")
    copy.write_text(file.read_text(encoding="utf-8").replace(INSTALLED, sys.executable), encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_units_protect_the_machine_in_the_same_way() -> None:
    camera, site = (unit(file)["Service"] for file in UNITS)
    own = {"Type", "ExecStart", "StateDirectory", "WorkingDirectory", "Environment"}
    own |= {"LoadCredential", "SetCredential"}  # of one camera
    own |= {"ExecReload", "TimeoutStartSec", "WatchdogSec", "RuntimeDirectory", "RuntimeDirectoryMode"}  # of a site
    assert {key for key in camera | site if camera.get(key) != site.get(key)} == own


def test_unit_of_a_site_waits_for_the_start_and_for_a_reload() -> None:
    service = unit(SITE_UNIT)["Service"]
    assert service["Type"] == ["notify"]
    assert int(service["WatchdogSec"][0]) >= WATCHDOG_AT_LEAST_S
    reload = unit_command(SITE_UNIT, "ExecReload")
    assert reload[:2] == [INSTALLED, "reload"]
    (folder,) = service["RuntimeDirectory"]
    assert reload[2:] == ["--socket", f"%t/{folder}/{default_name_of_a_service()}"]
    assert Path("/run", folder) == SYSTEM_FOLDER
    assert "AF_UNIX" in service["RestrictAddressFamilies"][0].split()


def default_name_of_a_service() -> str:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv("RUNTIME_DIRECTORY", folder)
        return default_path(Path("site.yaml")).name


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_unit_restarts_only_after_failures_that_a_restart_can_fix(file: Path) -> None:
    service = unit(file)["Service"]
    assert service["Restart"] == ["on-failure"]
    assert service["RestartPreventExitStatus"] == [str(ConfigError.exit_code)]
    assert SourceUnavailable.exit_code == ConfigError.exit_code
    assert service["SuccessExitStatus"] == ["143"]
    assert service["KillSignal"] == ["SIGTERM"]


def test_unit_passes_the_password_in_the_file_that_the_environment_names() -> None:
    service = unit(CAMERA_UNIT)["Service"]
    (credential,) = service["LoadCredential"]
    name, _, path = credential.partition(":")
    assert f"STREAMER_SOURCE_PASSWORD_FILE=%d/{name}" in service["Environment"]
    assert path == "/etc/streamer/%i.password"


@pytest.mark.parametrize(
    "command",
    [*map(unit_command, UNITS), compose_command(CAMERA_COMPOSE), compose_command(SITE_COMPOSE)],
    ids=["unit", "unit of a site", "compose", "compose of a site"],
)
def test_command_line_is_accepted_up_to_the_settings(command: list[str], tmp_path: Path) -> None:
    assert Path(command[0]).name == "streamer"
    settings = command.index("--config") + 1
    absent = tmp_path / "absent.yaml"
    # Wrong options are reported before the settings are read, so an error about the settings means correct options.
    answer = CliRunner().invoke(app, [*command[1:settings], str(absent), *command[settings + 1 :]])
    assert answer.exit_code == 2
    assert f"cannot read the configuration {absent}" in answer.stderr


def test_dockerfiles_run_the_installed_command_without_a_shell() -> None:
    scripts = re.search(r"(?s)\[project\.scripts\]\n(\w+) = ", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert scripts is not None
    for dockerfile in DOCKERFILES:
        assert of(dockerfile, "ENTRYPOINT") == [f'["{scripts[1]}"]']
        assert of(dockerfile, "STOPSIGNAL") == ["SIGTERM"]
        assert of(dockerfile, "USER") not in ([], ["root"], ["0"])


def test_dockerfiles_copy_existing_files_that_are_not_ignored() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for dockerfile in DOCKERFILES:
        copies = [arguments.split() for arguments in of(dockerfile, "COPY") if not arguments.startswith("--from")]
        sources = {source.removeprefix("./") for *some, _ in copies for source in some}
        assert {"pyproject.toml", "constraints.txt", "streamer", "tracking"} <= sources
        for source in sources:
            assert (ROOT / source).exists(), f"{dockerfile.name} copies {source}"
            assert f"!{source}" in ignore, f".dockerignore keeps {source} from the build"


def test_dockerfiles_differ_in_the_gpu_only() -> None:
    cpu, gpu = (instructions(dockerfile) for dockerfile in DOCKERFILES)
    assert [name for name, _ in cpu] == [name for name, _ in gpu]
    different = {name for (name, one), (_, other) in zip(cpu, gpu, strict=True) if one != other}
    assert different == {"RUN", "ENV"}
    assert any("'.[gpu]'" in arguments for arguments in of(DOCKERFILES[1], "RUN"))


def test_system_packages_are_the_same_everywhere() -> None:
    wanted = apt_packages((DEPLOY / "README.md").read_text(encoding="utf-8")) - {"python3-venv"}
    assert wanted
    for dockerfile in DOCKERFILES:
        assert apt_packages(" ".join(of(dockerfile, "RUN"))) == wanted
    remedy = (ROOT / "streamer" / "cli" / "command.py").read_text(encoding="utf-8")
    assert f"apt-get install {' '.join(sorted(wanted))}" in remedy


def test_the_program_reads_the_environment_of_deploy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = [file for file in DEPLOY.iterdir() if file.is_file()]
    named = {name for file in files for name in re.findall(r"\bSTREAMER_\w+", file.read_text(encoding="utf-8"))}
    assert named == {"STREAMER_CACHE", "STREAMER_SOURCE_PASSWORD_FILE"}
    (tmp_path / "password").write_text("swordfish\n", encoding="utf-8")
    monkeypatch.setenv("STREAMER_SOURCE_PASSWORD_FILE", str(tmp_path / "password"))
    settings = load_settings(DEPLOY / "camera.yaml")
    assert settings.source.login()[1] == "swordfish"
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path))
    from streamer.models.store import cache_dir

    assert cache_dir() == tmp_path


def test_compose_refers_to_files_that_exist() -> None:
    for file, service in compose():
        build = service["build"]
        context = (file.parent / build.get("context", "..")).resolve()
        assert context == ROOT
        assert (context / build["dockerfile"]).is_file()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (file.parent / source).exists(), f"{file.name} mounts {source}"


def test_compose_uses_the_settings_secret_and_volumes_of_the_image() -> None:
    whole = yaml.safe_load(CAMERA_COMPOSE.read_text(encoding="utf-8"))
    service = whole["services"]["camera"]
    targets = {volume.split(":")[1] for volume in service["volumes"]}
    command = compose_command(CAMERA_COMPOSE)
    assert command[command.index("--config") + 1] in targets
    (declared,) = of(DOCKERFILES[0], "VOLUME")
    assert set(yaml.safe_load(declared)) <= targets
    assert service["environment"]["STREAMER_SOURCE_PASSWORD_FILE"] == f"/run/secrets/{service['secrets'][0]}"
    assert set(service["secrets"]) == set(whole["secrets"])
    # The user writes the secret; it must never be committed.
    assert Path(whole["secrets"]["camera_password"]["file"]).suffix == ".password"
    assert "*.password" in (DEPLOY / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_compose_publishes_and_checks_the_port_of_the_settings() -> None:
    settings = load_settings(DEPLOY / "camera.yaml")
    (web,) = (entry.to for entry in settings.outputs if sink_class(entry) is SINKS["mjpeg"])
    assert web == "http://0.0.0.0:8080/"
    service = yaml.safe_load(CAMERA_COMPOSE.read_text(encoding="utf-8"))["services"]["camera"]
    assert [mapping.rsplit(":", 1)[1] for mapping in service["ports"]] == ["8080"]
    assert "http://127.0.0.1:8080/healthz" in service["healthcheck"]["test"][-1]
    compile(service["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_compose_of_a_site_mounts_its_settings_and_passwords_and_publishes_its_ports() -> None:
    (service,) = yaml.safe_load(SITE_COMPOSE.read_text(encoding="utf-8"))["services"].values()
    settings, command = load_site(SITE_SETTINGS), compose_command(SITE_COMPOSE)
    folders = {volume.split(":")[1]: volume.split(":")[0] for volume in service["volumes"]}
    config = Path(command[command.index("--config") + 1])
    # A folder: the container would not see a file that an editor replaces.
    assert (DEPLOY / folders[str(config.parent)] / config.name).resolve() == SITE_SETTINGS
    (declared,) = of(DOCKERFILES[0], "VOLUME")
    assert set(yaml.safe_load(declared)) <= set(folders)
    for camera in settings.cameras.values():
        assert camera.source.password_file is not None
        assert camera.source.password_file.parent == config.parent
        assert camera.source.password_file.suffix == ".password"  # not committed, not in the images
    ports = {str(urlsplit(f"//{address}").port) for address in (settings.web.address, settings.metrics.address)}
    published = {mapping.rsplit(":", 1)[1] for mapping in service["ports"]}
    assert published == ports | {f"{settings.web.live.udp_ports}/udp"} == {"8080", "9090", "50000-50039/udp"}
    assert all(mapping.startswith("127.0.0.1:") for mapping in service["ports"])
    assert "http://127.0.0.1:9090/healthz" in service["healthcheck"]["test"][-1]
    compile(service["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_recordings_of_a_site_are_limited_and_differ_in_their_names() -> None:
    outputs = [entry for camera in load_site(SITE_SETTINGS).cameras.values() for entry in camera.outputs]
    assert len({entry.to for entry in outputs}) == len(outputs)
    recordings = [entry for entry in outputs if sink_class(entry) is SINKS["recording"]]
    assert recordings
    assert all(entry.keep_gb is not None for entry in recordings)


def test_camera_settings_wait_for_the_camera_and_limit_the_recordings() -> None:
    settings = load_settings(DEPLOY / "camera.yaml")
    assert settings.source.uri is not None
    assert "@" not in settings.source.uri, "no password in the settings"
    assert settings.source.retry_at_start
    (recording,) = (entry for entry in settings.outputs if sink_class(entry) is SINKS["recording"])
    assert recording.keep_gb is not None


def test_settings_from_the_readme_take_the_password_from_the_unit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    step = re.search(r"cp (configs/\S+) /etc/streamer/front.yaml", (DEPLOY / "README.md").read_text(encoding="utf-8"))
    assert step is not None
    credential = tmp_path / "password"
    credential.write_text("swordfish\n", encoding="utf-8")
    monkeypatch.delenv("STREAMER_SOURCE_PASSWORD", raising=False)
    monkeypatch.setenv("STREAMER_SOURCE_PASSWORD_FILE", str(credential))
    settings = load_settings(ROOT / step[1])
    assert settings.source.login()[1] == "swordfish"
    assert settings.source.retry_at_start


def test_settings_of_a_site_from_the_readme_are_valid_and_serve_this_machine_only() -> None:
    step = re.search(r"cp (configs/\S+) /etc/streamer/site.yaml", (DEPLOY / "README.md").read_text(encoding="utf-8"))
    assert step is not None
    settings = load_site(ROOT / step[1])
    assert unit_command(SITE_UNIT)[3] == "/etc/streamer/site.yaml"
    assert settings.web.address == "127.0.0.1:8080"
    outputs = [entry.to for camera in settings.cameras.values() for entry in camera.outputs]
    assert not [to for to in outputs if "0.0.0.0" in to]


def test_links_of_the_readme_exist() -> None:
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (DEPLOY / link).is_file()] == []

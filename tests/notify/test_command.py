"""Commands, with real programs."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import ConfigError
from streamer.notify.command import CommandSettings, CommandTarget
from streamer.notify.target import DeliveryError, TargetContext
from streamer.values.events import EventPhase
from tests.notify.messages import message


def command(*arguments: str, **settings: Any) -> CommandTarget:
    given = arguments[0] if len(arguments) == 1 else arguments
    return CommandTarget("ops", CommandSettings.model_validate({"type": "command", "command": given, **settings}))


def script(code: str) -> tuple[str, str, str]:
    return sys.executable, "-c", code


def test_a_command_gets_the_message_on_its_input_and_in_its_environment(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"picture")
    sent = message(EventPhase.END, folder=tmp_path, snapshot="a.jpg", text="one\0two")
    code = (
        f"import json, os, sys; json.dump([json.load(sys.stdin), dict(os.environ)], open({str(tmp_path / 'o')!r}, 'w'))"
    )
    target = command(*script(code))
    assert target.deliver(sent) == "exit code 0"
    target.close()
    payload, environment = json.loads((tmp_path / "o").read_text())
    assert payload == sent.payload
    assert environment["STREAMER_EVENT_TYPE"] == "leave"
    assert environment["STREAMER_EVENT_LABEL"] == "Person"
    assert environment["STREAMER_EVENT_VALUE"] == ""
    assert environment["STREAMER_EVENT_TEXT"] == "onetwo"
    assert environment["STREAMER_EVENT_SNAPSHOT"] == str(tmp_path / "a.jpg")


def test_a_text_is_run_by_the_shell(tmp_path: Path) -> None:
    target = command(f'echo "$STREAMER_EVENT_CAMERA" > {tmp_path}/o')
    target.deliver(message(camera="$(touch pwned) gate"))
    target.close()
    assert (tmp_path / "o").read_text() == "$(touch pwned) gate\n"


@pytest.mark.parametrize("program", ["/no/such/program", "no-such-program", "data.txt"])
def test_a_program_that_does_not_exist_is_refused_at_the_start(program: str, tmp_path: Path) -> None:
    (tmp_path / "data.txt").touch()
    given = program if program[0] in "/n" else str(tmp_path / program)
    settings = CommandSettings.model_validate({"type": "command", "command": [given]})
    with pytest.raises(ConfigError) as caught:
        CommandTarget.from_settings("ops", settings, TargetContext("notify.targets.ops"))
    assert str(caught.value) == f"notify.targets.ops.command: no program {given}; give its path, or install it"


def test_numbers_and_booleans_of_yaml_are_arguments() -> None:
    settings = CommandSettings(type="command", command=["sleep", 5, 0.5, True])  # type: ignore[arg-type]
    assert settings.command == ("sleep", "5", "0.5", "true")
    assert CommandSettings(**settings.model_dump()) == settings


@pytest.mark.parametrize(
    ("shell", "permanent", "told"),
    [
        ("exit 65", True, "exit code 65"),
        ("exit 75", False, "exit code 75"),
        ("echo a; echo no route >&2; exit 7", False, "exit code 7: no route"),
        ("kill -9 $$", False, "signal 9"),
    ],
)
def test_other_exit_codes_than_0_fail(shell: str, permanent: bool, told: str) -> None:
    target = command(shell)
    with pytest.raises(DeliveryError, match=told) as caught:
        target.deliver(message())
    target.close()
    assert caught.value.permanent is permanent


def test_a_missing_program_is_told() -> None:
    target = command("/no/such/program", "x")
    with pytest.raises(DeliveryError, match="cannot run /no/such/program: No such file"):
        target.deliver(message())
    target.close()


def test_the_end_of_the_output_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    target = command(*script("print('x' * 1_000_000); print('the end')"))
    target.deliver(message())
    target.close()
    (line,) = caplog.messages
    assert line.endswith("x\nthe end")
    assert len(line) < 2100


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    target = command(f"sleep 1000 & echo $! > {tmp_path}/pid; wait", timeout_s=0.5)
    with pytest.raises(DeliveryError, match=r"not ended within 0.5 s"):
        target.deliver(message())
    target.close()
    child = int((tmp_path / "pid").read_text())
    deadline_s = time.monotonic() + 10
    while is_running(child) and time.monotonic() < deadline_s:
        threading.Event().wait(0.01)
    assert not is_running(child)


def test_a_process_in_the_background_is_not_awaited(tmp_path: Path) -> None:
    target = command(f"sleep 60 & echo $! > {tmp_path}/pid", timeout_s=20)
    target.deliver(message())
    target.close()
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_a_command_in_progress_is_cancelled(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    target = command(f"echo > {fifo}; exec sleep 1000", timeout_s=1000)
    canceller = threading.Thread(target=lambda: [step() for step in (fifo.read_text, target.cancel)])
    canceller.start()
    with pytest.raises(DeliveryError, match="stopped"):
        target.deliver(message())
    target.close()
    canceller.join()

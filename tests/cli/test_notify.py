"""The commands of `notify`, with real receivers."""

from __future__ import annotations

import base64

import cv2
import numpy as np

from streamer.config.events import StoreSettings
from streamer.store.event_store import EventStore
from streamer.values.events import EventPhase
from tests.cli.program import Program
from tests.notify.messages import record
from tests.notify.receiver import Reply, receiving


def write_settings(program: Program, url: str) -> None:
    (program.folder / "s.yaml").write_text(
        "notify:\n  targets:\n"
        f"    ops: {{type: webhook, url: '{url}?token=gehe1m-4711', cameras: [gate]}}\n"
        "    shell: {type: command, command: 'echo about $STREAMER_EVENT_LABEL; test -s $STREAMER_EVENT_SNAPSHOT'}\n"
    )


def test_a_test_message_has_a_picture_and_shows_the_answer(program: Program) -> None:
    with receiving() as receiver:
        write_settings(program, receiver.url)
        result = program("notify", "test", "ops", "--config", "s.yaml")
        sent = receiver.next().json
    assert result.code == 0, result.errors
    assert "delivered to ops in " in result.output
    assert "200 OK" in result.output
    assert (sent["version"], sent["data"]["text"]) == (1, "Test message of Streamer")
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(sent["picture"]["base64"]), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (360, 640, 3)
    result = program("notify", "test", "shell", "--config", "s.yaml")
    assert (result.code, "exit code 0: about Person" in result.output) == (0, True)


def test_a_target_that_refuses_the_message_is_an_error(program: Program) -> None:
    with receiving(lambda *_: Reply(403)) as receiver:
        write_settings(program, receiver.url)
        result = program("notify", "test", "ops", "--config", "s.yaml")
    assert (result.code, result.output) == (1, "")
    assert f"not delivered to ops: {receiver.url} answers 403 Forbidden; check the login" in result.errors
    assert "gehe1m" not in result.errors


def test_the_list_shows_what_waits_and_why(program: Program) -> None:
    write_settings(program, "http://127.0.0.1/")
    listed = program("notify", "list", "--config", "s.yaml", "--set", "store.folder=store")
    assert [line.split() for line in listed.output.splitlines()[1:]] == [
        ["ops", "webhook", "0"],
        ["shell", "command", "0"],
    ]
    event = record()
    with EventStore(StoreSettings(folder=program.folder / "store")) as store:
        for _ in range(2):
            store.save(event, EventPhase.MOMENT, ["ops", "gone"])
        assert store.flush()
        store.failed(store.pending("ops")[0].number, "no route to host")
    listed = program("notify", "list", "--config", "s.yaml", "--set", "store.folder=store")
    ops, shell, gone = listed.output.splitlines()[1:]
    assert (ops.split()[:3], ops.rstrip().endswith("no route to host")) == (["ops", "webhook", "2"], True)
    assert (shell.split()[2], gone.split()[:3]) == ("0", ["gone", "(former)", "2"])


def test_an_unknown_target_is_told_with_the_nearest(program: Program) -> None:
    write_settings(program, "http://127.0.0.1/")
    result = program("notify", "test", "opps", "--config", "s.yaml")
    assert result.code == 2
    assert "notify.targets has no 'opps'; did you mean ops?" in result.errors

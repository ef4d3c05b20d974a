"""The last messages in memory: with their camera, without passwords, bounded."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from streamer.observe.log_tail import LogTail
from streamer.observe.run_name import RunNameFilter, camera_name
from streamer.system.secrets import SECRETS

log = logging.getLogger("streamer.test_log_tail")


@pytest.fixture
def tail() -> Iterator[LogTail]:
    tail = LogTail(3)
    logging.getLogger().addHandler(tail)
    yield tail
    logging.getLogger().removeHandler(tail)


def texts(tail: LogTail) -> list[tuple[str, str, str]]:
    return [(line.level, line.camera, line.text) for line in tail.last(10)]


def test_messages_have_their_camera_once(tail: LogTail) -> None:
    terminal = logging.NullHandler()
    terminal.handle = lambda record: bool(terminal.filter(record))  # type: ignore[method-assign]
    terminal.addFilter(RunNameFilter())  # it names the camera in the text, and comes first
    logging.getLogger().handlers.insert(0, terminal)
    try:
        with camera_name("front"):
            log.warning("lost: %s", "stalled")
        log.error("the disk is full")
    finally:
        logging.getLogger().removeHandler(terminal)
    tail.note("running, 64x48", "yard")
    assert texts(tail) == [
        ("warning", "front", "lost: stalled"),
        ("error", "", "the disk is full"),
        ("info", "yard", "running, 64x48"),
    ]
    assert all(line.time.endswith("Z") for line in tail.last(3))


def test_only_the_last_messages_are_kept(tail: LogTail) -> None:
    for number in range(5):
        log.warning("%d", number)
    assert [text for *_, text in texts(tail)] == ["2", "3", "4"]
    assert [line.text for line in tail.last(1)] == ["4"]
    log.warning("x" * 10_000)
    assert len(tail.last(1)[0].text) < 3000


def test_passwords_are_hidden_also_in_tracebacks(tail: LogTail) -> None:
    SECRETS.split("rtsp://me:pilchard42@192.0.2.10/1")
    try:
        raise ValueError("wrong password pilchard42")
    except ValueError:
        log.exception("rtsp://me:pilchard42@192.0.2.10/1 failed")
    tail.note("rtsp://me:pilchard42@192.0.2.10/1")
    lines = texts(tail)
    assert not [text for *_, text in lines if "pilchard" in text]
    assert "Traceback" in lines[0][2]

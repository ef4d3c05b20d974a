"""Filtering of what native code writes to stderr."""

from __future__ import annotations

import os
import sys

import pytest

from streamer.system import native_stderr


def fail() -> None:
    os.write(2, b"INFO: chatter\nERROR: no disk\n")
    raise RuntimeError("broken")


def test_only_matching_lines_are_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    with native_stderr.held_back(lambda line: line.startswith(b"INFO")):
        os.write(2, b"INFO: chatter\nERROR: no disk\n")
    os.write(2, b"INFO: later\n")
    assert capfd.readouterr().err == "ERROR: no disk\nINFO: later\n"


def test_all_lines_are_written_after_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="broken"), native_stderr.held_back(lambda _: True):
        fail()
    assert capfd.readouterr().err == "INFO: chatter\nERROR: no disk\n"


def test_without_stderr_the_block_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    ran = []
    with native_stderr.held_back(lambda _: True):
        ran.append(True)
    assert ran

"""A display, and a hand for the windows on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.sinks.window import window
from tests.sinks.window.screen import Hand, Screen, running_screen


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """An empty display."""
    with running_screen(tmp_path) as running:
        monkeypatch.setenv("DISPLAY", running.name)
        yield running


@pytest.fixture
def hand(screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hand]:  # noqa: ARG001
    """Keys for the next window."""
    made = Hand(tmp_path)
    monkeypatch.setattr(window, "COMMAND", made.command)
    yield made
    made.leave()

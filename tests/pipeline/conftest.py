"""No test of the core leaves a thread running."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.pipeline.parts import DEADLINE_S


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("streamer-"):
            thread.join(DEADLINE_S)
            assert not thread.is_alive(), thread.name

"""Applies to every test: a clean environment, the same generated examples, a deadline, and no unexpected skip."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import av  # noqa: F401 - before cv2: both bring libxcb, and FFmpeg's x11grab crashes or hangs with that of cv2
import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from streamer.errors import ModelError
from streamer.models import store
from tests import environment

ISOLATED = pytest.StashKey[Path]()
HEAVY = frozenset({"api", "browser", "cli", "detectors", "evaluation", "faults", "models", "replay"})
"""Folders whose tests start programs or load models, which is slow on a busy machine."""
HEAVY_HANGS_S = 150
LIGHT = frozenset({"flow", "motion", "pipeline", "presentation", "render", "tracking", "values"})
"""Folders whose tests take milliseconds."""
LIGHT_HANGS_S = 25
THREADS_END_WITHIN_S = 10.0
NEVER_SKIPPED = "STREAMER_REQUIRE_ALL"
OF_THE_SYSTEM = frozenset({"launch", "certificate", "mosquitto", "screen", "small_disk"})
"""Fixtures that need Chromium, openssl, Mosquitto, Xvfb and root; their tests get the marker `system`."""

# No deadline per example. The examples of a test depend on its code alone; there is no example database.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.register_profile("random", derandomize=False, database=None, deadline=None, print_blob=True)
settings.load_profile("random" if os.environ.get("STREAMER_HYPOTHESIS") == "random" else "same")
# Hypothesis also tries constants of the modules that are imported at that time; that depends on the test order.
providers._get_local_constants = lambda: providers._local_constants


class Hangs(BaseException):
    """A test took too long. Not an Exception, which the tested code or Hypothesis would handle."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.stash[ISOLATED] = environment.isolate()


def pytest_unconfigure(config: pytest.Config) -> None:
    if ISOLATED in config.stash:
        environment.remove(config.stash[ISOLATED])


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool:
    """Like pytest-timeout, with another exception and repeated signals, because the cleanup of a test may hang too."""

    def ring(signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        faulthandler.dump_traceback(all_threads=True)
        raise Hangs(f"{item.nodeid} hangs: it has not ended within {settings.timeout:g} s")

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    item.cancel_timeout = cancel  # type: ignore[attr-defined] # pytest-timeout calls it at the end of the test
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout, settings.timeout)
    return True


@pytest.hookimpl(tryfirst=True)  # before -m is evaluated
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not OF_THE_SYSTEM.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("system")
        if not item.get_closest_marker("timeout"):
            _add_timeout(item)


def _add_timeout(item: pytest.Item) -> None:
    folders = item.nodeid.partition("::")[0].split("/")[1:-1]
    if not HEAVY.isdisjoint(folders) or item.get_closest_marker("slow") or item.get_closest_marker("system"):
        item.add_marker(pytest.mark.timeout(HEAVY_HANGS_S))
    elif not LIGHT.isdisjoint(folders):
        item.add_marker(pytest.mark.timeout(LIGHT_HANGS_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if item.get_closest_marker("elsewhere") is None:
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: Any) -> None:
    """Turn a skip into a failure if all dependencies of the tests are installed."""
    if os.environ.get(NEVER_SKIPPED) and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{NEVER_SKIPPED} is set, and this test was skipped. {reason}"


@pytest.fixture(scope="session")
def starter_weights() -> Path:
    """The starter's file in the cache. Tests download nothing; `make test` does that first."""
    return _cached(store.STARTER)


@pytest.fixture(scope="session")
def nanodet_weights() -> Path:
    """The file of nanodet in the cache."""
    return _cached(store.NANODET)


def _cached(model: str) -> Path:
    try:
        return store.fetch(model, offline=True)
    except ModelError:
        pytest.skip(f"no weights of {model}; `streamer models fetch {model}` downloads them")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """No test leaves a thread of the program running."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("streamer-"):
            thread.join(THREADS_END_WITHIN_S)
            assert not thread.is_alive(), thread.name

"""The environment of every test: the same on each machine, without settings of the user.

The first process replaces it before pytest-xdist starts its workers, which inherit it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from hypothesis.configuration import set_hypothesis_home_dir

from streamer.models import store

KEPT = (
    # Needed by programs and libraries.
    "PATH",
    "LD_",
    "DYLD_",
    "SYSTEMROOT",
    "TMPDIR",
    "VIRTUAL_ENV",
    "PYTHON",
    "COVERAGE",
    "OPENBLAS_",
    "CUDA_",
    "NVIDIA_",
    # Settings of the tests.
    "PYTEST_",
    "STREAMER_HYPOTHESIS",
    "STREAMER_REQUIRE_ALL",
    "STREAMER_STRUCTURES",
    "STREAMER_SUPPRESSIONS",
    "STREAMER_TEST_DATA",
    "STREAMER_TRITON",
    "STREAMER_UPDATE_GOLDEN",
    "STREAMER_WEBCAM_VM",
)
"""Prefixes of the variables that stay. No locale, proxy, terminal, display, cache or setting."""

FIXED = {
    "COLUMNS": "80",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "LINES": "24",
    "NO_PROXY": "*",  # and no proxy of the system's settings (macOS)
    "TERM": "xterm",
    "TZ": "UTC",
}


def isolate() -> Path:
    """Replace the environment of this process; returns its new home, which must be removed at the end.

    The cache for models is empty except for the small pinned models, if the user has them.
    """
    weights = [path for model in store.PINNED.values() for path in (model.path, model.manifest_path) if path.is_file()]
    home = Path(tempfile.mkdtemp(prefix="streamer-tests-"))
    cache = home / ".cache/streamer"  # the default location for programs that only read HOME
    cache.mkdir(parents=True)
    session = home / "run"
    session.mkdir()
    for path in weights:
        shutil.copyfile(path, cache / path.name)
    kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
    os.environ.clear()
    os.environ.update(kept | FIXED | {"HOME": str(home), "STREAMER_CACHE": str(cache), "XDG_RUNTIME_DIR": str(session)})
    os.environ.setdefault("PYTHONHASHSEED", "0")  # of the workers and of all programs that the tests start
    time.tzset()
    os.umask(0o022)
    set_hypothesis_home_dir(home / ".hypothesis")
    return home


def remove(home: Path) -> None:
    """Delete it; a program that still runs may leave files."""
    shutil.rmtree(home, ignore_errors=True)

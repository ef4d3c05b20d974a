"""The test suite itself: the same on every run and machine, and no hang."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow

EXAMPLES = """
    import os, time
    import pytest
    from hypothesis import given, strategies as st

    seen = []

    @given(st.lists(st.integers()), st.text(), st.floats())
    def test_examples(numbers, text, real):
        seen.append((numbers, text, real))

    def test_seen_examples():
        assert len(seen) == 100
        own = ("HOME", "LD_", "PYTEST_", "QT_", "STREAMER_CACHE", "XDG_RUNTIME_DIR")  # two of them are set by OpenCV
        about = {name: value for name, value in sorted(os.environ.items()) if not name.startswith(own)}
        print("SEEN", seen)
        print("SEEN", about, time.tzname, oct(os.umask(0o022)), hash("x"))
"""


def suite_of(folder: Path, code: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one file of tests in the way of the suite, with these environment variables of the user."""
    (folder / "test_given.py").write_text(textwrap.dedent(code))
    configuration = ("-p", "tests.conftest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"))
    return subprocess.run(
        [sys.executable, "-m", "pytest", *configuration, *options, str(folder / "test_given.py")],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **variables},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_settings_of_the_user_have_no_effect(tmp_path: Path) -> None:
    strange = {
        "COLUMNS": "31",
        "CI": "true",
        "FORCE_COLOR": "1",
        "LC_ALL": "tr_TR.UTF-8",
        "NO_COLOR": "1",
        "STREAMER_OFFLINE": "1",
        "STREAMER_SOURCE_PASSWORD": "secret",
        "TZ": "Pacific/Chatham",
        "XDG_CACHE_HOME": "/nowhere",
        "http_proxy": "http://127.0.0.1:1",
    }
    seen = []
    for code, variables in (
        (EXAMPLES, {}),
        ("import main, streamer.run.session\n" + textwrap.dedent(EXAMPLES), strange),
    ):
        done = suite_of(tmp_path, code, "-n", "1", "-rP", **variables)
        assert "2 passed" in done.stdout, done.stdout
        seen.append([line for line in done.stdout.splitlines() if line.startswith("SEEN")])
    assert len(seen[0]) == 2
    assert seen[0] == seen[1]


def test_other_examples_are_generated_on_request(tmp_path: Path) -> None:
    seen = set()
    for _ in range(2):
        done = suite_of(tmp_path, EXAMPLES, "-rP", STREAMER_HYPOTHESIS="random")
        assert "2 passed" in done.stdout, done.stdout
        seen.add(next(line for line in done.stdout.splitlines() if line.startswith("SEEN [")))
    assert len(seen) == 2


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_hang_is_one_failure_with_stacks_and_the_run_continues(tmp_path: Path, options: tuple[str, ...]) -> None:
    code = """
        import threading
        import pytest
        from hypothesis import given, strategies as st

        @pytest.mark.timeout(1)
        @given(st.integers())
        def test_generated(number):
            if number > 2:
                threading.Event().wait()

        @pytest.mark.timeout(1)
        def test_leaving_hangs_too():
            try:
                threading.Event().wait()
            finally:
                threading.Event().wait()

        def test_next():
            pass
    """
    done = suite_of(tmp_path, code, *options)
    assert "2 failed, 1 passed in" in done.stdout
    assert "::test_generated hangs: it has not ended within 1 s" in done.stdout
    assert "(most recent call first)" in done.stdout


def test_a_hang_without_signals_ends_one_process(tmp_path: Path) -> None:
    code = """
        import signal, threading

        def test_hangs():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            threading.Event().wait()

        def test_next():
            pass
    """
    done = suite_of(tmp_path, code, "-n", "1", "-o", "faulthandler_timeout=2")
    assert "1 failed, 1 passed in" in done.stdout
    assert "crashed while running" in done.stdout
    assert "in test_hangs" in done.stderr


@pytest.mark.parametrize(
    ("required", "outcome"), [("", "1 passed, 3 skipped in"), ("1", "1 failed, 1 passed, 1 skipped, 1 error in")]
)
def test_a_skip_is_a_failure_if_everything_is_installed(tmp_path: Path, required: str, outcome: str) -> None:
    code = """
        import pytest

        def test_runs():
            pass

        @pytest.mark.elsewhere
        def test_of_a_gpu():
            pytest.skip("no GPU")

        def test_of_a_program():
            pytest.skip("no such program")

        @pytest.mark.skipif(True, reason="no such system")
        def test_of_a_system():
            pass
    """
    done = suite_of(tmp_path, code, STREAMER_REQUIRE_ALL=required)
    assert outcome in done.stdout
    assert (done.returncode == 0) is (not required)

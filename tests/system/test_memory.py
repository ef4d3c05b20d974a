"""The garbage collector and the C library are as before after a large model was loaded."""

from __future__ import annotations

import gc
import platform

import psutil
import pytest

from streamer.system import memory


def test_the_collector_is_as_before() -> None:
    assert gc.isenabled()
    with memory.without_collector():
        assert not gc.isenabled()
        with memory.without_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_collector_runs_again_after_an_error() -> None:
    with pytest.raises(ValueError, match="no model"), memory.without_collector():
        raise ValueError("no model")
    assert gc.isenabled()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_kept_while_loading_and_returned_then() -> None:
    size_bytes = 200_000_000

    def grown_bytes() -> int:
        """By how much the process is larger after a block was allocated, filled and freed."""
        block = b"\x01" * size_bytes
        del block
        return int(psutil.Process().memory_info().rss - before_bytes)

    before_bytes = psutil.Process().memory_info().rss
    with memory.keeping_freed_memory():
        assert grown_bytes() > 0.9 * size_bytes
    assert grown_bytes() < 0.5 * size_bytes

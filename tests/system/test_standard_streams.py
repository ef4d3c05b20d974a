"""Standard output and error accept everything and never fail."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from streamer.system.standard_streams import ReadableText, TolerantOutput

Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def fill(writing: int) -> int:
    """Fill a pipe and return the number of bytes."""
    filled = 0
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            filled += os.write(writing, b"-" * 512)
    os.set_blocking(writing, True)
    return filled


def read_all(reading: int, found: list[bytes]) -> None:
    while data := os.read(reading, 1 << 16):
        found.append(data)


@pytest.mark.parametrize("blocking", [True, False])
def test_all_written_bytes_arrive_at_a_slow_reader(pipe: Pipe, blocking: bool) -> None:
    reading, writing = pipe
    os.set_blocking(writing, blocking)
    found: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(reading, found))
    reader.start()
    content = bytes(range(256)) * 4096
    output = TolerantOutput(writing, timeout_s=60.0)
    try:
        assert output.write(content) == len(content)
    finally:
        os.close(writing)
        reader.join()
    assert b"".join(found) == content
    assert output.failure is None
    assert output.fileno() == writing
    assert output.writable()


def test_the_first_failure_is_kept_and_not_raised(pipe: Pipe) -> None:
    reading, writing = pipe
    os.close(reading)
    output = TolerantOutput(writing)
    assert output.write(b"no reader at all") == 16
    assert output.failure is not None
    assert output.failure.errno == errno.EPIPE
    os.close(writing)
    output.write(b"nor this")
    assert output.failure.errno == errno.EPIPE
    full = os.open("/dev/full", os.O_WRONLY)
    output = TolerantOutput(full)
    output.write(b"no room")
    os.close(full)
    assert output.failure is not None
    assert output.failure.errno == errno.ENOSPC


def test_messages_without_a_reader_are_dropped(pipe: Pipe) -> None:
    reading, writing = pipe
    filled = fill(writing)
    output = TolerantOutput(writing)
    output.wait_at_most(0.01)
    assert output.write(b"left out") == 8
    assert output.write(b"too") == 3
    assert output.failure is None
    os.read(reading, filled)
    output.write(b"heard")
    assert os.read(reading, filled) == b"heard"


def test_isatty_is_that_of_the_descriptor(pipe: Pipe) -> None:
    master, slave = os.openpty()
    assert TolerantOutput(slave).isatty()
    os.close(slave)
    os.close(master)
    assert not TolerantOutput(pipe[1]).isatty()


def test_text_keeps_colours_and_escapes_invisible_characters(pipe: Pipe) -> None:
    reading, writing = pipe
    text = ReadableText(io.BufferedWriter(TolerantOutput(writing)), encoding="ascii", errors="backslashreplace")
    given = "\x1b[1mbold\x1b[0m\r\n \u202e\x9b \udce9 ü"
    assert text.write(given) == len(given)
    text.flush()
    assert os.read(reading, 100) == b"\x1b[1mbold\x1b[0m\r\n \\u202e\\x9b \\xe9 \\xfc"

"""Log records as JSON lines."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streamer.observe.json_logs import json_handler
from streamer.system.secrets import Secrets


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(stream: io.StringIO) -> logging.Logger:
    secrets = Secrets()
    secrets.remember("s3cret")
    made = logging.Logger("streamer.sources.live.live")
    made.addHandler(json_handler(stream, secrets))
    return made


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_line_with_its_fields(stream: io.StringIO, logger: logging.Logger) -> None:
    logger.warning("lost: %s", "end of\nstream", extra={"cause": "end of stream", "attempt": 3, "wait_s": 0.5})
    logger.info("back")
    first, second = lines(stream)
    time = datetime.fromisoformat(first.pop("time"))
    assert time.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - time) < timedelta(minutes=10)
    assert first == {
        "level": "warning",
        "logger": "streamer.sources.live.live",
        "message": "lost: end of\nstream",
        "cause": "end of stream",
        "attempt": 3,
        "wait_s": 0.5,
    }
    assert second.keys() == {"time", "level", "logger", "message"}


def test_a_line_is_ascii(stream: io.StringIO, logger: logging.Logger) -> None:
    logger.error("Kamera „Tür“ \udcff\x1b[2J", extra={"output": ["a\udcff.mp4"]})
    assert stream.getvalue().isascii()
    # Many JSON readers refuse a lone surrogate; a control character would reach a terminal that shows the message.
    assert lines(stream)[0]["message"] == r"Kamera „Tür“ \xff\x1b[2J"
    assert lines(stream)[0]["output"] == [r"a\xff.mp4"]


def test_a_traceback_stays_on_the_line_without_passwords(stream: io.StringIO, logger: logging.Logger) -> None:
    try:
        raise ConnectionError("rtsp://me:s3cret@camera/ refused")
    except ConnectionError:
        logger.exception("s3cret", extra={"url": "rtsp://me:s3cret@camera/", "all": ["s3cret"]})
    assert "s3cret" not in stream.getvalue()
    (line,) = lines(stream)
    assert line["exc_info"].startswith("Traceback")
    assert line["url"] == "rtsp://***@camera/"
    assert line["all"] == ["***"]

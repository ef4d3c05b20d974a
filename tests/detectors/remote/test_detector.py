"""A detector on another machine: frames of live sources are sent once, frames of files until the server answers."""

from __future__ import annotations

import logging
import threading

import pytest

from streamer.detectors.remote.breaker import FAILURES, PROBE_EVERY_S, CircuitBreaker
from streamer.detectors.remote.detector import RemoteDetector
from streamer.errors import DetectorError, DetectorUnreachable
from streamer.values.frame import Frame
from tests.detectors.remote.scripted import GONE, Clock, ScriptedModel, frame_of, live_frame


def live(model: ScriptedModel, clock: Clock) -> RemoteDetector:
    return RemoteDetector(model, CircuitBreaker(clock), deadline_s=2.0, retry_for_s=60, clock=clock)


def test_a_live_frame_is_sent_once_with_its_deadline() -> None:
    model = ScriptedModel(GONE)
    with pytest.raises(DetectorUnreachable, match="connection refused"):
        live(model, Clock()).detect(live_frame(7))
    assert model.calls == ["frame 7"]
    assert model.limits_s == [2.0]


def test_while_the_server_is_gone_live_frames_are_not_sent() -> None:
    model, clock = ScriptedModel(GONE), Clock()
    detector = live(model, clock)
    for index in range(20):
        with pytest.raises(DetectorUnreachable):
            detector.detect(live_frame(index))
    assert model.calls == [f"frame {index}" for index in range(FAILURES)]


def test_the_first_frame_after_a_successful_probe_is_detected() -> None:
    model, clock = ScriptedModel(*[GONE] * FAILURES, GONE, None), Clock()
    detector = live(model, clock)
    found = []
    for index in range(FAILURES + 4):
        try:
            found.append((index, len(detector.detect(live_frame(index)))))
        except DetectorUnreachable:
            clock.now_s += PROBE_EVERY_S
    # One frame pays for the probe that fails.
    assert found == [(FAILURES + 1, 1), (FAILURES + 2, 1), (FAILURES + 3, 1)]
    assert model.calls[FAILURES : FAILURES + 3] == ["probe", "probe", f"frame {FAILURES + 1}"]


@pytest.mark.parametrize("frame", [frame_of(0), live_frame(0)], ids=["file", "live"])
def test_a_probe_may_take_as_long_as_a_live_frame(frame: Frame) -> None:
    """A server that is always slow to answer would else stay away for the rest of the run."""
    model, clock = ScriptedModel(None), Clock()
    breaker = CircuitBreaker(clock)
    for _ in range(FAILURES):
        breaker.failed(GONE)
    clock.now_s += PROBE_EVERY_S
    RemoteDetector(model, breaker, deadline_s=2.0, retry_for_s=120, clock=clock).detect(frame)
    assert model.calls == ["probe", "frame 0"]
    assert model.limits_s[0] == 2.0


def test_an_error_of_the_model_does_not_open_the_circuit() -> None:
    model = ScriptedModel(DetectorError("wrong shape"))
    detector = live(model, Clock())
    for index in range(10):
        with pytest.raises(DetectorError, match="wrong shape"):
            detector.detect(frame_of(index))
    assert len(model.calls) == 10


def test_a_frame_of_a_file_is_sent_until_the_server_answers(caplog: pytest.LogCaptureFixture) -> None:
    model = ScriptedModel(GONE, GONE, None)
    detector = RemoteDetector(model, CircuitBreaker(), deadline_s=2.0, retry_for_s=60)
    with caplog.at_level(logging.WARNING):
        assert len(detector.detect(frame_of(3))) == 1
        assert len(detector.detect(frame_of(4))) == 1
    assert model.calls == ["frame 3", "frame 3", "frame 3", "frame 4"]
    assert [line.partition(" after")[0] for line in caplog.messages] == [
        "frame 3 is sent again for up to 60 s: connection refused",
        "the detector answers again",
    ]


def test_streams_of_files_and_cameras_share_a_detector() -> None:
    model = ScriptedModel(GONE, GONE, None)
    detector = RemoteDetector(model, CircuitBreaker(), deadline_s=2.0, retry_for_s=60)
    with pytest.raises(DetectorUnreachable):
        detector.detect(live_frame(0))
    assert len(detector.detect(frame_of(0))) == 1
    assert model.calls == ["frame 0", "frame 0", "frame 0"]


def test_a_frame_of_a_file_is_given_up_after_the_time_limit() -> None:
    model = ScriptedModel(GONE)
    detector = RemoteDetector(model, CircuitBreaker(), deadline_s=2.0, retry_for_s=0.6)
    with pytest.raises(DetectorUnreachable, match=r"connection refused; tried for 0\.6 s"):
        detector.detect(frame_of(3))
    assert model.calls.count("frame 3") > 1


def test_closing_ends_the_attempts_at_once() -> None:
    began = threading.Event()

    class Waiting(ScriptedModel):
        def detect(self, *arguments):  # type: ignore[no-untyped-def]
            began.set()
            return super().detect(*arguments)

    detector = RemoteDetector(Waiting(GONE), CircuitBreaker(), deadline_s=2.0, retry_for_s=3600)
    errors: list[Exception] = []

    def detect() -> None:
        try:
            detector.detect(frame_of(0))
        except DetectorError as error:
            errors.append(error)

    thread = threading.Thread(target=detect)
    thread.start()
    assert began.wait(20)
    detector.close()
    thread.join(20)
    assert [str(error) for error in errors] == ["the detector is closed"]

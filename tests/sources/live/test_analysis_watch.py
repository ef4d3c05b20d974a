"""A source without frames for the detector is logged once with the reason, and once when it recovers."""

from __future__ import annotations

import pytest

from streamer.flow.stats import RunStats
from streamer.sources.live.analysis_watch import COUNT, REPORT_AFTER_S, AnalysisWatch

FPS = 32  # so that times are exact


class Listener:
    """A watch, its log lines, and a clock that advances with the frames."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stats = RunStats()
        self.watch = AnalysisWatch("rtsp://cam", self.stats.count, self.lines.append)
        self.at_s = 1000.0

    def pictures(self, seconds: float, cause: str = "", words: str = "") -> None:
        for _ in range(round(seconds * FPS)):
            self.at_s += 1 / FPS
            self.watch.add_frame(self.at_s, cause, words)

    def lost(self, seconds: float, cause: str, words: str = "") -> None:
        for _ in range(round(seconds * FPS)):
            self.at_s += 1 / FPS
            self.watch.add_lost(self.at_s, cause, 1, words)


@pytest.fixture
def heard() -> Listener:
    return Listener()


def test_nothing_is_logged_while_most_frames_are_analysed(heard: Listener) -> None:
    heard.pictures(60)
    heard.pictures(REPORT_AFTER_S - 0.5, "packet loss")
    heard.pictures(1)
    heard.pictures(REPORT_AFTER_S - 0.5, "packet loss")
    assert heard.lines == []
    assert heard.stats.counts == {}


def test_unanalysed_frames_are_logged_once_with_the_reason(heard: Listener) -> None:
    heard.pictures(1)
    heard.pictures(60, "decoder error", "SEI of another kind")
    assert heard.lines == [
        "rtsp://cam: no frame could be analysed for 10 s: 320 damaged (decoder error: SEI of another kind)"
    ]
    assert heard.stats.counts == {(COUNT, "decoder error"): 1}


def test_the_recovery_is_logged_with_its_duration(heard: Listener) -> None:
    heard.pictures(1)
    heard.pictures(30, "packet loss")
    heard.pictures(60)
    assert heard.lines[1:] == ["rtsp://cam: frames are analysed again after 30 s"]


def test_a_new_reason_and_a_new_outage_are_logged_again(heard: Listener) -> None:
    heard.pictures(15, "packet loss", "RTP: missed 3 packets")
    heard.pictures(45, "decoder error", "overread 8")
    heard.pictures(1)
    heard.pictures(15, "decoder error")
    assert len(heard.lines) == 4
    assert "(decoder error: overread 8)" in heard.lines[1]
    assert heard.stats.counts == {(COUNT, "packet loss"): 1, (COUNT, "decoder error"): 2}


def test_frames_that_cannot_be_decoded_count_too(heard: Listener) -> None:
    heard.lost(11, "before key frame")
    assert heard.lines == ["rtsp://cam: no frame could be analysed for 10 s: 321 lost (before key frame)"]
    heard.lost(11, "decode error", "no frame!")
    assert "decode error: no frame!" in heard.lines[1]


def test_the_time_without_a_connection_does_not_count(heard: Listener) -> None:
    heard.pictures(1)
    heard.at_s += 3600
    heard.watch.connected()
    heard.lost(1, "before key frame")
    heard.pictures(10)
    assert heard.lines == []
    heard.pictures(11, "packet loss")
    heard.at_s += 3600
    heard.watch.connected()
    heard.pictures(1)
    assert len(heard.lines) == 2
    assert "again" in heard.lines[1]

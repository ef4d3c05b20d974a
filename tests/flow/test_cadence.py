"""Which frames are detected: by number, or by media time, whatever frame rate the container declares."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from streamer.flow.cadence import Cadence, Schedule
from streamer.values.frame import Frame

PICTURE = av.VideoFrame(16, 16, "yuv420p")


def wanted(cadence: Cadence, times_s: list[float]) -> list[int]:
    schedule = Schedule(cadence)
    frames = [
        Frame(PICTURE, index, round(time_s * 90000), Fraction(1, 90000), 0.0) for index, time_s in enumerate(times_s)
    ]
    return [frame.index for frame in frames if schedule.selects(frame)]


def test_every_third_frame_starts_with_the_first() -> None:
    assert wanted(Cadence(3), [index / 25 for index in range(10)]) == [0, 3, 6, 9]


@pytest.mark.parametrize("rate", [5.0, 23.976, 25.0, 29.97, 60.0, 240.0])
@pytest.mark.parametrize("fps", [0.5, 1.0, 2.0, 4.5])
def test_detections_per_second_count_media_time(rate: float, fps: float) -> None:
    found = wanted(Cadence(fps=fps), [index / rate for index in range(round(20 * rate))])
    assert len(found) == 20 * fps
    assert found[0] == 0


def test_variable_rates_and_pauses_shift_no_selection() -> None:
    times_s = [index / 50 for index in range(100)] + [7.0, 7.1] + [8 + index / 4 for index in range(9)]
    found = wanted(Cadence(fps=2.0), times_s)
    assert [times_s[index] for index in found] == [0.0, 0.5, 1.0, 1.5, 7.0, 8.0, 8.5, 9.0, 9.5, 10.0]


def test_a_source_with_a_low_frame_rate_has_every_frame_detected() -> None:
    assert wanted(Cadence(fps=10.0), [0.0, 1.0, 2.0]) == [0, 1, 2]
    assert Cadence(fps=10.0).of(Fraction(10)).all_frames
    assert not Cadence(max_gap_s=1.0).of(Fraction(10)).all_frames
    assert not Cadence(fps=10.0).of(Fraction(25)).all_frames
    assert not Cadence(fps=10.0).of(None).all_frames


def test_the_interval_between_detections() -> None:
    assert Cadence(5).interval_s(Fraction(50)) == 0.1
    assert Cadence(fps=4).interval_s(Fraction(50)) == Cadence(fps=4).interval_s(None) == 0.25
    assert Cadence(max_gap_s=0.7).interval_s(Fraction(50)) == 0.7
    assert (Cadence(5).every_of(Fraction(50)), Cadence(fps=2).every_of(Fraction(50))) == (5, 25)


@pytest.mark.parametrize("values", [(0, None), (-1, None), (1, 0.0), (1, -2.0)])
def test_values_that_are_not_positive_are_refused(values: tuple[int, float | None]) -> None:
    with pytest.raises(ValueError, match="detect every frame"):
        Cadence(*values)

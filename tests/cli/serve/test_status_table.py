"""The table of a site: it fits the terminal, whatever the cameras are called and say."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from streamer.cli.serve.status_table import duration, short, shortened, table
from streamer.serve.rates import CameraRates
from streamer.serve.status import CameraState, CameraStatus
from streamer.system.secrets import SECRETS
from streamer.values.states import FrameState
from tests.serve.statuses import lost, running, waiting

RATES = CameraRates(15.0, 14.96, 3.8, 0.062, 0.19, 2.0)
LONG = "entrance-of-the-old-warehouse-behind-the-station"


def lines_of(cameras: Sequence[CameraStatus], width: int = 80, height: int = 24) -> list[str]:
    written = io.StringIO()
    console = Console(file=written, width=width, height=height, force_terminal=True, color_system=None)
    console.print(table(cameras, {camera.name: RATES for camera in cameras}, width, height))
    return written.getvalue().splitlines()


def test_a_line_has_the_figures_of_a_camera() -> None:
    head, line, _ = lines_of([running("front")])
    assert head.split() == ["camera", "state", "fps", "in", "shown", "age", "det/s", "drops", "last", "event"]
    assert line.split() == ["front", "running", "15.0", "15.0", "62", "ms", "3.8", "7", "1280x720,", "15", "fps"]


def test_a_site_without_cameras_has_no_empty_table() -> None:
    assert lines_of([]) == ["no camera yet; add one on the page"]


def test_the_last_line_is_the_detector() -> None:
    assert lines_of([running("front")])[-1] == "detector starter: 25.0 ms a detection, 3.8 detections/s, 5% busy"


def test_sixteen_cameras_with_long_names_fit_80_columns() -> None:
    error = "rtsp://camera/yard: the camera does not answer within 5 s; check its address and its cable"
    cameras = [running(f"{LONG}-{number:02}", last_event=error) for number in range(16)]
    lines = lines_of(cameras)
    assert len(lines) == 18
    assert max(map(len, lines)) <= 80
    names = [line.split()[0] for line in lines[1:-1]]
    assert len(set(names)) == 16
    assert (names[0][:4], names[0][-3:]) == ("entr", "-00")
    assert all(line.split()[1] == "running" and line.endswith("…") for line in lines[1:-1])


@pytest.mark.parametrize("width", [20, 40, 60, 80, 81, 120, 200])
def test_no_line_is_wrapped(width: int) -> None:
    lines = lines_of([running(LONG), waiting("yard"), running("前庭" * 20)], width)
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("name", "columns", "text"),
    [("front", 5, "front"), ("front-door", 7, "fro…oor"), ("front-door", 6, "fr…oor"), ("前庭前庭前庭", 7, "前…前庭")],
)
def test_a_long_name_keeps_its_beginning_and_its_end(name: str, columns: int, text: str) -> None:
    assert shortened(name, columns) == text


def test_a_wide_terminal_shows_the_whole_event() -> None:
    camera = waiting("yard", "no data for 5 s; check the cable of the camera")
    assert lines_of([camera], 140)[1].endswith("of the camera")


def test_the_event_of_an_error_is_shown_without_the_address() -> None:
    assert lines_of([waiting("yard", "rtsp://camera/yard: refused")])[1].split()[-1] == "refused"


def test_a_lost_camera_is_shown_as_lost_with_the_cause() -> None:
    line = lines_of([lost("gate")], 100)[1]
    assert line.split()[1] == "lost"
    assert line.endswith("stalled, no data for 5 s")


def test_a_camera_that_does_not_run_has_no_rates() -> None:
    assert lines_of([waiting("yard")])[1].split()[2:7] == ["-", "-", "-", "-", "0"]


def test_cameras_that_do_not_fit_are_counted_and_faults_stay() -> None:
    cameras = [running(f"camera-{number}") for number in range(20)] + [waiting("yard")]
    lines = lines_of(cameras, height=12)
    assert len(lines) == 11
    assert [line.split()[0] for line in lines[1:-2]] == [*(f"camera-{number}" for number in range(7)), "yard"]
    assert lines[-2] == "13 more cameras"


def test_an_event_shows_no_password_and_no_control_characters() -> None:
    SECRETS.split("rtsp://me:s3cr3t-of-gate@camera/")
    (_, line, *_) = lines_of([waiting("gate", "s3cr3t-of-gate \x1b[2J[bold]")], 120)
    assert r"*** \x1b[2J[bold]" in line


def test_frames_that_were_lost_on_the_way_count_as_drops() -> None:
    camera = running("front", state=CameraState.RUNNING)
    camera.stats.ledger.settle(FrameState.CORRUPT, "packet loss", 3)
    assert lines_of([camera])[1].split()[7] == "10"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (99_999, "99999"), (100_000, "100k"), (9_999_500, "10M"), (1_234_567_890, "1235M")]
)
def test_a_count_fits_its_column(count: int, text: str) -> None:
    assert short(count) == text


@pytest.mark.parametrize(
    ("duration_s", "text"), [(0.0, "0 ms"), (0.0624, "62 ms"), (0.9999, "1000 ms"), (1.25, "1.2 s"), (321.0, "321 s")]
)
def test_a_duration_fits_its_column(duration_s: float, text: str) -> None:
    assert duration(duration_s) == text

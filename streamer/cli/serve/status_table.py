"""The table of a running site: one line a camera, one line a detector. Pure functions of the main thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len, chop_cells
from rich.console import Group
from rich.table import Table
from rich.text import Text

from streamer.serve.rates import CameraRates, DetectorRates, of_detectors
from streamer.serve.status import CameraState, CameraStatus
from streamer.system.paths import readable
from streamer.system.secrets import SECRETS
from streamer.values.states import FrameState

_FIGURES = {"fps in": 6, "shown": 6, "age": 6, "det/s": 5, "drops": 5}
"""Columns of numbers with their widths."""
_STATE, _GAPS = 8, 7
_MOST_NAME, _MOST_EVENT = 24, 20
"""Columns of the name; of the event, if there are not enough for both."""
_STYLES = {"running": "green", "ended": "dim", "stopped": "dim"}
_NONE = "-"


def table(cameras: Sequence[CameraStatus], rates: Mapping[str, CameraRates], width: int, height: int) -> Group:
    """The lines of a terminal.

    Cameras that do not fit the height are left out, those that run first, and counted.

    Args:
        cameras: in the order of the lines.
        rates: by name.
        width, height: of the terminal, in columns and lines.
    """
    if not cameras:
        return Group(Text("no camera yet; add one on the page", style="dim"))
    detectors = [
        Text(detector_line(one.name, figures), no_wrap=True, overflow="ellipsis")
        for one, figures in of_detectors(cameras, rates)
    ]
    most = max(height - 2 - len(detectors), 1)  # without the head and the line of the cursor
    shown = list(cameras) if len(cameras) <= most else _most_important(cameras, most - 1)
    more = [] if len(shown) == len(cameras) else [Text(f"{len(cameras) - len(shown)} more cameras", style="dim")]
    return Group(_cameras(shown, rates, width), *more, *detectors)


def _most_important(cameras: Sequence[CameraStatus], count: int) -> list[CameraStatus]:
    """So many cameras, those with a fault first, in their order."""
    chosen = {one.name for one in sorted(cameras, key=lambda one: not one.fault)[:count]}
    return [one for one in cameras if one.name in chosen]


def _cameras(cameras: Sequence[CameraStatus], rates: Mapping[str, CameraRates], width: int) -> Table:
    others = _STATE + sum(_FIGURES.values()) + _GAPS
    names = [readable(camera.name) for camera in cameras]
    event = min(max(map(cell_len, map(_event, cameras)), default=0), _MOST_EVENT)
    name = max(min(max(map(cell_len, names), default=0), _MOST_NAME, width - others - event), cell_len("camera"))
    rows = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    rows.add_column("camera", width=name, no_wrap=True)
    rows.add_column("state", width=_STATE, no_wrap=True)
    for heading, columns in _FIGURES.items():
        rows.add_column(heading, width=columns, justify="right", no_wrap=True)
    rows.add_column("last event", max_width=max(width - others - name, 1), no_wrap=True, overflow="ellipsis")
    for camera in cameras:
        state = camera.shown_state
        cells = [Text(shortened(readable(camera.name), name)), Text(state, style=_STYLES.get(state, "yellow"))]
        cells += map(Text, _figures(camera, rates.get(camera.name)))
        rows.add_row(*cells, Text(_event(camera)))
    return rows


def _figures(camera: CameraStatus, rates: CameraRates | None) -> list[str]:
    drops = short(camera.stats.ledger.count(FrameState.DROPPED) + camera.stats.ledger.count(FrameState.CORRUPT))
    if rates is None or camera.state is not CameraState.RUNNING:
        return [*[_NONE] * 4, drops]
    age = _NONE if rates.age_s is None else duration(rates.age_s)
    return [f"{rates.entered_fps:.1f}", f"{rates.shown_fps:.1f}", age, f"{rates.detected_fps:.1f}", drops]


def _event(camera: CameraStatus) -> str:
    """The last event without the address of the camera, with which most errors begin."""
    return readable(SECRETS.hide(camera.shown_event.removeprefix(f"{camera.source}: ")))


def detector_line(name: str, rates: DetectorRates) -> str:
    """A detector and how busy it is."""
    mean = "" if rates.detect_s is None else f"{rates.detect_s * 1e3:.1f} ms a detection, "
    return f"detector {readable(name)}: {mean}{rates.detected_fps:.1f} detections/s, {rates.busy:.0%} busy"


def shortened(name: str, columns: int) -> str:
    """A name with its middle left out, if it is too long: the names of cameras often differ at their ends."""
    if cell_len(name) <= columns:
        return name
    begin = chop_cells(name, max((columns - 1) // 2, 1))[0]
    end = chop_cells(name[::-1], max(columns - 1 - cell_len(begin), 1))[0][::-1]
    return f"{begin}…{end}"


def short(count: int) -> str:
    """A count in at most 5 characters."""
    if count < 100_000:
        return str(count)
    return f"{count / 1e3:.0f}k" if count < 9_999_500 else f"{count / 1e6:.0f}M"


def duration(duration_s: float) -> str:
    """A duration in at most 6 characters."""
    if duration_s < 1:
        return f"{duration_s * 1e3:.0f} ms"
    return f"{duration_s:.1f} s" if duration_s < 100 else f"{duration_s:.0f} s"

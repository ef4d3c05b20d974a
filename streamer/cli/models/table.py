"""The output of `models list`: a table to choose a model by, and where each model is. Main thread."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from streamer.models.cache import SPEED_SIZE, speeds
from streamer.models.facts import FACTS
from streamer.models.listing import ModelEntry

_UNKNOWN = "-"


def table() -> Table:
    """One row for each model by name."""
    rows = Table(box=None, pad_edge=False)
    rows.add_column("model", no_wrap=True)
    for column in ("classes", "input px", "ms", "mAP", "F1"):
        rows.add_column(column, justify="right", no_wrap=True)
    rows.add_column("licence", no_wrap=True)
    measured = speeds()
    for name, facts in FACTS.items():
        ms = f"{measured[name] * 1e3:.0f}" if name in measured else _UNKNOWN
        published = f"{facts.published_map[0]:.3g}" if facts.published_map else _UNKNOWN
        f1 = _UNKNOWN if facts.person_f1 is None else f"{facts.person_f1:.2f}"
        rows.add_row(name, str(facts.classes), facts.input_px, ms, published, f1, facts.licence)
    return rows


def notes() -> Iterator[str]:
    """What the columns mean, one line each."""
    width, height = SPEED_SIZE
    sets = ", ".join(f"{name} on {facts.published_map[1]}" for name, facts in FACTS.items() if facts.published_map)
    yield f"ms: one {width}x{height} frame on this machine, as `streamer models check MODEL` measured it last"
    yield f"mAP: published, not comparable between data sets: {sets}"
    yield "F1: class Person on PETS09-S2L1-a at the default score"
    yield ""


def entry_lines(entry: ModelEntry) -> Iterator[str]:
    """State, size, origin and path of one model, and what to do if it is not ready."""
    size = "" if entry.size_bytes is None else f", {entry.size_bytes / 1e6:.1f} MB"
    yield f"{entry.name}: {entry.state.value}{size}, {entry.kind}"
    yield f"  from {entry.origin}"
    yield f"  at   {entry.path}"
    if entry.detail:
        yield f"  {entry.detail}"

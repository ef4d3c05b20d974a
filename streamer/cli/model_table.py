"""The table of `models list`: the models by name, to choose by. Main thread."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from streamer.models.facts import FACTS, SPEED_SIZE, speeds

_UNKNOWN = "-"


def model_table() -> Table:
    """One row for each model by name."""
    table = Table(box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for column in ("classes", "input px", "ms", "mAP", "F1"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("licence", no_wrap=True)
    measured = speeds()
    for name, facts in FACTS.items():
        ms = f"{measured[name] * 1e3:.0f}" if name in measured else _UNKNOWN
        published = f"{facts.published_map[0]:.3g}" if facts.published_map else _UNKNOWN
        f1 = _UNKNOWN if facts.person_f1 is None else f"{facts.person_f1:.2f}"
        table.add_row(name, str(facts.classes), facts.input_px, ms, published, f1, facts.licence)
    return table


def notes() -> Iterator[str]:
    """What the columns mean, one line each."""
    width, height = SPEED_SIZE
    sets = ", ".join(f"{name} on {facts.published_map[1]}" for name, facts in FACTS.items() if facts.published_map)
    yield f"ms: one {width}x{height} frame on this machine, as `streamer models check MODEL` measured it last"
    yield f"mAP: published, not comparable between data sets: {sets}"
    yield "F1: class Person on PETS09-S2L1-a at the default score"

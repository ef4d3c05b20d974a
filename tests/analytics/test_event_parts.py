"""Whatever is shown: each event that starts has one end, with its updates in between, and a number of its own."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.values.events import Event, EventPhase
from tests.analytics.paths import Run, box_at, rules

NIGHT = [{"start": "22:00", "end": "06:00", "timezone": "UTC"}]
SETTINGS = {
    "lines": [{"name": "line", "points": [[0, 0.5], [1, 0.4]]}],
    "zones": [
        {"name": "left", "points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "leave_s": 3.0, "dwell_s": 1.0, "for_s": 0.3,
         "max_inside": 1, "min_inside": 1},
        {"name": "low", "points": [[0, 0.5], [1, 0.5], [1, 1]], "anchor": "centre", "enter_s": 0, "leave_s": 0},
        {"name": "night", "points": [[0, 0], [1, 0], [1, 1]], "schedule": NIGHT, "classes": ["Person"]},
    ],
    "counts": [{"name": "count", "max_count": 2, "min_count": 1, "for_s": 0.2, "schedule": NIGHT, "min_age_s": 0.3}],
    "presence": [{"name": "car", "classes": ["Car"], "disappear_s": 0.4, "min_score": 0.5}],
}  # fmt: skip


@st.composite
def shows(draw: st.DrawFn) -> Run:
    """A run with tracks that come, go, jump, flicker and get new ids, with reconnections and jumps of both clocks."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    run, time_s, segment, wall_s = Run(rules(**SETTINGS)), 0.0, 0, 21.9 * 3600
    step_s, jumps, comes = draw(st.sampled_from([0.04, 0.2, 1.0])), draw(st.floats(0, 0.2)), draw(st.floats(0.3, 1))
    for _ in range(draw(st.integers(1, 150))):
        ids = [track for track in range(1, 6) if random.random() < comes]
        if random.random() < jumps:
            segment += int(random.integers(2))
            time_s += float(random.choice([-2.0, 0.0, 3.0, 50.0]))
            wall_s += float(random.choice([-7200.0, 3600.0, 60.0]))
            time_s = max(time_s, 0.0)
        places = random.uniform((0, 60), (640, 360), (6, 2)) if random.random() < 0.3 else np.full((6, 2), 200.0)
        boxes = {track + 5 * segment: box_at(*places[track].tolist()) for track in ids}
        run.show(
            time_s,
            boxes,
            labels={track: int(random.random() < 0.4) for track in boxes},
            scores={track: float(random.random()) for track in boxes},
            segment=segment,
            wall_clock_s=wall_s,
        )
        assert all(0 <= zone.inside <= 20 for zone in run.watched.zones)
        time_s, wall_s = time_s + step_s, wall_s + 60
    run.finish()
    return run


@settings(max_examples=60, deadline=None)
@given(shows())
def test_every_event_that_starts_ends_once(run: Run) -> None:
    by_number: dict[int, list[Event]] = defaultdict(list)
    for event in run.events:
        by_number[event.number].append(event)
    assert sorted(by_number) == list(range(1, len(by_number) + 1))
    for parts in by_number.values():
        phases = [part.phase for part in parts]
        if phases == [EventPhase.MOMENT]:
            continue
        assert (phases[0], phases[-1]) == (EventPhase.START, EventPhase.END)
        assert set(phases[1:-1]) <= {EventPhase.UPDATE}
        assert len({(part.rule, part.track) for part in parts}) == 1
    assert [zone.inside for zone in run.watched.zones] == [0, 0, 0] or not run.events

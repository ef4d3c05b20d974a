"""`kill -9` at any moment: what was written is there afterwards, and the next start ends the open events."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.store.event_store import EventStore
from streamer.store.records import Ending
from streamer.values.events import EventPhase
from tests.store.stores import rows, settings

KILLS = 20
WRITER = """
import json, sys
from dataclasses import replace
from pathlib import Path
from streamer.store.event_store import EventStore
from streamer.store.records import Ending
from streamer.values.events import EventPhase
from tests.store.stores import NOON, event, settings

with EventStore(settings(Path(sys.argv[1]))) as store:
    while True:
        first, second = event(), event(NOON + 1)
        store.save(first, EventPhase.START, ["mqtt", "hook"])
        store.save(second, EventPhase.START, ["mqtt"])
        last = replace(first, end_time=NOON + 2, end_s=7.0, ending=Ending.RULE, revision=2)
        store.save(last, EventPhase.END, ["mqtt"])
        assert store.flush()
        print(json.dumps([first.id, second.id]), flush=True)
        store.save(event(NOON + 2), EventPhase.START, ["mqtt"])
"""


@pytest.mark.slow
def test_a_killed_program_loses_nothing_that_was_written(tmp_path: Path) -> None:
    written: list[list[str]] = []
    for kill in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for _ in range(1 + kill * 3 % 11):
                written.append(json.loads(process.stdout.readline()))
            process.kill()
            written += [json.loads(line) for line in process.stdout if line.endswith("]\n")]
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    with EventStore(settings(tmp_path), targets_for=lambda *_: ["mqtt"]) as store:
        assert store.find(limit=1)
        for first_id, second_id in written:
            first, second = store.get(first_id), store.get(second_id)
            assert first is not None
            assert second is not None
            assert (first.ending, first.revision) == (Ending.RULE, 2)
            assert (second.ending, second.revision) == (Ending.KILLED, 2)
        assert rows(tmp_path, "SELECT count(*) FROM events WHERE end_time IS NULL") == [(0,)]
        found = [(one.event_id, one.phase) for one in store.pending("mqtt", 100_000)]
        starts = {event_id for event_id, phase in found if phase is EventPhase.START}
        ends = [event_id for event_id, phase in found if phase is EventPhase.END]
        assert {one for pair in written for one in pair} <= starts
        assert {first for first, _ in written} <= set(ends)
        assert len(ends) == len(set(ends))
        assert {one.event_id for one in store.pending("hook", 100_000)} >= {first for first, _ in written}

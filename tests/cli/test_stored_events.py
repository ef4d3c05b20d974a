"""`run --store` and the section `store` of a site: events with their clips and snapshots, from the first frame on."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from streamer.config.events import StoreSettings
from streamer.store.event_store import EventStore
from streamer.store.records import Ending, EventRecord
from streamer.values.events import EventKind
from tests.cli.program import Program
from tests.cli.test_lines_and_zones import LINE, ZONE, write_clip

RULES = ("--line", LINE, "--zone", ZONE)


def stored(folder: Path) -> list[EventRecord]:
    """All events of a store, oldest first."""
    with EventStore(StoreSettings(folder=folder)) as store:
        return store.find(newest_first=False)


def test_a_run_stores_each_event_with_clip_and_snapshots(program: Program) -> None:
    clip = write_clip(program.folder)
    result = program("run", clip, "--detector", "seen.jsonl", *RULES, "--store", "kept", "--events", "events.jsonl")
    assert result.code == 0, result.errors
    assert "events in kept" in result.errors
    assert "events: 6 stored, 6 clips" in result.output
    events = stored(program.folder / "kept")
    lines = [json.loads(line) for line in (program.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [event.kind for event in events].count(EventKind.CROSSING) == 3
    assert [event.kind for event in events].count(EventKind.ENTER) == 3
    left = {line["track"]: line["time_s"] for line in lines if line["kind"] == "leave"}
    for event in events:
        assert (event.camera, event.label, event.ending) == ("clip.mp4", "Person", Ending.RULE)
        assert event.end_s == pytest.approx(left[event.track] if event.kind is EventKind.ENTER else event.start_s)
        assert event.end_time is not None
        assert event.end_s is not None
        assert event.end_time - event.start_time == pytest.approx(event.end_s - event.start_s)
        check_files(program.folder / "kept", event)


def test_the_events_and_the_files_of_an_address_have_the_name_of_its_file(program: Program) -> None:
    clip = write_clip(program.folder)
    result = program("run", f"file://{clip}", "--detector", "seen.jsonl", "--line", LINE, "--store", "kept")
    assert result.code == 0, result.errors
    events = stored(program.folder / "kept")
    assert {event.camera for event in events} == {event.clip.split("/")[0] for event in events} == {"clip.mp4"}


def check_files(folder: Path, event: EventRecord) -> None:
    """The clip holds the event; the snapshots are pictures of the frame and of a part of it."""
    assert event.clip_duration_s is not None
    with av.open(str(folder / event.clip)) as clip:
        assert float(clip.duration or 0) / av.time_base == pytest.approx(event.clip_duration_s, abs=0.05)
    boxes = json.loads((folder / event.boxes).read_text(encoding="utf-8"))
    assert any(track["id"] == event.track for frame in boxes["frames"] for track in frame["tracks"])
    sizes = []
    for name in (event.snapshot, event.crop):
        with av.open(str(folder / name)) as picture:
            sizes.append(next(picture.decode(video=0)).to_ndarray(format="rgb24").shape)
    assert sizes[0] == (360, 640, 3)
    assert np.prod(sizes[1]) < np.prod(sizes[0])
    files = (event.clip, event.boxes, event.snapshot, event.crop)
    assert event.bytes == sum((folder / name).stat().st_size for name in files)


def test_a_run_makes_clips_with_boxes_before_it_ends(program: Program) -> None:
    clip = write_clip(program.folder)
    annotated = ("--set", "events.clip.annotated=true")
    result = program("run", clip, "--detector", "seen.jsonl", "--line", LINE, "--store", "kept", *annotated)
    assert result.code == 0, result.errors
    for event in stored(program.folder / "kept"):
        with av.open(str(program.folder / "kept" / event.annotated)) as drawn:
            assert drawn.streams.video[0].codec_context.name == "h264"
            assert float(drawn.duration or 0) / av.time_base == pytest.approx(event.clip_duration_s, abs=0.1)


def test_an_event_that_lasts_is_ended_with_the_run(program: Program) -> None:
    clip = write_clip(program.folder)
    whole = "all=0,0,1,0,1,1,0,1"
    result = program("run", clip, "--detector", "seen.jsonl", "--zone", whole, "--store", "kept")
    assert result.code == 0, result.errors
    events = stored(program.folder / "kept")
    assert events
    assert all(event.end_time is not None for event in events)
    assert Ending.RUN in {event.ending for event in events}


def test_a_run_without_a_rule_says_that_it_stores_nothing(program: Program) -> None:
    clip = write_clip(program.folder)
    result = program("run", clip, "--detector", "seen.jsonl", "--store", "kept")
    assert result.code == 0, result.errors
    assert "no events will be stored" in result.errors


def test_targets_need_a_store(program: Program) -> None:
    clip = write_clip(program.folder)
    target = "notify.targets.hook={type: webhook, url: 'http://127.0.0.1:9/'}"
    result = program("run", clip, "--detector", "seen.jsonl", *RULES, "--set", target, "-o", "out.mp4")
    assert result.code == 2
    assert "store.folder" in result.errors
    assert "Traceback" not in result.errors
    assert not (program.folder / "out.mp4").exists()


def test_a_store_that_cannot_be_written_is_refused(program: Program) -> None:
    clip = write_clip(program.folder)
    (program.folder / "kept").write_bytes(b"a file")
    result = program("run", clip, "--detector", "seen.jsonl", *RULES, "--store", "kept", "-o", "out.mp4")
    assert result.code == 2
    assert "store.folder" in result.errors
    assert "Traceback" not in result.errors


def test_the_cameras_of_a_site_share_a_store(program: Program) -> None:
    write_clip(program.folder)
    rules = {"lines": [{"name": "gate", "points": [[0, 0.5], [1, 0.5]]}]}
    cameras = {name: {"source": {"uri": "clip.mp4"}} for name in ("front", "back")}
    site = {"store": {"folder": "kept"}, "detector": {"name": "seen.jsonl"}, "cameras": cameras}
    site["defaults"] = {"analytics": rules}
    (program.folder / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    result = program("serve", "--config", "site.yaml")
    assert result.code == 0, result.errors
    events = stored(program.folder / "kept")
    assert sorted(event.camera for event in events) == ["back"] * 3 + ["front"] * 3
    for event in events:
        check_files(program.folder / "kept", event)


def test_a_live_run_without_an_output_may_store_its_events(program: Program) -> None:
    result = program("run", "rtsp://192.0.2.10/stream1", *RULES)
    assert result.code == 2
    assert "or store its events with store.folder (--store)" in result.errors.replace("\n  ", " ")

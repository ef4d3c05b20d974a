"""Snapshots of events: real JPEG files from real frames."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamer.clips.snapshot_files import FinishedSnapshot
from streamer.clips.snapshots import Snapshots
from streamer.config.events import SnapshotSettings
from streamer.flow.stats import RunStats
from streamer.interfaces import Scene
from streamer.store.records import EventRecord
from streamer.values.events import EventKind
from tests.render.scenes import painted, scene, tracks

ID = "01JDMZ3V7Q0000000000000000"  # 2024-11-26
SIZE = (320, 240)
RED, BLUE = (200, 30, 40), (20, 60, 210)


class Recorded:
    """Snapshots in a folder, with what they reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reported: list[FinishedSnapshot] = []
        self.snapshots: Snapshots

    def open(
        self,
        settings: SnapshotSettings | None = None,
        ratio: Fraction = Fraction(1),
        stats: RunStats | None = None,
    ) -> Snapshots:
        self.snapshots = Snapshots(
            "gate",
            settings or SnapshotSettings(),
            self.folder,
            self.reported.append,
            sample_aspect_ratio=ratio,
            stats=stats,
        )
        return self.snapshots

    def picture(self, suffix: str = ".jpg") -> np.ndarray:
        """uint8 RGB, read by another decoder than the one that the program uses to write."""
        with av.open(str(self.folder / "gate" / "2024-11-26" / f"{ID}{suffix}")) as read:
            return next(read.decode(video=0)).to_ndarray(format="rgb24")


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    made = Recorded(tmp_path)
    yield made
    made.snapshots.close()


def event(track: int = 1, kind: EventKind = EventKind.ENTER) -> EventRecord:
    return EventRecord(ID, "gate", "drive", kind, start_time=1732700000.0, start_s=0.0, track=track)


def plain(colour: tuple[int, int, int], size: tuple[int, int] = SIZE) -> av.VideoFrame:
    return painted(np.full((size[1], size[0], 3), colour, np.uint8))


def textured(colour: tuple[int, int, int], blur: int = 1) -> av.VideoFrame:
    """A colour with fine squares, blurred over so many pixels."""
    rows, columns = np.indices((SIZE[1], SIZE[0])) // 4
    pixels = np.where(((rows + columns) % 2 == 0)[..., np.newaxis], colour, np.array(colour) // 2).astype(np.uint8)
    return painted(cv2.blur(pixels, (blur, 1)))


def at(
    time_s: float, picture: av.VideoFrame, box: tuple[float, ...] = (100, 60, 200, 180), score: float = 0.8
) -> Scene:
    return scene(picture, tracks([box], scores=[score]), time_s=time_s)


def is_near(pixels: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.median(pixels.reshape(-1, 3), axis=0) - colour).max() < 6)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (at(0.0, textured(RED), score=0.9), at(0.0, textured(BLUE), score=0.5)),
        (at(0.0, textured(RED), (60, 30, 260, 210)), at(0.0, textured(BLUE), (140, 100, 180, 140))),
        (at(0.0, textured(RED)), at(0.0, textured(BLUE, blur=15))),
        (at(0.0, textured(RED)), at(0.0, textured(BLUE), (220, 60, 320, 180))),
    ],
    ids=["score", "size", "sharpness", "inside"],
)
@pytest.mark.parametrize("first", [True, False])
def test_the_best_picture_of_the_track_is_kept(recorded: Recorded, better: Scene, worse: Scene, first: bool) -> None:
    snapshots = recorded.open()
    begin, second = (better, worse) if first else (worse, better)
    later = replace(second, frame=replace(second.frame, pts=second.frame.pts + 200))
    snapshots.scene_shown(begin)
    snapshots.start(event())
    snapshots.scene_shown(later)
    snapshots.end(ID)
    snapshots.close()
    whole, crop = recorded.picture(), recorded.picture("-crop.jpg")
    assert whole.shape == (240, 320, 3)
    assert whole[..., 0].mean() > whole[..., 2].mean()
    assert crop[..., 0].mean() > crop[..., 2].mean()


def test_an_event_has_a_picture_soon_and_a_better_one_at_its_end(recorded: Recorded) -> None:
    snapshots = recorded.open()
    snapshots.scene_shown(at(0.0, plain(BLUE), score=0.5))
    snapshots.start(event())
    for number in itertools.count(1):
        snapshots.scene_shown(at(number / 10, plain(BLUE), score=0.5))
        if number / 10 >= 0.5:
            break
    snapshots.scene_shown(at(0.9, textured(RED), score=0.9))
    snapshots.end(ID)
    snapshots.close()
    assert [one.event_id for one in recorded.reported] == [ID, ID]
    last = recorded.reported[-1]
    assert (last.snapshot, last.crop) == (f"gate/2024-11-26/{ID}.jpg", f"gate/2024-11-26/{ID}-crop.jpg")
    sizes = sum((recorded.folder / name).stat().st_size for name in (last.snapshot, last.crop))
    assert sum(one.bytes for one in recorded.reported) == sizes
    assert recorded.picture()[..., 0].mean() > 100


def test_an_event_without_a_track_has_the_frame_on_which_it_starts(recorded: Recorded) -> None:
    snapshots = recorded.open()
    snapshots.scene_shown(at(0.0, plain(RED)))
    snapshots.start(event(track=0, kind=EventKind.ABOVE))
    snapshots.scene_shown(at(1.0, plain(BLUE), score=0.99))
    snapshots.end(ID)
    snapshots.close()
    assert is_near(recorded.picture(), RED)
    assert [(one.crop, one.snapshot != "") for one in recorded.reported] == [("", True)]


def test_colours_and_shape_are_those_of_the_picture(recorded: Recorded) -> None:
    snapshots = recorded.open(ratio=Fraction(4, 3))
    snapshots.scene_shown(at(0.0, plain(RED)))
    snapshots.start(event())
    snapshots.end(ID)
    snapshots.close()
    assert recorded.picture().shape == (240, 427, 3)  # square pixels
    assert is_near(recorded.picture(), RED)
    assert is_near(recorded.picture("-crop.jpg"), RED)


def test_boxes_are_drawn_on_the_whole_frame_only(recorded: Recorded) -> None:
    snapshots = recorded.open(SnapshotSettings(boxes=True))
    snapshots.scene_shown(at(0.0, plain(BLUE)))
    snapshots.start(event())
    snapshots.end(ID)
    snapshots.close()
    assert np.abs(recorded.picture()[60:180, 100:104].astype(int) - BLUE).max() > 60
    assert np.abs(recorded.picture("-crop.jpg").astype(int) - BLUE).max() < 12


def test_a_crop_can_be_left_out(recorded: Recorded) -> None:
    snapshots = recorded.open(SnapshotSettings(crop=False))
    snapshots.scene_shown(at(0.0, plain(BLUE)))
    snapshots.start(event())
    snapshots.end(ID)
    snapshots.close()
    assert [path.name for path in recorded.folder.rglob("*.*")] == [f"{ID}.jpg"]


def test_a_failing_disk_is_said_once_and_counted(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    (recorded.folder / "gate").touch()  # a file where the folder should be
    stats = RunStats()
    snapshots = recorded.open(stats=stats)
    snapshots.scene_shown(at(0.0, plain(BLUE)))
    for _ in range(3):
        snapshots.start(event())
        snapshots.end(ID)
    snapshots.close()
    assert stats.counts["snapshot", "dropped"] == snapshots.failed == 3
    assert len([line for line in caplog.messages if "cannot write snapshots" in line]) == 1
    assert [path.name for path in recorded.folder.iterdir()] == ["gate"]


def test_an_error_in_one_picture_does_not_end_the_others(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    snapshots = recorded.open()

    def broken(_: object) -> None:
        monkeypatch.undo()
        raise RuntimeError("broken")

    monkeypatch.setattr(snapshots._files, "_write", broken)
    snapshots.scene_shown(at(0.0, plain(BLUE)))
    for _ in range(2):
        snapshots.start(event())
        snapshots.end(ID)
    snapshots.close()
    assert snapshots.failed == 1
    assert is_near(recorded.picture(), BLUE)
    assert any("RuntimeError: broken" in line for line in caplog.messages)


def test_the_last_frame_can_be_kept_after_the_run(recorded: Recorded) -> None:
    snapshots = recorded.open()
    snapshots.scene_shown(at(0.0, plain(BLUE)))
    snapshots.scene_shown(at(0.1, plain(RED)))
    snapshots.close()
    snapshots.start(event())  # too late: nothing happens
    assert recorded.reported == []
    snapshots.keep_last(event(track=0, kind=EventKind.CAMERA_LOST))
    assert is_near(recorded.picture(), RED)
    assert [one.event_id for one in recorded.reported] == [ID]


def test_the_temporary_files_of_a_killed_program_are_removed(recorded: Recorded) -> None:
    left = recorded.folder / "gate" / "2024-11-26" / f"{ID}.jpg.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a picture")
    recorded.open().close()
    assert not left.exists()

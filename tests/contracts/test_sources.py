"""The contract of `streamer.interfaces.Source`, for every registered source."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import psutil
import pytest

from streamer import registry
from streamer.config.source import SourceSettings
from streamer.errors import SourceUnavailable
from streamer.features import SourceContext
from streamer.interfaces import Source
from tests import clips

FRAMES = 8
OPENINGS = 12

Make = Callable[[], Source]


def _file(folder: Path) -> str:
    return str(clips.write_video(folder / "clip.mp4", frames=FRAMES))


def _images(folder: Path) -> str:
    for number in range(FRAMES):
        clips.write_picture(folder / f"img{number}.png", number)
    return str(folder)


def _synthetic(folder: Path) -> str:
    del folder
    return f"lavfi:testsrc2=size=64x48:rate=25,trim=end_frame={FRAMES}"


INPUTS: dict[str, Callable[[Path], str]] = {"file": _file, "images": _images, "paced": _file, "synthetic": _synthetic}
NONSENSE = {
    "file": "missing.mp4",
    "images": "missing/*.png",
    "paced": "missing.mp4",
    "synthetic": "lavfi:nonsense",
}
ELSEWHERE = {"camera", "network", "pipe", "recorded"}
"""Sources that need a device, a server or another process; `tests/sources` has their tests."""


def open_as(name: str, uri: str) -> Source:
    settings = SourceSettings(live=True if name == "paced" else None)
    feature = registry.SOURCES[name]
    assert feature.accepts(uri, settings)
    source: Source = feature.from_settings(uri, settings, SourceContext())
    return source


def test_every_registered_source_is_tested() -> None:
    assert INPUTS.keys() | ELSEWHERE == set(registry.SOURCES)


@pytest.fixture(scope="module", params=sorted(INPUTS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def make(name: str, tmp_path_factory: pytest.TempPathFactory) -> Make:
    uri = INPUTS[name](tmp_path_factory.mktemp(name))
    return lambda: open_as(name, uri)


@pytest.fixture
def source(make: Make) -> Iterator[Source]:
    with make() as entered:
        yield entered


def test_each_frame_is_returned_once_and_in_order(source: Source) -> None:
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(FRAMES))
    assert all(isinstance(frame.pts, int) and isinstance(frame.time_base, Fraction) for frame in frames)
    assert all(a.pts * a.time_base < b.pts * b.time_base for a, b in pairwise(frames))
    assert all(a.captured_s <= b.captured_s for a, b in pairwise(frames))
    assert {frame.segment for frame in frames} == {0}
    assert not any(frame.corrupt for frame in frames)


def test_info_matches_the_frames(source: Source) -> None:
    info = source.info
    frames = list(source)
    for frame in frames:
        assert (frame.width, frame.height) == (info.width, info.height)
        assert frame.picture.format.name == info.pixel_format
        assert frame.time_base == info.time_base == frame.picture.time_base
        assert frame.picture.pts == frame.pts
    assert info.frame_count in (None, len(frames))
    assert info.average_fps is not None
    assert frames[1].pts * frames[1].time_base - frames[0].pts * frames[0].time_base == 1 / info.average_fps
    assert info.name


def test_intact_input_has_no_damage(source: Source) -> None:
    for _ in source:
        assert source.take_damage() == []
    assert source.take_damage() == []


def test_frames_outlive_their_source(make: Make) -> None:
    with make() as source:
        frames = list(source)
        inside = [frame.rgb().tobytes() for frame in frames]
    assert [frame.rgb().tobytes() for frame in frames] == inside


def test_leaving_early_and_twice_is_fine(make: Make) -> None:
    source = make()
    with source:
        assert len(list(islice(source, 2))) == 2
    source.__exit__(None, None, None)
    assert source.take_damage() == []


def test_leaving_without_iterating_is_fine(make: Make) -> None:
    with make() as source:
        assert source.info.width > 0
    assert source.info.width > 0


def test_is_used_once(make: Make) -> None:
    source = make()
    with source:
        assert len(list(source)) == FRAMES
        with pytest.raises(RuntimeError, match="once"):
            iter(source)
    with pytest.raises(RuntimeError, match="once"):
        source.__enter__()


def test_must_be_entered_first(make: Make) -> None:
    source = make()
    with pytest.raises(RuntimeError, match="entered"):
        _ = source.info
    with pytest.raises(RuntimeError, match="with"):
        iter(source)


def test_an_invalid_input_is_unavailable_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = open_as(name, NONSENSE[name])
    with pytest.raises(SourceUnavailable) as caught:
        source.__enter__()
    assert NONSENSE[name] in str(caught.value)
    assert "\n" not in str(caught.value)


def frames_in_memory() -> list[av.VideoFrame]:
    return [item for item in gc.get_objects() if isinstance(item, av.VideoFrame) and item.width > 16]


def test_a_dropped_frame_is_freed_at_once(make: Make) -> None:
    gc.collect()
    before = len(frames_in_memory())  # those of threads that other tests left hanging
    gc.disable()  # a frame in a reference cycle would stay until the collector runs, with all its memory
    try:
        with make() as source:
            assert sum(1 for _ in source) == FRAMES
            assert len(frames_in_memory()) <= before + 2
    finally:
        gc.enable()


@pytest.mark.parametrize("taken", [0, 2, FRAMES])
def test_no_thread_and_descriptor_is_left_open(make: Make, taken: int) -> None:
    with make() as warm_up:
        list(warm_up)
    process = psutil.Process()
    threads, descriptors = process.num_threads(), process.num_fds()
    for _ in range(OPENINGS):
        with make() as source:
            list(islice(source, taken))
    assert process.num_fds() == descriptors
    # The kernel lists a joined thread for a moment after it has ended, so the last opening's may still be counted.
    # A leak of one thread an opening is more than that.
    assert process.num_threads() - threads < OPENINGS

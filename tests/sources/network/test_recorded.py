"""A recording behind an address: nothing of it is dropped; what has no end is live."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.interfaces import PassthroughSource, Scene, Source
from streamer.sources.live.live import LiveSource
from streamer.sources.network.connector import NetworkConnector
from streamer.sources.network.recorded import RecordedSource, is_recording
from streamer.sources.selection import open_source
from streamer.values.states import FrameState
from tests import clips
from tests.sinks.making import video_sink
from tests.sinks.scenes import LABELS, annotate, payloads, tracks
from tests.sources.network.web_server import serving

FRAMES = 60
NAMES = ["clip.mp4", "clip.mkv", "clip.ts", "list.m3u8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same 60 frames as files and as ended and live HLS playlists."""
    folder = tmp_path_factory.mktemp("web")
    for name in NAMES[:3]:
        index_first = {"movflags": "faststart"} if name == "clip.mp4" else None
        clips.write_video(folder / name, frames=FRAMES, audio=True, options={"g": "20"}, container_options=index_first)
    parts = {"hls_time": "0.8", "hls_list_size": "0"}
    clips.write_video(
        folder / "list.m3u8",
        frames=FRAMES,
        audio=True,
        options={"g": "20"},
        container_format="hls",
        container_options=parts,
    )
    finished = (folder / "list.m3u8").read_text()
    assert finished.count(".ts") == 3
    assert finished.endswith("#EXT-X-ENDLIST\n")
    (folder / "live.m3u8").write_text(finished.removesuffix("#EXT-X-ENDLIST\n"))
    (folder / "page.html").write_text("<html><body>No video here.</body></html>" * 50)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with serving(folder) as address:
        yield address


def check_whole(source: Source) -> None:
    """Every frame is read exactly once and in order, and no loss is reported."""
    assert isinstance(source, RecordedSource)
    with source:
        assert not source.info.live
        assert source.info.average_fps == 25
        frames = list(source)
        assert source.take_damage() == []
    assert [clips.read_number(frame.picture) for frame in frames] == list(range(FRAMES))
    assert {frame.segment for frame in frames} == {0}


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_of_a_recording_is_read_once(address: str, name: str) -> None:
    check_whole(open_source(f"{address}/{name}"))


@pytest.mark.parametrize("name", NAMES)
def test_a_server_without_ranges_works_too(folder: Path, name: str) -> None:
    with serving(folder, ranges=False) as address:
        check_whole(open_source(f"{address}/{name}", SourceSettings(live=False)))


def test_an_index_at_the_end_works_without_ranges(tmp_path: Path) -> None:
    clips.write_video(tmp_path / "clip.mp4", frames=FRAMES, audio=True)
    with serving(tmp_path, ranges=False) as address:
        check_whole(open_source(f"{address}/clip.mp4"))


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_audio_is_the_same_as_from_disk(folder: Path, tmp_path: Path, name: str, ranges: bool) -> None:
    with (
        serving(folder, ranges=ranges) as address,
        open_source(f"{address}/{name}", SourceSettings(live=False)) as source,
    ):
        assert isinstance(source, PassthroughSource)
        with video_sink(tmp_path / "far.mkv", source.info, passthrough=source.passthrough) as sink:
            for frame in source:
                sink.write(Scene(frame, tracks(0), LABELS, FrameState.DETECTED))
    annotate(folder / name, tmp_path / "near.mkv")
    near, far = payloads(tmp_path / "near.mkv", "audio"), payloads(tmp_path / "far.mkv", "audio")
    assert near == far != []


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_content_with_a_known_size_is_a_recording(folder: Path, name: str, ranges: bool) -> None:
    with serving(folder, ranges=ranges) as address:
        check_whole(open_source(f"{address}/{name}"))


@pytest.mark.parametrize(("name", "recorded"), [("list.m3u8", True), ("live.m3u8", False), ("clip.mp4", True)])
def test_a_playlist_without_an_end_is_live(address: str, name: str, recorded: bool) -> None:
    assert is_recording(NetworkConnector(f"{address}/{name}")) is recorded
    assert isinstance(open_source(f"{address}/{name}"), RecordedSource if recorded else LiveSource)


def test_settings_decide_what_is_a_recording(address: str) -> None:
    assert isinstance(open_source(f"{address}/clip.mp4", SourceSettings(live=True)), LiveSource)
    assert isinstance(open_source(f"{address}/live.m3u8", SourceSettings(live=False)), RecordedSource)


def test_info_of_a_recording(address: str) -> None:
    with open_source(f"{address}/clip.mp4?token=swordfish") as source:
        info = source.info
    assert info.name == f"{address}/clip.mp4"
    assert (info.width, info.height, info.frame_count) == (160, 120, FRAMES)
    assert info.average_fps == 25
    assert info.duration_s == pytest.approx(FRAMES / 25, abs=0.1)
    assert info.path is None


@pytest.mark.parametrize(
    ("name", "said"), [("none.mp4", "the server has nothing at this path"), ("page.html", "a web page, no video")]
)
def test_content_without_video_is_refused_in_one_line(address: str, name: str, said: str) -> None:
    with pytest.raises(SourceUnavailable, match=said) as caught:
        open_source(f"{address}/{name}")
    assert "\n" not in str(caught.value)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_unreachable_server_is_refused_at_once() -> None:
    address = f"http://me:swordfish@127.0.0.1:{free_port()}/clip.mp4"
    with pytest.raises(SourceUnavailable, match="no server listens at that port") as caught:
        open_source(address)
    assert caught.value.cause == "refused"
    assert "swordfish" not in str(caught.value)
    with pytest.raises(SourceUnavailable, match="no server listens"):
        open_source(address, SourceSettings(live=False)).__enter__()
    with pytest.raises(SourceLost, match="no server listens"):
        is_recording(NetworkConnector(address))


def test_an_unreachable_server_is_retried_on_request() -> None:
    options = SourceSettings(retry_at_start=True)
    assert isinstance(open_source(f"http://127.0.0.1:{free_port()}/clip.mp4", options), LiveSource)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_download_is_reported_as_truncated(folder: Path, name: str) -> None:
    with serving(folder, sent=0.6) as address, open_source(f"{address}/{name}", SourceSettings(live=False)) as source:
        came = len(list(source))
        damage = source.take_damage()
    assert 0 < came < FRAMES
    assert damage != []
    assert {one.state for one in damage} == {"corrupt"}


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4"])
def test_a_truncated_recording_reports_how_much_is_missing(folder: Path, tmp_path: Path, name: str) -> None:
    clips.truncate(folder / name, tmp_path / name, 0.6)
    with serving(tmp_path) as address, open_source(f"{address}/{name}") as source:
        came = len(list(source))
        damage = source.take_damage()
    assert came + sum(one.frames for one in damage) == pytest.approx(FRAMES, abs=2)

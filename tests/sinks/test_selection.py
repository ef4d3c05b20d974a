"""What a user types after -o, and the sink that it picks."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from streamer.config.output import OutputEntry
from streamer.errors import ConfigError, SinkUnavailable
from streamer.features import SinkContext
from streamer.registry import SINKS
from streamer.sinks.selection import open_sink, open_sinks, sink_class
from streamer.sinks.video.video import VideoSink
from tests.sinks.scenes import info

SINK_OF = {
    "out.mp4": "video",
    "folder/out 100%.mkv": "video",
    "a:b.mp4": "video",
    "rec/%Y%m%d-%H%M%S.mp4": "recording",
    "live.m3u8": "stream",
    "LIVE.M3U8": "stream",
    "hls:live/": "stream",
    "rtsp://server/live": "stream",
    "RTSPS://server/live": "stream",
    "rtmp://server/app/key": "stream",
    "udp://239.0.0.1:1234": "stream",
    "http://127.0.0.1:8080/": "mjpeg",
    "out.jsonl": "jsonl",
    "rows/OUT.CSV": "csv",
    "out.txt": "mot",
    "OUT.MOT": "mot",
    "window": "window",
}
CONTEXT = SinkContext(info(live=True))


def entry(to: str, **settings: object) -> OutputEntry:
    return OutputEntry.model_validate({"to": to, **settings})


def is_optional(output: OutputEntry) -> bool:
    return bool(open_sinks([output], CONTEXT).optional)


@pytest.mark.parametrize(("to", "name"), SINK_OF.items())
def test_the_sink_follows_from_the_text(to: str, name: str) -> None:
    found = sink_class(entry(to))
    assert found is SINKS[name]
    assert found.file_of(entry(to)) == (Path(to) if name in ("video", "jsonl", "csv", "mot") else None)


def test_a_length_of_parts_makes_a_file_a_recording() -> None:
    assert sink_class(entry("out.mp4", segment_s=60)) is SINKS["recording"]


@pytest.mark.parametrize("name", SINKS)
def test_a_sink_can_be_named(name: str) -> None:
    assert sink_class(entry("out.txt", sink=name)) is SINKS[name]


def test_an_unknown_sink_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValidationError, match="no sink 'jsonk'; did you mean jsonl"):
        entry("out.txt", sink="jsonk")


@pytest.mark.parametrize(
    ("to", "optional"),
    [
        ("out.mp4", False),
        ("a.jsonl", False),
        ("window", False),
        ("%H.mp4", True),
        ("udp://127.0.0.1:9", True),
        ("http://127.0.0.1:0/", True),
    ],
)
def test_a_retryable_sink_does_not_end_a_live_run(to: str, optional: bool) -> None:
    assert is_optional(entry(to)) == optional
    assert not is_optional(entry(to, required=True))
    assert is_optional(entry(to, required=False))


def test_a_sink_is_opened_without_touching_the_disk(tmp_path: Path) -> None:
    assert type(open_sink(entry(f"{tmp_path}/out.mp4"), CONTEXT)) is VideoSink
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["out.mp4", "rec/%H%M%S.mp4", "udp://127.0.0.1:9", "live.m3u8"])
def test_every_sink_with_an_encoder_has_its_pixel_format(to: str, tmp_path: Path) -> None:
    to = to if "://" in to else str(tmp_path / to)
    sink = open_sink(entry(to, pixel_format="gbrp"), CONTEXT)
    with pytest.raises(SinkUnavailable, match="libx264 has no pixel format gbrp; it has yuv420p"):
        sink.__enter__()


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("ftp://server/", "ftp:// is no address of an output; those begin with rtsp"),
        ("gopher://me:swordfish@server/", "gopher:// is no address of an output"),
        ("http://[::1/", "http://[::1/ is no address"),
        ("rtsp://me:swordfish@[server/x", "rtsp://[server/x is no address"),
        ("rtsp://server:port/x", "rtsp://server:***/x is no address"),
    ],
)
def test_an_address_without_a_sink_is_refused(to: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sink_class(entry(to))
    assert message in str(caught.value)
    assert "swordfish" not in str(caught.value)


def test_sinks_that_write_files_keep_every_frame() -> None:
    kept = ["a.mp4", "%H.mp4", "live/index.m3u8", "hls:live/", "a.jsonl"]
    newest = ["rtsp://127.0.0.1/a", "rtmp://127.0.0.1/a/b", "udp://127.0.0.1:9", "http://127.0.0.1:8080/", "window"]
    assert [to for to in kept + newest if open_sinks([entry(to)], CONTEXT).keep_all] == kept
    assert not open_sinks([entry("a.mp4", keep="newest")], CONTEXT).keep_all
    assert open_sinks([entry("rtsp://127.0.0.1/a", keep="all")], CONTEXT).keep_all


class RoomEntry(OutputEntry):
    """Settings of a sink of another package."""

    room: str = ""


class ChatSink(VideoSink):
    """A sink of another package."""

    section = RoomEntry
    schemes = ("chat",)

    def __init__(self, settings: RoomEntry, context: SinkContext) -> None:
        super().__init__(settings, context)
        self.room = settings.room

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        return entry.scheme in cls.schemes


@pytest.fixture
def _chat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SINKS, "_registered", {"chat": ChatSink})


@pytest.mark.usefixtures("_chat")
def test_a_sink_of_another_package_gets_its_own_settings() -> None:
    context = SinkContext(info(), extensions={"chat": {"room": "door"}})
    sink = open_sink(entry("chat://server/", crf=20), context)
    assert isinstance(sink, ChatSink)
    assert (sink.room, sink._settings.crf) == ("door", 20)


@pytest.mark.usefixtures("_chat")
def test_a_wrong_setting_of_another_package_is_named_with_its_path() -> None:
    context = SinkContext(info(), extensions={"chat": {"rooom": "door"}})
    with pytest.raises(ConfigError, match=r"^extensions\.chat\.rooom: "):
        open_sink(entry("chat://server/"), context)

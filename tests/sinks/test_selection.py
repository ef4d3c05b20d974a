"""What a user types after -o, and the sink that it picks."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.config.loading import load_settings
from streamer.config.output import OutputEntry
from streamer.errors import ConfigError, SinkUnavailable
from streamer.run.wiring import Outputs, build_sinks, default_video_output, videos_of
from streamer.sinks.mjpeg.mjpeg import MjpegSink
from streamer.sinks.publish.stream import StreamSink
from streamer.sinks.segments.recording import RecordingSink
from streamer.sinks.selection import build_sink, file_of, is_optional, keeps_all, kind_of
from streamer.sinks.video.video import VideoSink
from tests.sinks.scenes import info

KINDS = {
    "out.mp4": "file",
    "folder/out 100%.mkv": "file",
    "a:b.mp4": "file",
    "rec/%Y%m%d-%H%M%S.mp4": "recording",
    "live.m3u8": "stream",
    "LIVE.M3U8": "stream",
    "rtsp://server/live": "stream",
    "RTSPS://server/live": "stream",
    "rtmp://server/app/key": "stream",
    "udp://239.0.0.1:1234": "stream",
    "http://127.0.0.1:8080/": "web",
}


def entry(to: str, **settings: object) -> OutputEntry:
    return OutputEntry.model_validate({"to": to, **settings})


@pytest.mark.parametrize(("to", "kind"), KINDS.items())
def test_the_kind_follows_from_the_text(to: str, kind: str) -> None:
    assert kind_of(entry(to)) == kind
    assert file_of(entry(to)) == (Path(to) if kind == "file" else None)
    # What can be tried again does not end a live run, unless it is said to.
    assert is_optional(entry(to)) == (kind != "file")
    assert not is_optional(entry(to, required=True))
    assert is_optional(entry(to, required=False))


def test_a_length_of_parts_makes_a_file_a_recording() -> None:
    assert kind_of(entry("out.mp4", segment_s=60)) == "recording"


@pytest.mark.parametrize("kind", [MjpegSink, RecordingSink, StreamSink, VideoSink])
def test_each_kind_has_its_sink(kind: type, tmp_path: Path) -> None:
    to = {
        MjpegSink: "http://127.0.0.1:0/",
        RecordingSink: f"{tmp_path}/%H%M%S.mp4",
        StreamSink: "rtsp://127.0.0.1:9/live",
        VideoSink: f"{tmp_path}/out.mp4",
    }[kind]
    sink = build_sink(entry(to), info(live=True), overwrite=False)
    assert type(sink) is kind
    assert list(tmp_path.iterdir()) == []  # it was not entered


@pytest.mark.parametrize("to", ["out.mp4", "rec/%H%M%S.mp4", "udp://127.0.0.1:9", "live.m3u8"])
def test_every_kind_with_an_encoder_has_its_pixel_format(to: str, tmp_path: Path) -> None:
    to = to if "://" in to else str(tmp_path / to)
    sink = build_sink(entry(to, pixel_format="gbrp"), info(live=True), overwrite=False)
    with pytest.raises(SinkUnavailable, match="libx264 has no pixel format gbrp; it has yuv420p"):
        sink.__enter__()


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("ftp://server/", "-o ftp://: nothing can be sent there; addresses begin with rtsp"),
        ("gopher://me:swordfish@server/", "-o gopher://: nothing can be sent there"),
        ("http://[::1/", "-o http://[::1/: is no address"),
        ("rtsp://me:swordfish@[server/x", "-o rtsp://[server/x: is no address"),
        ("rtsp://server:port/x", "-o rtsp://server:***/x: is no address"),
    ],
)
def test_an_address_that_nothing_can_be_sent_to_is_refused(to: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kind_of(entry(to))
    assert said in str(caught.value)
    assert "swordfish" not in str(caught.value)


def test_typed_outputs_get_the_common_settings_and_listed_ones_their_own() -> None:
    settings = load_settings(None, ["output.crf=20", "outputs=[{to: b.mp4, crf: 30}, {to: c.mp4}]"])
    videos = videos_of(["a.mp4"], settings)
    assert [(video.to, video.crf) for video in videos] == [("a.mp4", 20), ("b.mp4", 30), ("c.mp4", None)]


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="-o names nothing"):
        videos_of(["a.mp4", ""], load_settings(None))


@pytest.mark.parametrize("to", ["out.mp4", "rec/%H%M%S.mp4", "rtsp://me:swordfish@server/live?token=swordfish"])
def test_two_outputs_that_are_one_are_refused(to: str) -> None:
    with pytest.raises(ConfigError, match="two outputs have the same name") as caught:
        Outputs((entry(to), entry("other.mp4"), entry(to))).check("rtsp://camera/")
    assert "swordfish" not in str(caught.value)


def test_an_output_that_is_the_input_is_refused(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    (tmp_path / "link.mp4").symlink_to(clip)
    with pytest.raises(ConfigError, match="is the input"):
        Outputs((entry(str(tmp_path / "link.mp4")),)).check(str(clip))


def test_what_is_kept_in_files_keeps_every_picture() -> None:
    kept = ["a.mp4", "%H.mp4", "live/index.m3u8", "hls:live/"]
    newest = ["rtsp://127.0.0.1/a", "rtmp://127.0.0.1/a", "udp://127.0.0.1:9", "http://127.0.0.1:8080/"]
    assert [to for to in kept + newest if keeps_all(entry(to))] == kept
    assert not keeps_all(entry("a.mp4", keep="newest"))
    assert keeps_all(entry("rtsp://127.0.0.1/a", keep="all"))


def test_the_sinks_of_a_run_come_with_those_that_may_fail(tmp_path: Path) -> None:
    videos = (
        entry(f"{tmp_path}/a.mp4"),
        entry(f"{tmp_path}/%H.mp4"),
        entry("rtsp://127.0.0.1:9/a", required=True),
        entry("rtsp://127.0.0.1:9/b"),
    )
    outputs = Outputs(videos, jsonl=tmp_path / "a.jsonl", mot=tmp_path / "a.txt", show=True)
    live = info(live=True)
    built = build_sinks(outputs, live, load_settings(None))
    sinks = built.all
    assert [sink.stage for sink in sinks][-3:] == ["jsonl", "mot", "window"]
    assert built.optional == [sinks[1], sinks[3]]
    assert built.keep_all == [*sinks[:2], *sinks[4:6]]
    assert not sinks[-1].main_thread  # a window of a live run never holds it


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("rtsp://me:swordfish@camera/live?token=swordfish", "streamer.annotated.mp4"),
        ("0", "0.annotated.mp4"),
        ("lavfi:testsrc2", "streamer.annotated.mp4"),
    ],
)
def test_the_default_output_of_a_live_source_has_a_plain_name(source: str, name: str) -> None:
    assert default_video_output(source) == Path(name)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("folder/clip.mkv", "clip.annotated.mkv"),
        ("clip.m2ts", "clip.annotated.mp4"),
        ("हिन्दी में.mp4", "हिन्दी में.annotated.mp4"),
        ("कर्\u200cम.mp4", "कर्\u200cम.annotated.mp4"),
        ("Mu\u0308nchen ๑๒.mp4", "Mu\u0308nchen ๑๒.annotated.mp4"),
        ("caf\udce9.mp4", "caf\udce9.annotated.mp4"),
        ("100%d: *[x]?\n\x1b\u202e.mp4", "100d x.annotated.mp4"),
        ("lone \ud800.mp4", "lone.annotated.mp4"),
        ("...mp4", "streamer.annotated.mp4"),
        ("a" * 250 + ".mp4", "a" * 241 + ".annotated.mp4"),
        ("語" * 84 + ".mp4", "語" * 80 + ".annotated.mp4"),
        ("\udce9" * 251 + ".mp4", "\udce9" * 241 + ".annotated.mp4"),
        ("b" * 300 + ".mp4", "b" * 241 + ".annotated.mp4"),
    ],
)
def test_the_default_output_keeps_the_letters_of_the_name(source: str, name: str) -> None:
    assert default_video_output(source) == Path(name)

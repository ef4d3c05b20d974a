"""What a user types, and the source that it picks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.section import Section
from streamer.config.source import SourceSettings
from streamer.errors import ConfigError, SourceUnavailable
from streamer.features import SourceContext
from streamer.interfaces import PassthroughSource
from streamer.registry import SOURCES
from streamer.sources.file.file import FileSource
from streamer.sources.images.images import ImageSource
from streamer.sources.live.live import LiveSource
from streamer.sources.selection import open_source
from streamer.sources.synthetic import SyntheticSource
from streamer.system.secrets import redacted
from tests import clips


def test_the_uri_decides_the_source(tmp_path: Path) -> None:
    for uri, kind in {
        "lavfi:testsrc2": SyntheticSource,
        str(tmp_path): ImageSource,
        f"{tmp_path}/*.png": ImageSource,
        f"{tmp_path}/img%04d.png": ImageSource,
        f"{tmp_path}/clip.mp4": FileSource,
        f"file://{tmp_path}/a%20b.mp4": FileSource,
    }.items():
        source: object = open_source(uri)
        assert type(source) is kind, uri


@pytest.mark.parametrize("name", ["a[1].mp4", "what?.mp4", "star*.mp4", "img%d.mp4", "7", "lavfi:x.mp4"])
def test_an_existing_file_takes_precedence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clips.write_video(tmp_path / "clip.mp4", frames=2).rename(tmp_path / name)
    with open_source(name) as source:
        assert len(list(source)) == 2


def test_file_address_with_escapes(tmp_path: Path) -> None:
    clips.write_video(tmp_path / "a b.mp4", frames=2)
    with open_source(f"file://{tmp_path}/a%20b.mp4") as source:
        assert len(list(source)) == 2


@pytest.mark.parametrize("uri", ["0", "12", "camera:3", "/dev/video0", "rtsp://h/s", "rtmp://h/a/s", "udp://@:1234"])
def test_cameras_and_streams_are_live(uri: str) -> None:
    assert isinstance(open_source(uri), LiveSource)


def test_an_unknown_kind_of_address_is_refused() -> None:
    with pytest.raises(SourceUnavailable, match="gopher://h/s: addresses begin with rtsp"):
        open_source("gopher://me:secret@h/s")


def test_camera_settings_are_refused_for_other_sources(tmp_path: Path) -> None:
    for uri in (f"{tmp_path}/clip.mp4", "rtsp://h/s"):
        with pytest.raises(ConfigError, match=r"source\.size is for cameras only"):
            open_source(uri, SourceSettings(size="640x480"))


class GreenSettings(Section):
    """Settings of `GreenSource`."""

    seconds: int = 1


class GreenSource(SyntheticSource):
    """A source that the project does not know."""

    section = GreenSettings  # type: ignore[assignment]

    @classmethod
    def accepts(cls, uri: str, settings: SourceSettings) -> bool:  # noqa: ARG003
        return uri.startswith("green://")

    @classmethod
    def from_settings(cls, uri: str, settings: Any, context: SourceContext) -> Self:  # noqa: ARG003
        return cls(f"color=green:size=64x48:rate=5:duration={settings.seconds}")


def test_a_registered_source_opens_its_own_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES._registered, "green", GreenSource)
    context = SourceContext(extensions={"green": {"seconds": 2}})
    with open_source("green://meadow", None, context) as source:
        assert len(list(source)) == 10
    with pytest.raises(ConfigError, match=r"extensions\.green\.seconds"):
        open_source("green://meadow", None, SourceContext(extensions={"green": {"seconds": "many"}}))


def test_an_empty_uri_is_refused() -> None:
    with pytest.raises(SourceUnavailable, match="no source"):
        open_source("")


@given(user=st.text(min_size=1), password=st.text(min_size=1), token=st.text("abc", min_size=1))
def test_credentials_are_never_shown(user: str, password: str, token: str) -> None:
    address = f"rtsp://{user}:{password}@camera/live?token={token}"
    assert redacted(address) == "rtsp://camera/live"
    with pytest.raises(SourceUnavailable) as caught:
        open_source(f"gopher{address}")
    assert "gopherrtsp://camera/live:" in str(caught.value)
    assert "@" not in str(caught.value)


def test_a_frame_rate_replaces_that_of_the_input(tmp_path: Path) -> None:
    clips.write_picture(tmp_path / "1.png", 1)
    with open_source(str(tmp_path), SourceSettings(fps=Fraction(50))) as source:
        assert source.info.average_fps == 50
    clip = clips.write_video(tmp_path / "clip.mp4", frames=5, rate=25)
    for uri in (str(clip), "lavfi:testsrc2=duration=0.2"):
        with open_source(uri, SourceSettings(fps=Fraction(30000, 1001))) as source:
            assert source.info.average_fps == Fraction(30000, 1001)
            assert [frame.pts * frame.time_base for frame in source] == [Fraction(1001 * k, 30000) for k in range(5)]
            assert isinstance(source, PassthroughSource)
            assert any("source.fps=30000/1001 replaces" in note for note in source.notes)


def test_a_frame_rate_is_refused_for_live_streams() -> None:
    with pytest.raises(ConfigError, match="fps"):
        open_source("rtsp://127.0.0.1:9/live", SourceSettings(fps=Fraction(50)))


def test_synthetic_graphs_may_be_endless() -> None:
    with open_source("lavfi:testsrc2=size=64x48:rate=30000/1001") as source:
        times = [frame.pts for frame, _ in zip(source, range(40), strict=False)]
        assert times == list(range(40))
        assert source.info.frame_count is None


@pytest.mark.parametrize(
    "graph", ["lavfi:", "lavfi:nonsense=1", "lavfi:testsrc2=size=banana", "lavfi:sine", "lavfi:testsrc2=duration=0"]
)
def test_a_bad_graph_gets_one_line(graph: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceUnavailable, match="lavfi:") as caught:
        open_source(graph).__enter__()
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_file_is_decoded_with_the_requested_threads(tmp_path: Path) -> None:
    clip = clips.write_video(tmp_path / "clip.mp4")
    with open_source(str(clip), SourceSettings(threads=3)) as source:
        assert source._container.streams.video[0].codec_context.thread_count == 3  # type: ignore[attr-defined]
        assert sum(1 for _ in source) == 25


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("127.0.0.1:18552/file", "rtsp://127.0.0.1:18552/file"),
        ("camera.local:554/stream1", "rtsp://camera.local:554/stream1"),
        ("192.0.2.10:8080/video", "http://192.0.2.10:8080/video"),
        ("me:swordfish@192.0.2.10:554/a", "rtsp://192.0.2.10:554/a"),
    ],
)
def test_an_address_without_a_scheme_is_told(path: str, meant: str) -> None:
    with pytest.raises(SourceUnavailable, match="no such file; did you mean") as caught:
        open_source(path)
    assert f"did you mean {meant}?" in str(caught.value)
    assert "swordfish" not in str(caught.value)


def test_a_missing_file_with_a_colon_is_no_address(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="no such file; check the path"), open_source(f"{tmp_path}/a:1.mp4"):
        pass

"""Live HLS: frames in real time over jumps and changes of playlists and time stamps, of one variant only."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost, SourceUnavailable
from streamer.interfaces import Damage
from streamer.sources.live.connection import ConnectionCancelled, LiveFrame, LivePacket
from streamer.sources.network.connector import NetworkConnector
from streamer.sources.selection import open_source
from tests.sources.network.hls.hls_origin import (
    Channel,
    Origin,
    Segment,
    each_for_itself,
    make_period,
    number_of,
    serving,
)

FPS = 20
STEP_S = 1 / FPS
PERIOD = 30  # pictures, in three segments
SEGMENT_S = 0.5
NOTHING_FOR_S = 6.0
"""A test ends after this time without data."""


@pytest.fixture
def origin() -> Iterator[Origin]:
    with serving() as made:
        yield made


def add(origin: Origin, folder: Path, *periods: dict[str, Any], below: str = "p") -> list[Segment]:
    """Make consecutive periods with consecutive frame numbers, and serve their files."""
    segments: list[Segment] = []
    first = 0
    for k, told in enumerate(periods):
        options: dict[str, Any] = {"pictures": PERIOD, "fps": FPS, "segment_s": SEGMENT_S, **told}
        made = make_period(folder / f"{below}{k}", first=first, **options)
        origin.period(folder / f"{below}{k}")
        first += options["pictures"]
        segments += made if k else [replace(made[0], discontinuity=False), *made[1:]]
    return segments


class Played:
    """Frames, audio packets and losses of a connection, up to a number of frames."""

    def __init__(self, url: str, pictures: int, **options: Any) -> None:
        self.pictures: list[LiveFrame] = []
        self.packets: list[LivePacket] = []
        self.damage: list[Damage] = []
        self._came_s = time.monotonic()
        connector = NetworkConnector(url, SourceSettings(**options))
        connection = connector.connect(self._is_active)
        try:
            for item in connection.frames():
                if isinstance(item, LiveFrame):
                    self.pictures.append(item)
                    self._came_s = time.monotonic()
                elif isinstance(item, LivePacket):
                    self.packets.append(item)
                elif item is not None:
                    self.damage.append(item)
                if len(self.pictures) == pictures:
                    break
        except ConnectionCancelled:
            pass
        finally:
            connection.close()
        self.numbers = [number_of(one.picture) for one in self.pictures]

    def _is_active(self) -> bool:
        return time.monotonic() - self._came_s < NOTHING_FOR_S

    def check_pace(self) -> None:
        """No burst and no stillness; however busy the machine is, it can only stretch a step."""
        steps_s = [after.arrived_s - before.arrived_s for before, after in pairwise(self.pictures)]
        assert min(steps_s) > STEP_S / 4
        assert max(steps_s) < NOTHING_FOR_S / 2
        assert sorted(steps_s)[len(steps_s) // 2] < 2 * STEP_S


def untold(segments: Sequence[Segment]) -> list[Segment]:
    """The same segments without discontinuity tags."""
    return [replace(one, discontinuity=False) for one in segments]


# jumps of the time stamps


@pytest.mark.slow
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(
    "starts_s",
    [
        pytest.param((1.0, 1.0, 1.0), id="to the beginning"),
        pytest.param((40.0, 25.5, 28.5), id="back by 16 s and by nothing"),
        pytest.param((10.0, 14.5, 106.0), id="on by 3 and by 90 s"),
        pytest.param((10.0, 36011.5, 5.0), id="10 hours on and back"),
        pytest.param((10.0, 11.1, 12.2), id="a small overlap"),
        pytest.param((95443.0 - 1.5, 0.7, 2.2), id="33 bits"),
    ],
)
def test_each_jump_is_paced_at_once(
    origin: Origin, tmp_path: Path, starts_s: tuple[float, float, float], told: bool
) -> None:
    segments = add(origin, tmp_path, *({"start_s": start_s} for start_s in starts_s))
    origin.channel("live.m3u8", Channel(segments if told else untold(segments)))
    played = Played(f"{origin.address}/live.m3u8", 3 * PERIOD - 5)
    assert played.numbers == list(range(3 * PERIOD - 5))
    played.check_pace()
    assert [damage for damage in played.damage if damage.cause != "before key frame"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "others",
    [
        pytest.param([{"b_frames": 2}, {"b_frames": 2, "start_s": 400.0}], id="pictures out of order"),
        pytest.param([{"fragments": True}, {"fragments": True, "size": (320, 256)}], id="another initialization"),
        pytest.param([{}, {"size": (320, 256)}], id="another size"),
        pytest.param([{}, {"codec": "libx265"}], id="another codec"),
        pytest.param([{"fragments": True}, {}], id="another container"),
    ],
)
def test_a_restarted_encoder_loses_nothing(origin: Origin, tmp_path: Path, others: list[dict[str, Any]]) -> None:
    origin.channel("live.m3u8", Channel(add(origin, tmp_path, *others)))
    played = Played(f"{origin.address}/live.m3u8", 2 * PERIOD - 5)
    assert played.numbers == list(range(2 * PERIOD - 5))
    played.check_pace()
    assert {one.damage for one in played.pictures} == {""}


@pytest.mark.slow
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("start_s", [1.0, 50.0, 2000.0])
@pytest.mark.parametrize("apart", [False, True])
def test_audio_stays_in_sync_over_a_jump(
    origin: Origin, tmp_path: Path, start_s: float, told: bool, apart: bool
) -> None:
    ways: dict[str, dict[str, Any]] = {"live": {"sound": True}}
    if apart:
        ways = {"live": {}, "sound": {"sound": True, "video": False}}
        origin.files["master.m3u8"] = (
            b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",DEFAULT=YES,URI="sound.m3u8"\n'
            b'#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nlive.m3u8\n'
        )
    for name, way in ways.items():
        segments = add(origin, tmp_path / name, {"start_s": 50.0, **way}, {"start_s": start_s, **way}, below=name)
        origin.channel(f"{name}.m3u8", Channel(segments if told else untold(segments)))
    count = 2 * PERIOD - 5
    address = f"{origin.address}/{'master' if apart else 'live'}.m3u8"
    source = open_source(address, SourceSettings(stall_s=NOTHING_FOR_S))
    heard: list[tuple[float, float]] = []  # media time, and the time since the first period began
    with source:
        passthrough = getattr(source, "passthrough")  # noqa: B009
        subscription = passthrough.subscribe()
        shown = []
        for frame in source:
            shown.append((float(frame.pts * frame.time_base), number_of(frame.picture)))
            heard += [
                (float(p.ticks * s.time_base), float(p.duration * s.time_base)) for s, p in subscription.take(None)
            ]
            if len(shown) == count:
                break
    assert [number for _, number in shown] == list(range(count))
    # The audio is complete and has no gap or jump, so it is in sync with its frames.
    assert sum(lasts_s for _, lasts_s in heard) == pytest.approx(count * STEP_S, abs=0.3)
    gaps_s = [after - before - lasts_s for (before, lasts_s), (after, _) in pairwise(heard)]
    assert max(map(abs, gaps_s)) < 0.12
    rising = [after - before for (before, _), (after, _) in pairwise(shown)]
    assert min(rising) > 0


# what servers and networks do


def test_restarted_packet_counters_are_no_loss(origin: Origin, tmp_path: Path) -> None:
    segments = add(origin, tmp_path, {"sound": True})
    each_for_itself(origin, segments)
    origin.channel("live.m3u8", Channel(segments))
    played = Played(f"{origin.address}/live.m3u8", PERIOD - 2)
    assert played.numbers == list(range(PERIOD - 2))
    assert {one.damage for one in played.pictures} == {""}


@pytest.mark.slow
def test_a_missing_segment_is_a_gap_only(origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    segments = add(origin, tmp_path, {"pictures": 60})
    del origin.files[segments[3].name]
    origin.channel("live.m3u8", Channel(segments))
    with caplog.at_level(logging.WARNING):
        played = Played(f"{origin.address}/live.m3u8", 45)
    assert played.numbers == [*range(30), *range(40, 55)]
    gap_s = played.pictures[30].arrived_s - played.pictures[29].arrived_s
    assert gap_s > 10 * STEP_S  # what was lost would have been shown then
    assert "segment 3 is not on the server; its frames are lost" in caplog.text


@pytest.mark.slow
def test_reading_continues_after_an_outage_of_the_server(origin: Origin, tmp_path: Path) -> None:
    segments = add(origin, tmp_path, {"pictures": 100})
    channel = Channel(segments, window=10)
    asked: list[float] = []

    def listed() -> bytes:
        asked.append(time.monotonic())
        away = 3 <= len(asked) <= 6
        return b"" if away else channel.text(asked[-1] - asked[0]).encode()

    origin.files["live.m3u8"] = listed
    played = Played(f"{origin.address}/live.m3u8", 90)
    assert played.numbers == list(range(90))
    assert min(b.arrived_s - a.arrived_s for a, b in pairwise(played.pictures)) > STEP_S / 4


@pytest.mark.slow
def test_reading_continues_after_segment_numbers_restart(origin: Origin, tmp_path: Path) -> None:
    segments = add(origin, tmp_path, {}, {"start_s": 1.0})
    before, after = Channel(segments[:3]), Channel(untold(segments[3:]))
    asked: list[int] = []

    def listed() -> bytes:
        asked.append(1)
        if len(asked) < 3:
            return before.text(0).replace("SEQUENCE:0", "SEQUENCE:500", 1).encode()
        return after.text(0).encode()

    origin.files["live.m3u8"] = listed
    played = Played(f"{origin.address}/live.m3u8", 2 * PERIOD - 2)
    assert played.numbers == list(range(2 * PERIOD - 2))
    played.check_pace()


def test_an_ended_playlist_is_played_once(origin: Origin, tmp_path: Path) -> None:
    segments = add(origin, tmp_path, {"pictures": 20})
    origin.channel("live.m3u8", Channel(segments, ready=2, ended=True))
    connector = NetworkConnector(f"{origin.address}/live.m3u8")
    connection = connector.connect(lambda: True)
    shown = [item for item in connection.frames() if isinstance(item, LiveFrame)]
    connection.close()
    assert [number_of(one.picture) for one in shown] == list(range(20))
    with pytest.raises(SourceLost, match=r"the playlist has ended \(EXT-X-ENDLIST\), nothing new is in it"):
        connector.connect(lambda: True)


def encrypted(content: bytes, number: int, key: bytes) -> bytes:
    """As AES-128 of a playlist has it, whose vector is the number of the segment."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(number.to_bytes(16, "big"))).encryptor()
    return encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()


def in_ranges(origin: Origin, segments: list[Segment]) -> list[Segment]:
    """All segments in one file."""
    whole, ranged = b"", []
    for one in segments:
        content = origin.files.pop(one.name)
        assert isinstance(content, bytes)
        ranged.append(replace(one, name="all.ts", tags=(f"#EXT-X-BYTERANGE:{len(content)}@{len(whole)}",)))
        whole += content
    origin.files["all.ts"] = whole
    return ranged


def behind_a_key(origin: Origin, segments: list[Segment]) -> list[Segment]:
    """All segments encrypted."""
    key = bytes(range(16))
    origin.files["key"] = key
    for number, one in enumerate(segments):
        content = origin.files[one.name]
        assert isinstance(content, bytes)
        origin.files[one.name] = encrypted(content, number, key)
    tag = '#EXT-X-KEY:METHOD=AES-128,URI="/key"'
    return [replace(one, tags=(tag,)) if k == 0 else one for k, one in enumerate(segments)]


def with_parts(_: Origin, segments: list[Segment]) -> list[Segment]:
    """Parts of segments listed too (LL-HLS)."""
    part = '#EXT-X-PART:DURATION=0.25,URI="part.ts"'
    return [replace(one, tags=(part, part)) for one in segments]


def without_names(origin: Origin, segments: list[Segment]) -> list[Segment]:
    """Segments whose addresses have no suffix."""
    named = []
    for k, one in enumerate(segments):
        origin.files[f"get{k}"] = origin.files.pop(one.name)
        named.append(replace(one, name=f"get{k}?of=1"))
    return named


@pytest.mark.parametrize("change", [in_ranges, behind_a_key, with_parts, without_names])
def test_segment_formats(
    origin: Origin, tmp_path: Path, change: Callable[[Origin, list[Segment]], list[Segment]]
) -> None:
    segments = change(origin, add(origin, tmp_path, {}))
    origin.channel("live.m3u8", Channel(segments, head=("#EXT-X-PART-INF:PART-TARGET=0.25",)))
    played = Played(f"{origin.address}/live.m3u8", PERIOD - 2)
    assert played.numbers == list(range(PERIOD - 2))
    assert "part.ts" not in origin.paths()


# variants

HEIGHTS = (128, 64, 256)


def programme(origin: Origin, folder: Path, *, sound: bool = False, ended: bool = False) -> None:
    """A master playlist of three variants, with and without a separate audio playlist."""
    lines = ["#EXTM3U"]
    whole: dict[str, Any] = {"ready": 6, "window": 100, "ended": True} if ended else {}
    if sound:
        for name, default in (("other", "NO"), ("main", "YES")):
            made = make_period(folder / name, pictures=60, fps=FPS, segment_s=SEGMENT_S, sound=True, video=False)
            origin.period(folder / name)
            segments = [replace(made[0], discontinuity=False), *made[1:]]
            origin.channel(f"{name}.m3u8", Channel(segments, **whole))
            lines.append(f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="{name}",DEFAULT={default},URI="{name}.m3u8"')
    group = ',AUDIO="a"' if sound else ""
    for height in HEIGHTS:
        made = make_period(
            folder / f"h{height}", pictures=60, fps=FPS, segment_s=SEGMENT_S, size=(160 * height // 64, height)
        )
        origin.period(folder / f"h{height}")
        segments = [replace(made[0], discontinuity=False), *made[1:]]
        origin.channel(f"h{height}.m3u8", Channel(segments, **whole))
        resolution = f"RESOLUTION={160 * height // 64}x{height}"
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={height * 1000},{resolution}{group}", f"h{height}.m3u8"]
    lines += ['#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"', "sound-only.m3u8"]
    origin.files["master.m3u8"] = "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("max_height", "height", "said"),
    [(None, 256, ""), (256, 256, ""), (200, 128, ""), (64, 64, ""), (10, 64, "no variant is within max_height 10")],
)
def test_only_the_best_variant_is_downloaded(
    origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture, max_height: int | None, height: int, said: str
) -> None:
    programme(origin, tmp_path)
    with caplog.at_level(logging.WARNING):
        played = Played(f"{origin.address}/master.m3u8", 10, max_height=max_height)
    assert {one.picture.height for one in played.pictures} == {height}
    asked = {path.partition("/")[0] for path in origin.paths()}
    assert asked == {"master.m3u8", f"h{height}.m3u8", f"h{height}"}
    assert (said in caplog.text) if said else not caplog.text


@pytest.mark.slow
def test_the_default_audio_of_the_group_is_read(origin: Origin, tmp_path: Path) -> None:
    programme(origin, tmp_path, sound=True)
    played = Played(f"{origin.address}/master.m3u8", 45, max_height=64)
    asked = {path.partition("/")[0] for path in origin.paths()}
    assert asked == {"master.m3u8", "h64.m3u8", "h64", "main.m3u8", "main"}
    assert played.numbers == list(range(45))
    played.check_pace()
    lasts_s = sum(float(one.packet.duration * one.stream.time_base) for one in played.packets)
    assert lasts_s > 44 * STEP_S - 0.2
    for one in played.packets:  # none long before its picture
        before = [picture for picture in played.pictures if picture.arrived_s <= one.arrived_s]
        if before and before[-1].pts is not None:
            assert one.time_s - before[-1].pts * before[-1].time_base < 3


@pytest.mark.parametrize("sound", [False, True])
def test_only_the_best_variant_of_a_recording_is_downloaded(origin: Origin, tmp_path: Path, sound: bool) -> None:
    programme(origin, tmp_path, sound=sound, ended=True)
    options = SourceSettings(max_height=64)
    with open_source(f"{origin.address}/master.m3u8", options) as source:
        assert not source.info.live
        assert [number_of(frame.picture) for frame in source] == list(range(60))
        assert len(getattr(source, "passthrough").streams) == sound  # noqa: B009
    asked = {path.partition("/")[0] for path in origin.paths()}
    assert asked == {"master.m3u8", "h64.m3u8", "h64"} | ({"main.m3u8", "main"} if sound else set())


# logins, and what is no playlist


def test_a_login_is_sent_to_its_own_server_only(origin: Origin, tmp_path: Path, capfd: Any) -> None:
    segments = add(origin, tmp_path, {})
    origin.login = "Basic bWU6c3dvcmRmaXNo"  # me:swordfish
    with serving() as elsewhere:
        origin.redirects["moved.m3u8"] = f"{origin.address}/live.m3u8"
        elsewhere.files |= {name: content for name, content in origin.files.items() if isinstance(content, bytes)}
        there = [replace(one, name=f"{elsewhere.address}/{one.name}") for one in segments]
        origin.channel("live.m3u8", Channel(there))
        address = origin.address.replace("://", "://me:swordfish@")
        played = Played(f"{address}/moved.m3u8", PERIOD - 2)
    assert played.numbers == list(range(PERIOD - 2))
    out, err = capfd.readouterr()
    assert "swordfish" not in out + err


def test_a_wrong_login_is_reported_without_the_password(origin: Origin) -> None:
    origin.login = "Basic x"
    address = origin.address.replace("://", "://me:swordfish@")
    with pytest.raises(SourceUnavailable, match="wrong user or password") as caught:
        NetworkConnector(f"{address}/live.m3u8").connect(lambda: True)
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>not found</html>", "is no playlist"),
        (b"", "is no playlist"),
        (b"#EXTM3U\n#EXTINF:x,\na.ts\n", "cannot be parsed"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n", "lists no segments"),
        (
            b'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a.40.2"\na.m3u8\n',
            "no variant of the playlist has video",
        ),
        (None, "nothing at this path"),
    ],
)
def test_an_invalid_playlist_is_reported_with_a_remedy(origin: Origin, content: bytes | None, said: str) -> None:
    if content is not None:
        origin.files["live.m3u8"] = content
    with pytest.raises((SourceUnavailable, SourceLost), match=said) as caught:
        open_source(f"{origin.address}/live.m3u8").__enter__()
    assert ";" in str(caught.value)
    assert "\n" not in str(caught.value)

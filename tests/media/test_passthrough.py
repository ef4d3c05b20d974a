"""Packets of other streams for several outputs: all packets to each, in order, in bounded memory."""

from __future__ import annotations

import errno
import gc
import tempfile
import weakref
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from av.stream import Disposition

from streamer.errors import SourceLost
from streamer.media.passthrough import Passthrough, Subscription
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.sources.file.file import FileSource
from tests.structure import FilePlan, StreamPlan, build

MILLISECOND = Fraction(1, 1000)


def stream_of(index: int, **more: Any) -> PassthroughStream:
    named: dict[str, Any] = {"kind": "audio", "codec": "aac", "disposition": Disposition(0)} | more
    return PassthroughStream(index, template=None, time_base=MILLISECOND, tags={}, **named)


SOUND, TEXT = stream_of(1), stream_of(2, kind="subtitle", codec="subrip")


def packet(ticks: int, size: int = 10) -> PassthroughPacket:
    return PassthroughPacket(ticks.to_bytes(4, "big") * size, ticks, ticks, side_data=((0, b"side"),))


def times(subscription: Subscription, until_ms: int | None = None) -> list[int]:
    return [one.ticks for _, one in subscription.take(None if until_ms is None else until_ms * MILLISECOND)]


def test_packets_are_taken_once_up_to_a_time() -> None:
    passthrough = Passthrough([SOUND])
    subscription = passthrough.subscribe()
    passthrough.begin()
    for ticks in (0, 20, 40, 60):
        passthrough.put(SOUND, packet(ticks))
    assert times(subscription, 40) == [0, 20, 40]
    assert times(subscription, 40) == []
    assert times(subscription) == [60]


def test_packets_are_sorted_by_time_in_the_order_of_each_stream() -> None:
    passthrough = Passthrough([SOUND, TEXT])
    subscription = passthrough.subscribe()
    for ticks in (0, 40, 20, 80):
        passthrough.put(SOUND, packet(ticks))
    passthrough.put(TEXT, packet(30))
    assert [(one.index, made.ticks) for one, made in subscription.take(None)] == [
        (1, 0),
        (2, 30),
        (1, 40),
        (1, 20),
        (1, 80),
    ]


def test_every_subscription_gets_every_packet() -> None:
    passthrough = Passthrough([SOUND])
    quick, slow = passthrough.subscribe(), passthrough.subscribe()
    passthrough.begin()
    for ticks in range(0, 100, 20):
        passthrough.put(SOUND, packet(ticks))
        times(quick, ticks)
    assert times(quick) == []
    assert times(slow, 20) == [0, 20]
    assert times(slow) == [40, 60, 80]


def test_a_subscription_before_the_first_frame_gets_all_packets() -> None:
    passthrough = Passthrough([SOUND])
    passthrough.put(SOUND, packet(0))
    early = passthrough.subscribe()
    assert passthrough.begin()
    passthrough.put(SOUND, packet(20))
    late = passthrough.subscribe()
    passthrough.put(SOUND, packet(40))
    assert times(early) == [0, 20, 40]
    assert times(late) == [40]


def test_without_subscriptions_no_packet_is_kept() -> None:
    passthrough = Passthrough([SOUND])
    passthrough.put(SOUND, packet(0))
    assert not passthrough.begin()
    passthrough.put(SOUND, packet(20))
    late = passthrough.subscribe()
    passthrough.put(SOUND, packet(40))
    late.close()
    late.close()
    again = passthrough.subscribe()
    assert times(again) == []


def test_packets_of_a_later_stream_are_delivered() -> None:
    passthrough = Passthrough([SOUND])
    subscription = passthrough.subscribe()
    passthrough.begin()
    passthrough.put(SOUND, packet(0))
    passthrough.replace_streams([TEXT])
    assert passthrough.streams == (TEXT,)
    passthrough.put(TEXT, packet(20))
    assert [(one.index, made.ticks) for one, made in subscription.take(None)] == [(1, 0), (2, 20)]


def test_a_later_subscription_gets_a_new_stream_from_its_position() -> None:
    passthrough = Passthrough([SOUND])
    early = passthrough.subscribe()
    passthrough.begin()
    passthrough.replace_streams([SOUND, TEXT])
    late = passthrough.subscribe()
    passthrough.put(TEXT, packet(20))
    late.close()
    assert times(early) == [20]
    early.close()
    passthrough.put(TEXT, packet(40))
    assert times(passthrough.subscribe()) == []


@pytest.mark.parametrize("memory_bytes", [0, 2000, 10_000])
def test_packets_from_the_temporary_file_are_unchanged(memory_bytes: int) -> None:
    passthrough = Passthrough([SOUND], memory_bytes=memory_bytes)
    one, other = passthrough.subscribe(), passthrough.subscribe()
    passthrough.begin()
    given = [packet(ticks, ticks + 1) for ticks in range(40)]
    for made in given[:30]:
        passthrough.put(SOUND, made)
    assert [made for _, made in one.take(20 * MILLISECOND)] == given[:21]
    for made in given[30:]:
        passthrough.put(SOUND, made)
    assert [made for _, made in one.take(None)] == given[21:]
    assert [made for _, made in other.take(None)] == given
    for made in given:  # the file is reused
        passthrough.put(SOUND, made)
    assert [made for _, made in other.take(None)] == given
    passthrough.close()
    passthrough.close()


def test_the_temporary_file_is_emptied_once_all_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    original = tempfile.TemporaryFile

    def remembered(**options: Any) -> Any:
        made.append(original(**options, dir=tmp_path))
        return made[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", remembered)
    passthrough = Passthrough([SOUND], memory_bytes=0)
    subscription = passthrough.subscribe()
    passthrough.begin()
    for _ in range(3):
        for ticks in range(10):
            passthrough.put(SOUND, packet(ticks, 1000))
        (file,) = made
        assert file.seek(0, 2) > 40_000
        times(subscription)
        assert file.seek(0, 2) == 0
    passthrough.close()
    assert file.closed


def test_a_live_source_drops_its_oldest_packets_of_any_stream() -> None:
    passthrough = Passthrough(
        [SOUND, TEXT], live=True, memory_bytes=2600
    )  # four packets of 40 bytes with their overhead
    subscription = passthrough.subscribe()
    passthrough.begin()
    passthrough.put(TEXT, packet(0))
    for ticks in range(10, 80, 10):
        passthrough.put(SOUND, packet(ticks))
    assert passthrough.dropped == 4
    assert times(subscription) == [40, 50, 60, 70]
    passthrough.put(SOUND, packet(80))
    assert (times(subscription), passthrough.dropped) == ([80], 4)


def test_a_cover_is_kept_once_and_not_queued() -> None:
    cover = stream_of(3, kind="video", codec="png", disposition=Disposition.attached_pic)
    passthrough = Passthrough([SOUND, cover])
    subscription = passthrough.subscribe()
    passthrough.put(cover, packet(500))
    passthrough.put(cover, packet(900))
    assert times(subscription) == []
    assert passthrough.covers == {cover: PassthroughPacket(packet(500).data, 0, 0, side_data=((0, b"side"),))}


def test_a_full_disk_is_one_error_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def seek(self, *_: int) -> int:
            return 0

        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None: ...

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    monkeypatch.setattr("streamer.media.passthrough.MEMORY_BYTES", 0)
    clip = build(FilePlan(".mkv", (StreamPlan("h264"), StreamPlan("mp2"))), tmp_path / "in.mkv")
    with FileSource(clip) as source:
        assert source.passthrough is not None
        source.passthrough.subscribe()
        source.passthrough._memory_bytes = 0
        with pytest.raises(SourceLost) as caught:
            list(source)
    assert "no disk space" in str(caught.value)
    assert "TMPDIR" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("memory_bytes", [10_000, 700])
def test_peeking_takes_nothing(memory_bytes: int) -> None:
    passthrough = Passthrough([SOUND], memory_bytes=memory_bytes)
    subscription = passthrough.subscribe()
    passthrough.begin()
    for ticks in range(0, 100, 20):
        passthrough.put(SOUND, packet(ticks))
    assert times(subscription, 20) == [0, 20]
    assert subscription.peek(SOUND, 2) == [packet(40), packet(60)]
    assert subscription.peek(SOUND, 9) == [packet(40), packet(60), packet(80)]
    assert times(subscription) == [40, 60, 80]
    assert subscription.peek(SOUND, 2) == []


def test_a_closed_subscription_holds_no_packets() -> None:
    passthrough = Passthrough([SOUND], live=True, memory_bytes=2000)
    closed, open_one = passthrough.subscribe(), passthrough.subscribe()
    passthrough.begin()
    closed.close()
    closed.close()
    for ticks in range(0, 2000, 20):
        passthrough.put(SOUND, packet(ticks))
        assert times(open_one) == [ticks]
    assert passthrough.dropped == 0


def test_a_live_source_drops_the_oldest_packet_by_seconds() -> None:
    fine = PassthroughStream(3, "audio", "opus", None, Fraction(1, 48000), {}, Disposition(0))
    passthrough = Passthrough([SOUND, fine], live=True, memory_bytes=1200)
    subscription = passthrough.subscribe()
    passthrough.begin()
    passthrough.put(SOUND, packet(900))  # 0.9 s
    passthrough.put(fine, packet(48_000))  # 1 s
    passthrough.put(fine, packet(52_800))  # 1.1 s
    assert passthrough.dropped == 1
    assert [(stream.index, one.ticks) for stream, one in subscription.take(None)] == [(3, 48_000), (3, 52_800)]


def test_a_closed_source_is_freed_at_once() -> None:
    class Source:
        """Refers to its passthrough, which calls it back."""

        def __init__(self) -> None:
            self.passthrough = Passthrough([SOUND])
            self.passthrough.on_read_to = self.read_to

        def read_to(self, time: Fraction) -> None:
            """Nothing to read."""

    source = Source()
    gone = weakref.ref(source)
    gc.disable()
    try:
        source.passthrough.close()
        del source
        assert gone() is None
    finally:
        gc.enable()

"""A transport stream that continues as another one is followed at once, by the only connection at the port."""

from __future__ import annotations

import itertools
import threading

import pytest

from streamer.config.source import SourceSettings
from streamer.errors import SourceLost
from streamer.flow.stats import RunStats
from streamer.sources.live.live import LiveSource
from streamer.sources.live.programme import CHANGED
from streamer.sources.network.connector import NetworkConnector
from tests.clips import read_number
from tests.pipeline.parts import DEADLINE_S
from tests.sources.network.sending_ts import Programme, Sender, free_port

BEFORE = Programme()
NEXT = 100
"""The number that the other programme begins with."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "after",
    [
        Programme(NEXT, pid=500),
        Programme(NEXT, pid=500, table_pid=4200),
        Programme(NEXT, pid=600, table_pid=4300, number=7),
        Programme(NEXT, codec="libx265"),
        Programme(NEXT, codec="libx265", pid=500),
    ],
    ids=["identifiers", "table", "service", "codec", "codec and identifiers"],
)
def test_a_reconfigured_sender_is_followed_within_two_seconds(after: Programme) -> None:
    check_followed(BEFORE, after)


@pytest.mark.slow
def test_a_change_of_codec_is_followed() -> None:
    check_followed(Programme(codec="libx265"), Programme(NEXT))


def check_followed(before: Programme, after: Programme) -> None:
    """The frames must go on with the other programme, after one reconnect for that cause and no other."""
    port, stats = free_port(), RunStats()
    # Longer than the test: it must not be a stall that mends it.
    settings = SourceSettings(stall_s=4 * DEADLINE_S)
    source = LiveSource(NetworkConnector(f"udp://127.0.0.1:{port}"), settings, stats)
    with Sender([before, after], port) as sender, source as opened:
        frames = iter(opened)
        last = next(frame for frame in frames if read_number(frame.picture) < NEXT)
        for frame in frames:
            if read_number(frame.picture) >= NEXT and not frame.damage and frame.segment == 1:
                break
            last = frame
        assert frame.captured_s - max(sender.began_s[1], last.captured_s) < 2.0 + DEADLINE_S  # a loaded machine
    causes = {cause: count for (name, cause), count in stats.counts.items() if name == "reconnect"}
    assert causes == {CHANGED: 1}


@pytest.mark.slow
def test_a_restarted_sender_needs_no_new_connection() -> None:
    port, stats = free_port(), RunStats()
    source = LiveSource(NetworkConnector(f"udp://127.0.0.1:{port}"), SourceSettings(stall_s=4 * DEADLINE_S), stats)
    with Sender([BEFORE, Programme(NEXT)], port), source as opened:
        assert next(frame.segment for frame in opened if read_number(frame.picture) >= NEXT + 5) == 0
    assert not [name for name, _ in stats.counts if name == "reconnect"]


def test_a_port_is_used_by_one_connection_at_a_time() -> None:
    connector = NetworkConnector("udp://camera:1")
    release = connector._take_port(lambda: True)
    with pytest.raises(SourceLost, match="not closed yet"):
        connector._take_port(lambda: False)
    threading.Timer(0.05, release).start()
    connector._take_port(lambda: True)()


@pytest.mark.slow
def test_two_programmes_at_one_port_do_not_disturb_each_other() -> None:
    port, stats = free_port(), RunStats()
    source = LiveSource(NetworkConnector(f"udp://127.0.0.1:{port}"), SourceSettings(stall_s=4 * DEADLINE_S), stats)
    other = Programme(NEXT, pid=500, table_pid=4200, number=2)
    with Sender([BEFORE], port), Sender([other], port), source as opened:
        shown = [read_number(frame.picture) >= NEXT for frame in itertools.islice(opened, 60)]
    assert len(set(shown)) == 1
    assert not [name for name, _ in stats.counts if name == "reconnect"]

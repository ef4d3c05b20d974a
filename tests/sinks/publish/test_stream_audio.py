"""Published audio: receivers get it in sync with the video, and it delays no frame."""

from __future__ import annotations

import dataclasses
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.config.output import OutputEntry
from streamer.features import SinkContext
from streamer.media.passthrough import Passthrough
from streamer.sinks.publish.stream import StreamSink
from streamer.sinks.selection import open_sink
from tests.faults import gstreamer
from tests.sinks.making import stream_sink
from tests.sinks.muxing.claps import CLAP_FIRST, SIZE, Feed, clap_scene, claps_in, click_track, moments
from tests.sinks.publish.rtsp_recorder import RtspRecorder
from tests.sinks.publish.test_stream import LISTEN, ROOT, Clock, address, segments, wait_until_listening
from tests.sinks.scenes import info, payloads

INFO = info(size=SIZE)
FIRST_S = CLAP_FIRST * 0.04
IN_SYNC_S = 0.04
ARRIVES_WITHIN_S = 20.0
PROGRAM = """
import json, sys
from tests.sinks.muxing.claps import receive
receive(sys.argv[1], sys.argv[2] or None, json.loads(sys.argv[3]))
"""


class Receiver:
    """A receiving process, with the frames and the audio that it received so far."""

    def __init__(self, url: str, kind: str) -> None:
        container, options = LISTEN[kind]
        # Otherwise it does not wait for audio that begins a little late.
        options = options | {"analyzeduration": "1000000", "probesize": "1000000"}
        command = [sys.executable, "-c", PROGRAM, url, container, json.dumps(options)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.codecs: list[str] = []
        self.pictures: list[float] = []
        self.sound: list[float] = []
        self._bright: list[float] = []
        self._loud: list[float] = []

    def read(self, pictures: int | None = None) -> None:
        """Read up to this number of frames, or to the end."""
        assert self.process.stdout is not None
        while pictures is None or len(self.pictures) < pictures:
            line = self.process.stdout.readline()
            if not line:
                return
            message = json.loads(line)
            self.codecs = message.get("codecs", self.codecs)
            if message.get("picture") is not None:
                self.pictures.append(message["picture"])
                self._bright += [message["picture"]] * message["bright"]
            if "sound" in message:
                self.sound.append(message["sound"])
                self._loud += message["loud"]

    def steps(self) -> list[float]:
        """Delay of each click after its flash, seconds."""
        flashes, clicks = moments(self._bright), moments(self._loud)
        near = [(flash, min(clicks, key=lambda click: abs(click - flash))) for flash in flashes if clicks]
        return [click - flash for flash, click in near if abs(click - flash) < 0.4]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def receive() -> Iterator[Callable[[str, str], Receiver]]:
    with ExitStack() as stack:

        def start(url: str, kind: str) -> Receiver:
            receiver = Receiver(url, kind)
            stack.callback(receiver.end)
            wait_until_listening(receiver.process, url)
            return receiver

        yield start


def publishing(url: str, feed: Feed, **options: Any) -> StreamSink:
    return stream_sink(url, INFO, passthrough=feed.passthrough, **{"clock": Clock(), **options})


def write(sink: StreamSink, feed: Feed, first: int, count: int) -> None:
    for number in range(first, first + count):
        sink.write(feed.come(clap_scene(number)))


def write_until_connected(sink: StreamSink, feed: Feed, number: int = 0) -> None:
    for _ in range(500):
        sink.write(feed.come(clap_scene(number)))
        if sink.connected:
            return
    pytest.fail("no receiver took the stream")


# Received streams


@pytest.mark.parametrize(
    ("kind", "codec", "rate_hz", "arrives"),
    [
        ("rtsp", "pcm_mulaw", 8000, "pcm_mulaw"),
        ("rtsp", "pcm_alaw", 8000, "pcm_alaw"),
        ("rtsp", "aac", 48000, "aac"),
        ("rtsp", "libopus", 48000, "opus"),
        ("rtsp", "mp2", 48000, "mp2"),
        ("rtsp", "libmp3lame", 48000, "mp3float"),
        ("rtsp", "ac3", 48000, "aac"),
        ("rtsp", "flac", 48000, "aac"),
        ("rtmp", "aac", 16000, "aac"),
        ("rtmp", "pcm_alaw", 8000, "aac"),
        ("udp", "aac", 48000, "aac"),
        ("udp", "libmp3lame", 44100, "mp3float"),
        ("udp", "eac3", 48000, "eac3"),
        ("udp", "pcm_mulaw", 8000, "aac"),
    ],
)
def test_audio_arrives_in_sync_and_encoding_is_noted(
    kind: str, codec: str, rate_hz: int, arrives: str, receive: Callable[[str, str], Receiver]
) -> None:
    url = address(kind)
    receiver = receive(url, kind)
    feed = Feed(click_track(codec, 9.0, rate_hz=rate_hz), late_s=0.2)
    feed.passthrough.begin()
    with publishing(url, feed) as sink:
        write_until_connected(sink, feed)
        if kind == "udp":
            _write_until_udp_receiver_has(sink, feed, receiver, 100)
        else:
            write(sink, feed, 1, 200)
    receiver.read()
    assert receiver.codecs == ["h264", arrives]
    steps = receiver.steps()
    assert len(steps) >= 3
    assert steps == pytest.approx([0.0] * len(steps), abs=IN_SYNC_S)
    encoded = arrives == "aac" and codec != "aac"
    assert any("is sent as aac" in note for note in sink.notes) == encoded
    assert len(sink.notes) == encoded


def _write_until_udp_receiver_has(sink: StreamSink, feed: Feed, receiver: Receiver, pictures: int) -> None:
    """Write until the receiver has this number of frames; datagrams are lost before it listens, and in bursts."""
    reader = threading.Thread(target=receiver.read, args=(pictures,))
    reader.start()
    number = 1
    while reader.is_alive():
        sink.write(feed.come(clap_scene(number)))
        number += 1
        reader.join(0.01)
    receiver.process.kill()


def test_the_session_description_describes_the_audio() -> None:
    for codec, rate_hz, wanted in (
        ("pcm_mulaw", 8000, "m=audio 0 RTP/AVP 0"),
        ("pcm_alaw", 8000, "m=audio 0 RTP/AVP 8"),
        ("aac", 48000, "mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3; config=1188"),
        ("libopus", 48000, "opus/48000/2"),
        ("flac", 44100, "MPEG4-GENERIC/44100/1"),
    ):
        with RtspRecorder() as server:
            feed = Feed(click_track(codec, 1.0, rate_hz=rate_hz))
            feed.passthrough.begin()
            with publishing(server.url, feed) as sink:
                write(sink, feed, 0, 2)
            assert wanted in server.description
            assert server.description.index("m=video") < server.description.index("m=audio")


@pytest.mark.system
@pytest.mark.skipif(bool(gstreamer.missing()), reason=f"no GStreamer server: {gstreamer.missing()}")
def test_a_gstreamer_server_takes_video_and_audio(tmp_path: Path) -> None:
    # FFmpeg's reports have no canonical name (RFC 3550, 6.5.1). Without it GStreamer does not know that the two streams
    # belong together and places each by its arrival, so other receivers test the synchronisation.
    feed = Feed(click_track("pcm_mulaw", 9.0, rate_hz=8000))
    feed.passthrough.begin()
    with gstreamer.GStreamerServer(record=tmp_path / "got.mkv") as server:
        with publishing(server.url("/record"), feed, required=True) as sink:
            for number in range(150):
                write(sink, feed, number, 1)
                threading.Event().wait(0.04)  # the server uses arrival times
        seen, heard = _settled(tmp_path / "got.mkv")
    assert len(seen) >= 4
    assert heard[: len(seen)] == pytest.approx(seen[: len(heard)], abs=0.4)


def _settled(path: Path) -> tuple[list[float], list[float]]:
    """The claps in a file that another process may still write."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(200):
        with suppress(av.error.FFmpegError, IndexError):
            found = claps_in(path)
        if min(map(len, found)) >= 4:
            break
        threading.Event().wait(0.05)
    return found


def test_every_segment_of_a_playlist_has_audio_in_sync(tmp_path: Path) -> None:
    playlist = tmp_path / "live.m3u8"
    for codec, rate_hz, arrives in (("pcm_mulaw", 8000, "aac"), ("aac", 48000, "aac"), ("ac3", 48000, "ac3")):
        feed = Feed(click_track(codec, 9.0, rate_hz=rate_hz), late_s=0.1)
        feed.passthrough.begin()
        with publishing(str(playlist), feed) as sink:
            write(sink, feed, 0, 200)
        assert len(sink.notes) == (codec == "pcm_mulaw")
        seen, heard = claps_in(playlist)
        assert len(seen) >= 5
        assert heard == pytest.approx(seen, abs=IN_SYNC_S)
        found = segments(tmp_path)
        assert len(found) >= 5
        for path in found:
            with av.open(str(path)) as container:
                assert [stream.codec_context.name for stream in container.streams] == ["h264", arrives]
            assert len(payloads(path, "audio")[0]) > (0 if path == found[-1] else 20)


def test_a_source_without_audio_is_published_as_video() -> None:
    sent = []
    for passthrough in (None, Passthrough(live=True)):
        with RtspRecorder() as server:
            with stream_sink(server.url, INFO, passthrough=passthrough, clock=Clock()) as sink:
                for number in range(20):
                    sink.write(clap_scene(number))
            assert "m=audio" not in server.description
            assert sink.notes == []
            assert server.ended.wait(ARRIVES_WITHIN_S)
            sent.append([packet.payload for packet in server.packets])
    assert sent[0] == sent[1]


@pytest.mark.parametrize(("kind", "copied"), [("rtsp", False), ("rtmp", True), ("hls", True)])
def test_aac_of_a_transport_stream_arrives_in_sync(
    kind: str, copied: bool, tmp_path: Path, receive: Callable[[str, str], Receiver]
) -> None:
    feed = Feed(click_track("aac", 9.0, container="mpegts"), late_s=0.1)
    feed.passthrough.begin()
    url = str(tmp_path / "live.m3u8") if kind == "hls" else address(kind)
    receiver = None if kind == "hls" else receive(url, kind)
    with publishing(url, feed) as sink:
        write(sink, feed, 0, 130)
    assert sink.notes == [] if copied else ["is sent as aac" in note for note in sink.notes] == [True]
    if receiver is None:
        seen, heard = claps_in(url)
        assert heard == pytest.approx(seen, abs=IN_SYNC_S)
        return
    receiver.read()
    assert receiver.codecs == ["h264", "aac"]
    assert len(receiver.steps()) >= 3
    assert receiver.steps() == pytest.approx([0.0] * len(receiver.steps()), abs=IN_SYNC_S)


# Audio delays no frame


@pytest.mark.parametrize("fps", [25, 2])
@pytest.mark.parametrize("codec", ["h264", "hevc", "vp8"])
def test_rtsp_sends_each_frame_before_the_next_also_without_audio(codec: str, fps: int) -> None:
    stream, packets = click_track("aac", 20.0)
    stops = [one for one in packets if one.ticks * stream.time_base < 4]
    feed = Feed((stream, stops), late_s=0.1)
    feed.passthrough.begin()
    step = 12800 // fps
    with RtspRecorder() as server, publishing(server.url, feed, codec=codec) as sink:
        for number in range(30):
            sink.write(feed.come(clap_scene(number, pts=number * step)))
            assert server.wait_for_pictures(number + 1, ARRIVES_WITHIN_S)
        assert sink.written == 30
    times = [packet.timestamp for packet in server.packets if packet.media == 0 and packet.marker]
    assert [after - before for before, after in itertools.pairwise(times)] == [90_000 // fps] * 29
    assert any(packet.media == 1 for packet in server.packets)


@pytest.mark.parametrize("kind", ["rtmp", "udp"])
def test_missing_audio_delays_at_most_one_frame(kind: str, receive: Callable[[str, str], Receiver]) -> None:
    url = address(kind)
    receiver = receive(url, kind)
    stream, packets = click_track("aac", 3.0)
    feed = Feed((stream, packets))
    feed.passthrough.begin()
    with publishing(url, feed) as sink:
        write_until_connected(sink, feed)
        if kind == "udp":
            _write_until_udp_receiver_has(sink, feed, receiver, 120)  # most of them after the end of the audio
        else:
            write(sink, feed, 1, 150)
            receiver.read(145)  # ends although the stream is still open
    assert receiver.codecs == ["h264", "aac"]
    assert len(receiver.pictures) >= 120


# Connections


def test_after_a_reconnect_audio_and_video_begin_together(receive: Callable[[str, str], Receiver]) -> None:
    url = address("rtsp")
    feed = Feed(click_track("pcm_mulaw", 60.0, rate_hz=8000), late_s=0.2)
    feed.passthrough.begin()
    first = receive(url, "rtsp")
    now_s = 0.0
    with publishing(url, feed, clock=lambda: now_s) as sink:
        write_until_connected(sink, feed)
        write(sink, feed, 1, 50)
        first.end()
        number = 51
        while sink.connected and number < 600:
            write(sink, feed, number, 1)
            number += 1
        assert not sink.connected
        write(sink, feed, number, 50)  # without a receiver
        second = receive(url, "rtsp")
        now_s = 100.0
        begin = number + 50
        write_until_connected(sink, feed, begin)
        write(sink, feed, begin + 1, 120)
    second.read()
    steps = second.steps()
    assert len(steps) >= 3
    assert steps == pytest.approx([0.0] * len(steps), abs=IN_SYNC_S)
    assert abs(second.sound[0] - second.pictures[0]) < 0.2


def test_audio_packets_do_not_queue_while_there_is_no_connection() -> None:
    feed = Feed(click_track("aac", 5.0))
    feed.passthrough.begin()
    with stream_sink("rtsp://127.0.0.1:9/x", INFO, passthrough=feed.passthrough, clock=lambda: 0.0) as sink:
        write(sink, feed, 0, 100)
        assert sink.skipped == 100
        assert not any(queue.packets for queue in feed.passthrough._queues.values())
    assert not feed.passthrough.begin()


def test_another_audio_codec_opens_a_new_connection(tmp_path: Path) -> None:
    first, second = click_track("pcm_mulaw", 2.0, rate_hz=8000), click_track("aac", 6.0)
    late = [one for one in second[1] if one.ticks * second[0].time_base >= 2]
    feed = Feed(first, (second[0], late))
    feed.passthrough.replace_streams([first[0]])
    feed.passthrough.begin()
    playlist = tmp_path / "live.m3u8"
    with publishing(str(playlist), feed) as sink:
        write(sink, feed, 0, 50)
        feed.passthrough.replace_streams([second[0]])
        write(sink, feed, 50, 75)
    assert sink.written == 125
    assert playlist.read_text(encoding="ascii").count("#EXT-X-DISCONTINUITY\n") == 1
    for path in segments(tmp_path):
        seen, heard = claps_in(path)
        assert heard == pytest.approx(seen, abs=IN_SYNC_S)


def test_the_same_audio_after_a_source_reconnect_keeps_the_connection(tmp_path: Path) -> None:
    feed = Feed(click_track("aac", 5.0))
    feed.passthrough.begin()
    with publishing(str(tmp_path / "live.m3u8"), feed) as sink:
        write(sink, feed, 0, 50)
        feed.passthrough.replace_streams(feed.passthrough.streams)
        write(sink, feed, 50, 50)
        feed.passthrough.replace_streams([])  # the audio ended
        write(sink, feed, 100, 20)
    text = (tmp_path / "live.m3u8").read_text(encoding="ascii")
    assert "#EXT-X-DISCONTINUITY\n" not in text


def test_a_required_stream_has_audio_in_sync_from_the_first_scene() -> None:
    with RtspRecorder() as server:
        feed = Feed(click_track("pcm_mulaw", 9.0, rate_hz=8000))
        feed.passthrough.begin()
        with stream_sink(server.url, INFO, passthrough=feed.passthrough, required=True) as sink:
            assert "m=audio" in server.description
            write(sink, feed, 25, 25)
        assert server.ended.wait(ARRIVES_WITHIN_S)
    pictures = server.times(0, 90_000, marked=True)
    sounds = server.times(1, 8_000)
    assert len(pictures) == 26
    assert abs(pictures[1] - sounds[0]) < 0.1


# Streams that are left out


def test_rtmp_takes_the_first_audio_stream_and_notes_the_other(receive: Callable[[str, str], Receiver]) -> None:
    url = address("rtmp")
    receiver = receive(url, "rtmp")
    first, second = click_track("aac", 5.0), click_track("pcm_mulaw", 5.0, rate_hz=8000)
    feed = Feed(first, (dataclasses.replace(second[0], index=1), second[1]))
    feed.passthrough.begin()
    with publishing(url, feed) as sink:
        write_until_connected(sink, feed)
        write(sink, feed, 1, 90)
    receiver.read()
    assert receiver.codecs == ["h264", "aac"]
    assert sink.notes == ["RTMP carries one audio stream: the audio stream 1 (pcm_mulaw) of the input is left out"]


def test_rtsp_carries_all_audio_streams() -> None:
    with RtspRecorder() as server:
        feed = Feed(click_track("aac", 2.0), click_track("pcm_mulaw", 2.0, rate_hz=8000))
        feed.passthrough.begin()
        with publishing(server.url, feed) as sink:
            write(sink, feed, 0, 40)
        assert server.ended.wait(ARRIVES_WITHIN_S)
    assert server.description.count("m=audio") == 2
    assert {packet.media for packet in server.packets} == {0, 1, 2}
    assert sink.notes == []


def test_subtitles_and_unknown_audio_are_left_out_and_noted() -> None:
    stream, packets = click_track("aac", 2.0)
    text = dataclasses.replace(stream, index=2, kind="subtitle", codec="subrip")
    unknown = dataclasses.replace(stream, index=3, codec="", template=None)
    feed = Feed((stream, packets), (text, []), (unknown, []))
    feed.passthrough.begin()
    with RtspRecorder() as server:
        with publishing(server.url, feed) as sink:
            write(sink, feed, 0, 20)
        assert server.description.count("m=audio") == 1
    assert sink.notes == [
        "RTSP carries audio only besides video: the subtitle stream 2 (subrip) of the input is left out",
        "the audio stream 3 of the input is left out: its codec is not known",
    ]


@pytest.mark.parametrize(("copies", "streams"), [(True, 2), (False, 1)])
def test_copy_streams_turns_audio_off_in_every_output(tmp_path: Path, copies: bool, streams: int) -> None:
    for name in ("file.mkv", "part-%S.mkv", "live.m3u8"):
        folder = tmp_path / name[:4]
        folder.mkdir(exist_ok=True)
        feed = Feed(click_track("aac", 2.0))
        entry = OutputEntry(to=str(folder / name), copy_streams=copies)
        with open_sink(entry, SinkContext(INFO, passthrough=feed.passthrough)) as sink:
            feed.passthrough.begin()
            for number in range(30):
                sink.write(feed.come(clap_scene(number)))
        (path,) = [path for path in folder.iterdir() if path.suffix in (".mkv", ".m3u8")]
        with av.open(str(path)) as container:
            assert len(container.streams) == streams


def test_damaged_audio_does_not_end_the_stream(tmp_path: Path) -> None:
    stream, packets = click_track("aac", 5.0)
    broken = [dataclasses.replace(one, data=b"\0") if 50 < k < 60 else one for k, one in enumerate(packets)]
    times = [dataclasses.replace(one, pts=packets[80].pts, dts=packets[80].dts) for one in packets[80:90]]
    feed = Feed((stream, [*broken[:80], *times, *broken[90:]]))
    feed.passthrough.begin()
    with publishing(str(tmp_path / "live.m3u8"), feed) as sink:
        write(sink, feed, 0, 100)
    assert (sink.written, sink.skipped) == (100, 0)
    with av.open(str(tmp_path / "live.m3u8")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 100

"""An HLS origin on this machine: live playlists that grow by the clock, over segments that were made beforehand.

What an encoder gives between two restarts is a `Period`, made by FFmpeg's own muxer. An `Origin` serves a number of
`Channel`s, each a media playlist made of periods, and whatever else a test puts into its `files`; it keeps a list of
what was asked for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np

from tests.sources.network.web_server import QuietServer

CLOCK = Fraction(1, 90_000)
SOUND_HZ = 48_000
_BLOCKS = 10  # bits of a picture's number, one a block
_BLOCK_PX = 16


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a period.

    Attributes:
        name: of its file, below the period's.
        duration_s: as its playlist tells.
        discontinuity: whether a period begins here, and the playlist tells it.
        tags: further lines before its address.
        lost: its file is not there.
    """

    name: str
    duration_s: float
    discontinuity: bool = False
    tags: tuple[str, ...] = ()
    lost: bool = False


@dataclass
class Channel:
    """A media playlist.

    Attributes:
        segments: all that it will ever hold.
        ready: how many there are at the beginning.
        window: how many are listed at once.

        ended: whether the list says that nothing will follow once all are there.
        head: further lines at its top.
    """

    segments: Sequence[Segment]
    ready: int = 3
    window: int = 5
    ended: bool = False
    head: tuple[str, ...] = ()

    def text(self, elapsed_s: float) -> str:
        """The playlist, so long after the beginning."""
        ends_s = np.cumsum([one.duration_s for one in self.segments])
        there = self.ready + int(np.searchsorted(ends_s - ends_s[self.ready - 1], elapsed_s, side="right")) - self.ready
        there = max(min(there, len(self.segments)), self.ready)
        first = max(there - self.window, 0)
        gone = sum(one.discontinuity for one in self.segments[:first])
        target = max(round(one.duration_s) for one in self.segments)
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{max(target, 1)}"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{first}", f"#EXT-X-DISCONTINUITY-SEQUENCE:{gone}", *self.head]
        for one in self.segments[first:there]:
            lines += ["#EXT-X-DISCONTINUITY"] * one.discontinuity
            lines += [*one.tags, f"#EXTINF:{one.duration_s:.5f},", one.name]
        if self.ended and there == len(self.segments):
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"


@dataclass
class Origin:
    """What is served, by path without the first slash.

    Attributes:
        files: bytes, or what gives them when they are asked for (None: not found).
        asked: paths of the requests so far, with their queries.
        address: `http://127.0.0.1:PORT`.
        down: nothing is answered while it is set.
    """

    files: dict[str, bytes | Callable[[], bytes | None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""
    down: threading.Event = field(default_factory=threading.Event)
    redirects: dict[str, str] = field(default_factory=dict)
    login: str = ""  # what Authorization must be
    token: str = ""  # what the query must be
    _began_s: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def channel(self, name: str, channel: Channel) -> None:
        """Serve a playlist whose time begins with the first request for any playlist."""
        self.files[name] = lambda: channel.text(self._elapsed_s()).encode()

    def period(self, folder: Path) -> None:
        """Serve the files of a folder below its name."""
        for path in folder.iterdir():
            self.files[f"{folder.name}/{path.name}"] = path.read_bytes()

    def paths(self) -> list[str]:
        """What was asked for so far."""
        with self._lock:
            return list(self.asked)

    def _elapsed_s(self) -> float:
        with self._lock:
            if self._began_s is None:
                self._began_s = time.monotonic()
            return time.monotonic() - self._began_s

    def answer(self, path: str) -> bytes | None:
        """The content of a path, which is noted."""
        with self._lock:
            self.asked.append(path)
        found = self.files.get(urlsplit(path).path)
        return found() if callable(found) else found


def make_period(
    folder: Path,
    *,
    first: int = 0,
    pictures: int = 100,
    fps: int = 25,
    start_s: float = 1.0,
    size: tuple[int, int] = (160, 128),
    codec: str = "libx264",
    fragments: bool = False,
    sound: bool = False,
    video: bool = True,
    b_frames: int = 0,
    segment_s: float = 1.0,
) -> list[Segment]:
    """Write segments as an encoder does without a restart, each with a keyframe at its start.

    Args:
        folder: for its files; its name goes before theirs in the playlist.
        first: number of the first picture.
        start_s: time stamp of the first picture, seconds.
        fragments: fMP4 with an initialization segment instead of MPEG-TS.
        b_frames: between two others.
    """
    folder.mkdir(parents=True)
    options = {"hls_time": f"{segment_s * 0.98}", "hls_list_size": "0", "hls_playlist_type": "vod"}
    options |= {"hls_segment_filename": str(folder / ("s%d.m4s" if fragments else "s%d.ts"))}
    if fragments:
        options |= {"hls_segment_type": "fmp4", "hls_fmp4_init_filename": "init.mp4"}
        options |= {"hls_segment_options": "movflags=+frag_discont"}
    else:
        options |= {"hls_segment_options": "mpegts_copyts=1"}
    key_every = round(fps * segment_s)
    with av.open(str(folder / "list.m3u8"), "w", format="hls", container_options=options) as container:
        seen: Any = None
        if video:
            seen = container.add_stream(codec, rate=fps)
            seen.width, seen.height, seen.pix_fmt = *size, "yuv420p"
            seen.codec_context.time_base = CLOCK
            quick = {"preset": "ultrafast", "g": str(key_every), "keyint_min": str(key_every), "sc_threshold": "0"}
            if codec == "libx265":
                quick = {"preset": "ultrafast", "x265-params": f"keyint={key_every}:min-keyint={key_every}:log-level=0"}
            seen.codec_context.options = quick | {"bf": str(b_frames)}
        heard: Any = container.add_stream("aac", rate=SOUND_HZ, layout="mono") if sound else None
        for k in range(pictures):
            if heard is not None:
                _tone(container, heard, start_s, k / fps, 1 / fps)
            if seen is not None:
                picture = numbered(first + k, size)
                picture.pts, picture.time_base = round((start_s + k / fps) / CLOCK), CLOCK
                container.mux(seen.encode(picture))
        for stream in (seen, heard):
            if stream is not None:
                container.mux(stream.encode(None))
    lines = (folder / "list.m3u8").read_text().splitlines()
    maps = tuple(line.replace('URI="', f'URI="{folder.name}/') for line in lines if line.startswith("#EXT-X-MAP"))
    durations = [float(line[8:].split(",")[0]) for line in lines if line.startswith("#EXTINF:")]
    names = [f"{folder.name}/{line}" for line in lines if line and not line.startswith("#")]
    (folder / "list.m3u8").unlink()
    return [
        Segment(name, duration, discontinuity=k == 0, tags=maps if k == 0 else ())
        for k, (name, duration) in enumerate(zip(names, durations, strict=True))
    ]


def each_for_itself(origin: Origin, segments: Sequence[Segment]) -> None:
    """Restart the packet counters in every segment, as some servers do."""
    for one in segments:
        content = origin.files[one.name]
        assert isinstance(content, bytes)
        packets = np.frombuffer(content, np.uint8).reshape(-1, 188).copy()
        pids = (packets[:, 1].astype(int) & 0x1F) << 8 | packets[:, 2]
        for pid in np.unique(pids):
            of = pids == pid
            packets[of, 3] = packets[of, 3] & 0xF0 | (packets[of, 3] - packets[of, 3][0]) & 0x0F
        origin.files[one.name] = packets.tobytes()


def _tone(container: Any, stream: Any, start_s: float, at_s: float, lasts_s: float) -> None:
    """The audio from `at_s` to `at_s + lasts_s`: a tone in every other second."""
    begin, end = round(at_s * SOUND_HZ), round((at_s + lasts_s) * SOUND_HZ)
    at = np.arange(begin, end)
    samples = np.sin(at * 2 * np.pi * 440 / SOUND_HZ) * ((at // SOUND_HZ) % 2) * 0.5
    frame = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], format="fltp", layout="mono")
    frame.sample_rate = SOUND_HZ
    frame.pts, frame.time_base = begin + round(start_s * SOUND_HZ), Fraction(1, SOUND_HZ)
    container.mux(stream.encode(frame))


def numbered(number: int, size: tuple[int, int] = (160, 128)) -> av.VideoFrame:
    """A picture with its number in the top row, one bit per block."""
    shown = np.full((size[1], size[0]), 128, np.uint8)
    for bit in range(_BLOCKS):
        shown[:_BLOCK_PX, bit * _BLOCK_PX : (bit + 1) * _BLOCK_PX] = 220 if number >> bit & 1 else 30
    shown[_BLOCK_PX:, (number * 4) % size[0] :][:, :8] = 60
    return av.VideoFrame.from_ndarray(shown, format="gray8").reformat(format="yuv420p")


def number_of(picture: av.VideoFrame) -> int:
    """The number in a picture."""
    shown = picture.to_ndarray(format="gray8")
    half = _BLOCK_PX // 2
    return sum(int(shown[half, bit * _BLOCK_PX + half] > 125) << bit for bit in range(_BLOCKS))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    origin: Origin

    def do_GET(self) -> None:
        origin, path = self.origin, self.path.lstrip("/")
        if origin.down.is_set():
            self.close_connection = True
            return
        if origin.login and self.headers.get("Authorization", "") != origin.login:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="origin"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if path in origin.redirects:
            self.send_response(302)
            self.send_header("Location", origin.redirects[path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = origin.answer(path)
        if content is None or (origin.token and origin.token not in path):
            self.send_error(404)
            return
        asked = self.headers.get("Range", "")
        status, first, end = 200, 0, len(content)
        if asked.startswith("bytes=") and asked != "bytes=0-":
            begin, _, last = asked[6:].partition("-")
            status, first, end = 206, int(begin), min(int(last) + 1, len(content)) if last else len(content)
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(content)}")
        kind = "application/vnd.apple.mpegurl" if urlsplit(path).path.endswith(".m3u8") else "video/mp2t"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(end - first))
        self.end_headers()
        try:
            self.wfile.write(content[first:end])
        except ConnectionError:  # the client closed the connection
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def serving() -> Iterator[Origin]:
    """An origin that serves nothing yet."""
    origin = Origin()
    handler = type("Handler", (_Handler,), {"origin": origin})
    with QuietServer(("127.0.0.1", 0), handler) as server:
        origin.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield origin
        finally:
            server.shutdown()
            thread.join()

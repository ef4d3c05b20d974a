"""A GStreamer RTSP server on 127.0.0.1, run with the interpreter that has its bindings (Debian's `/usr/bin/python3`).

`/h264`, `/h265` and `/mjpeg` show a bouncing ball; `/file` plays a QuickTime file (H.264 with AAC or A-law) at its own
speed. A stream that is published (H.264) to `/publish` can be read at `/relay`, and one that is published (H.264 and
G.711) to `/record` is written to a Matroska file. The server prints `listening PORT` when it has started and ends with
its standard input. GStreamer's streaming threads pass frames from a publisher to its readers; everything else belongs
to the main loop.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
from typing import Any

gi: Any = importlib.import_module("gi")
for _name in ("Gst", "GstRtspServer", "GstRtsp"):
    gi.require_version(_name, "1.0")
Gst: Any = importlib.import_module("gi.repository.Gst")
GstRtsp: Any = importlib.import_module("gi.repository.GstRtsp")
GstRtspServer: Any = importlib.import_module("gi.repository.GstRtspServer")
GLib: Any = importlib.import_module("gi.repository.GLib")

_BALL = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=640,height=360,framerate=25/1"
_BYTE_STREAM = "video/x-h264,stream-format=byte-stream,alignment=au"
_SHOWN = {
    "/h264": f"( {_BALL} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 "
    "! rtph264pay name=pay0 pt=96 config-interval=1 )",
    "/h265": f"( {_BALL} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 "
    "! h265parse ! rtph265pay name=pay0 pt=96 config-interval=1 )",
    "/mjpeg": f"( {_BALL} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )",
}
_PUBLISH = (
    f"( rtph264depay name=depay0 ! h264parse config-interval=-1 ! {_BYTE_STREAM} "
    "! appsink name=end emit-signals=true sync=false max-buffers=200 drop=true )"
)
_RELAY = (
    f"( appsrc name=start is-live=true do-timestamp=true format=time caps={_BYTE_STREAM} ! h264parse "
    "! rtph264pay name=pay0 pt=96 config-interval=1 )"
)
_FILE = (
    "( filesrc location={path} ! qtdemux name=file "
    "file. ! queue ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 "
    "file. ! queue ! {pay} name=pay1 pt={type} )"
)
_SOUND = {"aac": ("aacparse ! rtpmp4gpay", 97), "pcm_alaw": ("rtppcmapay", 8)}
_RECORD = (
    "( matroskamux name=mux streamable=true ! filesink location={file} sync=false "
    "rtph264depay name=depay0 ! h264parse ! queue ! mux. rtppcmudepay name=depay1 ! queue ! mux. )"
)
_ELEMENTS = (
    *("videotestsrc", "x264enc", "x265enc", "jpegenc", "h264parse", "h265parse", "appsrc", "appsink"),
    *("qtdemux", "aacparse", "rtpmp4gpay", "rtppcmapay"),
    *("rtph264pay", "rtph265pay", "rtpjpegpay", "rtph264depay", "rtpjitterbuffer"),
    *("rtppcmudepay", "matroskamux"),
)


class Relay:
    """Passes the stream that is published at one path to all readers of another.

    Streaming threads of the publisher push, the main loop adds and removes readers; the lock protects the set of
    readers.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: set[Any] = set()

    def publisher(self) -> Any:
        """The factory of the path for publishing."""
        factory = _factory(_PUBLISH, latency_ms=100)
        factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
        factory.connect("media-configure", self._on_publisher)
        return factory

    def reader(self) -> Any:
        """The factory of the path for reading."""
        factory = _factory(_RELAY, latency_ms=0)
        factory.connect("media-configure", self._on_reader)
        return factory

    def _on_publisher(self, _factory: Any, media: Any) -> None:
        element = media.get_element()
        element.get_parent().connect("deep-element-added", _hand_on_at_once)
        element.get_child_by_name("end").connect("new-sample", self._on_sample)

    def _on_reader(self, _factory: Any, media: Any) -> None:
        start = media.get_element().get_child_by_name("start")
        with self._lock:
            self._readers.add(start)
        media.connect("unprepared", lambda _media: self._forget(start))

    def _forget(self, start: Any) -> None:
        with self._lock:
            self._readers.discard(start)

    def _on_sample(self, end: Any) -> Any:
        published = end.emit("pull-sample").get_buffer()
        with self._lock:
            readers = list(self._readers)
        for reader in readers:
            buffer = published.copy()
            buffer.pts = buffer.dts = Gst.CLOCK_TIME_NONE
            reader.emit("push-buffer", buffer)
        return Gst.FlowReturn.OK


def _recorder(file: str) -> Any:
    """The factory of the path whose stream is written to a file."""
    factory = _factory(_RECORD.format(file=file), latency_ms=100)
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    factory.connect(
        "media-configure",
        lambda _factory, media: media.get_element().get_parent().connect("deep-element-added", _hand_on_at_once),
    )
    return factory


def _hand_on_at_once(_bin: Any, _parent: Any, element: Any) -> None:
    """Disable delay and dropping in the jitter buffer of a publisher."""
    if element.get_factory().get_name() == "rtpjitterbuffer":
        element.set_property("mode", 0)
        element.set_property("drop-on-latency", False)


def _factory(launch: str, *, latency_ms: int = 200) -> Any:
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch)
    factory.set_shared(True)
    factory.set_latency(latency_ms)
    return factory


def _authentication(scheme: str, user: str, password: str) -> Any:
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    authentication = GstRtspServer.RTSPAuth()
    if scheme == "digest":
        authentication.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        authentication.add_digest(user, password, token)
    else:
        authentication.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    return authentication


def _permissions() -> Any:
    permissions = GstRtspServer.RTSPPermissions()
    for right in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("user", right, True)
    return permissions


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", nargs="?", default="0")
    parser.add_argument("--check", action="store_true", help="only print the missing elements")
    parser.add_argument("--login", metavar="SCHEME:USER:PASSWORD")
    parser.add_argument("--file", help="what /file plays")
    parser.add_argument("--sound", choices=sorted(_SOUND), default="aac", help="its audio codec")
    parser.add_argument("--record", metavar="FILE")
    asked = parser.parse_args()
    Gst.init(None)
    if asked.check:
        absent = [name for name in _ELEMENTS if Gst.ElementFactory.find(name) is None]
        sys.exit(f"GStreamer has no {', '.join(absent)}" if absent else 0)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(asked.port)
    relay = Relay()
    factories = {path: _factory(launch) for path, launch in _SHOWN.items()}
    if asked.file:
        pay, kind = _SOUND[asked.sound]
        factories["/file"] = _factory(_FILE.format(path=asked.file, pay=pay, type=kind))
    factories |= {"/publish": relay.publisher(), "/relay": relay.reader()}
    if asked.record:
        factories["/record"] = _recorder(asked.record)
    for path, factory in factories.items():
        if asked.login:
            factory.set_permissions(_permissions())
        server.get_mount_points().add_factory(path, factory)
    if asked.login:
        server.set_auth(_authentication(*asked.login.split(":", 2)))
    # With one thread for all clients, a reader that waits for the publisher blocks it.
    server.get_thread_pool().set_max_threads(16)
    server.attach(None)
    loop = GLib.MainLoop()
    GLib.timeout_add_seconds(2, lambda: server.get_session_pool().cleanup() >= 0)
    GLib.io_add_watch(0, GLib.IO_IN | GLib.IO_HUP, lambda *_: bool(os.read(0, 1)) or loop.quit())
    print("listening", server.get_bound_port(), flush=True)
    loop.run()


if __name__ == "__main__":
    main()

"""The pictures of the cameras: one H.264 clip, encoded once and then sent again and again."""

from __future__ import annotations

import base64
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.frame import PictureType

from streamer.cli.commands import packaged_clip
from tests.faults.camera.encoding import Coded
from tests.faults.camera.payloads import h264_payloads, nal_units

KEY_FRAME_EVERY_S = 1.0
_STREET = "bikes.mp4"
"""640x272, 250 frames: people, cars and bicycles in a street, with cuts."""
_SPS, _PPS = 7, 8
"""Types of the H.264 units with the parameters of the stream (ITU-T H.264, table 7-1)."""


def make_clip(path: Path, size: tuple[int, int], fps: int) -> Path:
    """Encode the street scenes as an IP camera does: no B-frames, a keyframe every second, 2 to 4 Mbit/s at 1280x720.

    Args:
        path: of the raw H.264 stream that is written.
        size: `(width, height)` in pixels; the sides of the original are cropped to this shape.
        fps: at which the stream will be sent.
    """
    rate = round(KEY_FRAME_EVERY_S * fps)
    options = {"preset": "veryfast", "crf": "17", "bf": "0", "sc_threshold": "0", "g": str(rate)}
    options["x264-params"] = "rc-lookahead=0:sync-lookahead=0:mbtree=0:repeat-headers=1"
    with av.open(str(packaged_clip(_STREET))) as source, av.open(str(path), "w", format="h264") as target:
        video: Any = target.add_stream("libx264", rate=fps, options=options)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            width = min(frame.width, round(frame.height * size[0] / size[1]))
            left = (frame.width - width) // 2
            cropped = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24")[:, left : left + width].copy())
            picture = cropped.reformat(*size, "yuv420p")
            picture.pts, picture.time_base, picture.pict_type = number, Fraction(1, fps), PictureType.NONE
            target.mux(video.encode(picture))
        target.mux(video.encode(None))
    return path


class Clip:
    """The RTP payloads of a clip, read once and shared by all cameras.

    Attributes:
        frames: the payloads of each frame, and whether it is a keyframe.
    """

    def __init__(self, path: Path) -> None:
        self.frames: list[tuple[Coded, bool]] = []
        sets: dict[int, bytes] = {}
        with av.open(str(path)) as container:
            for packet in container.demux(video=0):
                if packet.size:
                    units = nal_units(bytes(packet))
                    sets |= {unit[0] & 0x1F: unit for unit in units if unit[0] & 0x1F in (_SPS, _PPS)}
                    self.frames.append((Coded(h264_payloads(units)), packet.is_keyframe))
        encoded = ",".join(base64.b64encode(sets[kind]).decode() for kind in (_SPS, _PPS))
        profile = sets[_SPS][1:4].hex()
        self.parameters = f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={encoded}"


class ClipEncoding:
    """The clip as the encoding of a camera (`tests.faults.camera.encoding.Encoding`). It never ends.

    Args:
        clip: its frames.
        fps: at which they are sent.
        first: the number of the first frame, so that two cameras do not show the same.
    """

    clock_hz = 90000
    payload_type = 96

    def __init__(self, clip: Clip, fps: float, first: int) -> None:
        self.interval_s = 1 / fps
        self.description = [
            f"m=video 0 RTP/AVP {self.payload_type}",
            f"a=rtpmap:{self.payload_type} H264/{self.clock_hz}",
            f"a=fmtp:{self.payload_type} {clip.parameters}",
            f"a=framerate:{fps:g}",
        ]
        self._frames = clip.frames
        self._next = first

    def take(self, number: int, ticks: int, *, is_key: bool) -> Coded:  # noqa: ARG002
        """The next frame; the next keyframe if one is wanted."""
        while is_key and not self._frames[self._next % len(self._frames)][1]:
            self._next += 1
        coded, _ = self._frames[self._next % len(self._frames)]
        self._next += 1
        return coded

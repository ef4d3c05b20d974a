"""What a live source reads from: a connection to a camera, opened, read and closed by a thread of its own.

A `Connector` opens connections, and `LiveSource` makes a new one when the current one fails or stalls. A connection
waits for data without a time limit, but it ends soon after it is cancelled (`streamer.sources.live.interrupt`, or by
asking every `POLL_S`), because no other thread may close an FFmpeg container that is being read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

import av

from streamer.errors import SourceLost
from streamer.interfaces import Damage, StreamInfo
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.sources.decode.orientation import UPRIGHT, Orientation
from streamer.sources.live.clock_epochs import NO_EPOCH, ClockEpoch
from streamer.values.frame import FrameKey

POLL_S = 0.25
"""Interval at which a wait outside FFmpeg asks whether its connection is still active."""


class ConnectionCancelled(SourceLost):
    """The connection was cancelled while it was opened or read."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
    """A decoded frame with the sender's own time stamp.

    Attributes:
        picture: the decoder's picture, upright.
        pts: the sender's presentation time in units of `time_base`; None if it sent none.
        time_base: seconds per tick of `pts`.
        arrived_s: monotonic clock when the last packet of the frame arrived, before decoding.
        decode_s: decoding time, seconds.
        wall_clock_s: the sender's wall clock, seconds since 1970, if the protocol has one (RTCP); otherwise None.
        damage: why no detector may get the frame, short and stable (`packet loss`); "" for an intact frame.
        damage_detail: FFmpeg's message, for the log.
        key, sample_aspect_ratio: as of `streamer.values.frame.Frame`.
        orientation: how the picture was turned.
        epoch: the epoch of the sender's clock that `pts` belongs to.
    """

    picture: av.VideoFrame
    pts: int | None
    time_base: Fraction
    arrived_s: float
    decode_s: float = 0.0
    wall_clock_s: float | None = None
    damage: str = ""
    damage_detail: str = ""
    key: FrameKey | None = None
    sample_aspect_ratio: Fraction | None = None
    orientation: Orientation = UPRIGHT
    epoch: ClockEpoch = NO_EPOCH


@dataclass(frozen=True, slots=True)
class LivePacket:
    """A packet of an audio stream.

    Attributes:
        stream: as its connection describes it.
        packet: with the sender's time stamps.
        arrived_s: monotonic clock.
        epoch: the epoch of the sender's clock that the time stamps belong to.
    """

    stream: PassthroughStream
    packet: PassthroughPacket
    arrived_s: float
    epoch: ClockEpoch = NO_EPOCH

    @property
    def time_s(self) -> Fraction:
        """The sender's time, seconds."""
        return self.packet.ticks * self.stream.time_base


LiveItem = LiveFrame | LivePacket | Damage | None
"""What a connection yields; see `Connection.frames`."""


class Connection(Protocol):
    """An open live input. Read and closed by the thread that opened it."""

    @property
    def info(self) -> StreamInfo:
        """Properties of the frames; valid from the first frame on. They may change with the next connection."""
        ...

    def frames(self) -> Iterator[LiveItem]:
        """Yield frames and audio packets as they arrive, and lost frames (`Damage`) in between.

        None means that data arrived which is no frame yet (before the first keyframe), or that some time passed
        without data: the reader then checks whether the connection is still active.

        Returns when the sender ended the stream. Raises SourceLost when the input failed.
        """
        ...

    def close(self) -> None:
        """Close the input; called by the thread that read it."""
        ...


@runtime_checkable
class AudioConnection(Protocol):
    """A connection that yields audio packets too."""

    @property
    def streams(self) -> Sequence[PassthroughStream]:
        """The audio streams that can be copied. A packet of another stream means that they have changed."""
        ...


class Connector(Protocol):
    """Opens one live input, as often as needed.

    Attributes:
        name: readable, without credentials.
        ends: the end of the input is final (a file), and no reason to reconnect.
    """

    name: str
    ends: bool

    @property
    def least_stall_s(self) -> float:
        """A shorter time without data is no stall, because data arrive in segments (HLS); otherwise 0."""
        ...

    def is_reachable(self) -> bool:
        """Check quickly whether a connection can succeed: a port listens, a device file exists.

        An unreachable input is reconnected once it becomes reachable. The check takes half a second at most.
        """
        ...

    def connect(self, is_active: Callable[[], bool]) -> Connection:
        """Open the input; takes a few seconds at most.

        Args:
            is_active: asked repeatedly; once it returns False, opening ends with SourceLost.

        Raises:
            SourceUnavailable: an error that a user must fix (wrong password, no such path, no video). It is retried,
                but slowly.
            SourceLost: an error that may disappear (no answer, connection refused, device busy).
        """
        ...

"""What a live source reads from: one connection to a camera, opened, read and closed by a thread of its own.

`Connector` knows how to open; `Connection` is open. `LiveSource` makes connections, watches that pictures come, and
makes the next one when they do not. A connection waits for as long as nothing comes, and ends at once when it is not
wanted any more (`streamer.sources.live.interrupt`, or by asking every `POLL_S`), because nothing may close an
FFmpeg container while another thread reads it.
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
    """A picture as it came.

    Attributes:
        picture: the decoder's, upright.
        pts: presentation time in units of `time_base` as the sender gave it; None where it gave none.
        time_base: seconds per tick of `pts`.
        arrived_s: monotonic clock when the last packet of the picture had come, before decoding.
        decode_s: what decoding it took, seconds.
        wall_clock_s: the sender's wall clock, seconds since 1970, where the protocol tells it (RTCP); else None.
        damage: why it must not be given to a detector, short and stable (`packet loss`); empty if it is sound.
        damage_detail: FFmpeg's own, for the log.
        key, sample_aspect_ratio: as of `streamer.values.frame.Frame`.
        orientation: how the picture was turned.
        epoch: which of the sender's clocks gave `pts`.
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
    """A packet of another stream than the video, as it came.

    Attributes:
        stream: as its connection describes it.
        packet: with the times that the sender gave.
        arrived_s: monotonic clock.
        epoch: which of the sender's clocks gave its times.
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
"""What a connection gives; see `Connection.frames`."""


class Connection(Protocol):
    """An open live input. Read and closed by the thread that opened it."""

    @property
    def info(self) -> StreamInfo:
        """What the pictures are; of this connection, the next one may differ. Asked after the first picture."""
        ...

    def frames(self) -> Iterator[LiveItem]:
        """Pictures as they come, packets of the other streams, and what was lost (`Damage`) in between.

        None means only that something came, which is no picture yet (data before the first key frame), or that some
        time passed without anything: whoever reads looks then whether it is still wanted.

        Returns when the sender ended the stream. Raises SourceLost when the input failed.
        """
        ...

    def close(self) -> None:
        """Release it; by the thread that read it."""
        ...


@runtime_checkable
class AudioConnection(Protocol):
    """What a connection that gives the packets of other streams too has besides."""

    @property
    def streams(self) -> Sequence[PassthroughStream]:
        """What comes besides the video and can be copied; a packet of a stream that was not here says it changed."""
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
        """Whether something is there to connect to, found out quickly (a port that listens, a device file).

        While nothing is, the next try does not wait for its time once something is. Takes half a second at most.
        """
        ...

    def connect(self, is_active: Callable[[], bool]) -> Connection:
        """Open the input; takes a few seconds at most.

        Args:
            is_active: asked now and then; once it is False the opening gives up with SourceLost.

        Raises:
            SourceUnavailable: what a user must mend (wrong password, no such path, no video): asked again, but slowly.
            SourceLost: what may mend itself (nobody answers, connection refused, device busy).
        """
        ...

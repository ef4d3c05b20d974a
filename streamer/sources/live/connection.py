"""What a live source reads from: one connection to a camera, opened, read and closed by a thread of its own.

`Connector` knows how to open; `Connection` is open. `LiveSource` makes connections, watches that pictures come, and
makes the next one when they do not. A connection waits for as long as nothing comes, and ends at once when it is not
wanted any more (`streamer.sources.live.interrupt`, or by asking every `ASK_EVERY_S`), because nothing may close an
FFmpeg container while another thread reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

import av

from streamer.interfaces import Damage, StreamInfo
from streamer.media.passthrough_streams import PassthroughPacket, PassthroughStream
from streamer.sources.decode.orientation import UPRIGHT, Orientation
from streamer.sources.live.eras import NO_ERA, Era
from streamer.values.frame import FrameKey

ASK_EVERY_S = 0.25
"""What waits without FFmpeg looks so often whether it is still wanted."""


@dataclass(frozen=True, slots=True, eq=False)
class LivePicture:
    """A picture as it came.

    Attributes:
        picture: the decoder's, upright.
        pts: presentation time in units of `time_base` as the sender gave it; None where it gave none.
        time_base: seconds per tick of `pts`.
        arrived_s: monotonic clock when the last packet of the picture had come, before decoding.
        decode_s: what decoding it took, seconds.
        wall_clock_s: the sender's wall clock, seconds since 1970, where the protocol tells it (RTCP); else None.
        damage: why it must not be given to a detector, short and stable (`packet loss`); empty if it is sound.
        damage_words: FFmpeg's own, for the log.
        key, sample_aspect_ratio: as of `streamer.values.frame.Frame`.
        orientation: how the picture was turned.
        era: which of the sender's clocks gave `pts`.
    """

    picture: av.VideoFrame
    pts: int | None
    time_base: Fraction
    arrived_s: float
    decode_s: float = 0.0
    wall_clock_s: float | None = None
    damage: str = ""
    damage_words: str = ""
    key: FrameKey | None = None
    sample_aspect_ratio: Fraction | None = None
    orientation: Orientation = UPRIGHT
    era: Era = NO_ERA


@dataclass(frozen=True, slots=True)
class LivePacket:
    """A packet of another stream than the video, as it came.

    Attributes:
        stream: as its connection describes it.
        packet: with the times that the sender gave.
        arrived_s: monotonic clock.
        era: which of the sender's clocks gave its times.
    """

    stream: PassthroughStream
    packet: PassthroughPacket
    arrived_s: float
    era: Era = NO_ERA

    @property
    def time_s(self) -> Fraction:
        """The sender's time, seconds."""
        return self.packet.ticks * self.stream.time_base


LiveItem = LivePicture | LivePacket | Damage | None
"""What a connection gives; see `Connection.pictures`."""


class Connection(Protocol):
    """An open live input. Read and closed by the thread that opened it."""

    @property
    def info(self) -> StreamInfo:
        """What the pictures are; of this connection, the next one may differ. Asked after the first picture."""
        ...

    def pictures(self) -> Iterator[LiveItem]:
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
class SoundConnection(Protocol):
    """What a connection that gives the packets of other streams too has besides."""

    @property
    def streams(self) -> Sequence[PassthroughStream]:
        """What comes besides the video and can be copied; a packet of a stream that was not here says it changed."""
        ...


class Connector(Protocol):
    """Knows how to open one live input, again and again.

    Attributes:
        name: readable, without credentials.
        ends: that the input ends is its ordinary end (a file), not a reason to connect again.
        least_stall_s: a shorter time without data means nothing, because it comes in parts (HLS); else 0.
    """

    name: str
    ends: bool
    least_stall_s: float

    def present(self) -> bool:
        """Whether something is there to connect to, found out quickly (a port that listens, a device file).

        While nothing is, the next try does not wait for its time once something is. Takes half a second at most.
        """
        ...

    def connect(self, wanted: Callable[[], bool]) -> Connection:
        """Open the input; takes a few seconds at most.

        Args:
            wanted: asked now and then; once it is False the opening gives up with SourceLost.

        Raises:
            SourceUnavailable: what a user must mend (wrong password, no such path, no video): asked again, but slowly.
            SourceLost: what may mend itself (nobody answers, connection refused, device busy).
        """
        ...

"""What a pool is started with, and what it says of itself. Immutable; Ray carries them between processes."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.config.detector import DetectorSettings
from streamer.detectors.ray import wire
from streamer.values.labels import LabelTable


@dataclass(frozen=True, slots=True)
class PoolOrder:
    """What a pool is started with.

    Attributes:
        name: of the pool.
        detector: its settings.
        workers: how many actors with a detector each.
        num_cpus, num_gpus: what each of them reserves.
        host: the address on the head where frames are taken; `0.0.0.0` for all.
        port: None for the first free one from 10101 on.
        token: what senders must know; they get it through Ray.
    """

    name: str
    detector: DetectorSettings
    workers: int
    num_cpus: float
    num_gpus: float
    host: str
    port: int | None
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A detector that is ready.

    Attributes:
        title: what messages call it.
        labels: its classes.
        default_min_score: the lowest score that it reports if no setting changes it.
        lowest_score: the lowest score that it reports.
        machine: name of the machine.
    """

    title: str
    labels: LabelTable
    default_min_score: float
    lowest_score: float
    machine: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An error of this program, on the cluster.

    Attributes:
        message: one line.
        is_usage: the settings are wrong.
        is_output: the model gave numbers that are no detections.
    """

    message: str
    is_usage: bool = False
    is_output: bool = False


@dataclass(frozen=True, slots=True)
class PoolCard:
    """What a sender needs.

    Attributes:
        port: where frames are taken.
        token: to be sent with each.
        loaded: the detector.
        workers: how many there are.
        wire: version of the format of frames.
    """

    port: int
    token: str = field(repr=False)
    loaded: Loaded
    workers: int
    wire: int = wire.VERSION


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """How a pool is doing.

    Attributes:
        name: of the pool.
        detector: what messages call it; empty before it is loaded.
        workers: how many it should have.
        ready: how many have loaded the detector.
        machines: where these are.
        port: where frames are taken; 0 before that.
        senders: how many sent a frame in the last minutes.
        detected: how many frames were detected since the start.
        dropped: how many waited too long.
        restarted: how many workers had to be replaced.
        refused: why a worker cannot load its detector; empty if none.
        is_usage: that is a wrong setting.
    """

    name: str
    detector: str
    workers: int
    ready: int
    machines: tuple[str, ...]
    port: int
    senders: int
    detected: int
    dropped: int
    restarted: int
    refused: str = ""
    is_usage: bool = False

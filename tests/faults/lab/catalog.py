"""All faults by name, in the order of the tables. Immutable."""

from __future__ import annotations

from collections.abc import Mapping

from tests.faults.lab import access_faults, detector_faults, loss_faults, output_faults, stream_faults
from tests.faults.lab.scenario import Scenario

_ALL: tuple[type[Scenario], ...] = (
    access_faults.Killed,
    access_faults.KilledForLong,
    access_faults.Disconnected,
    access_faults.Stalled,
    access_faults.StalledBriefly,
    access_faults.StalledBeforeOpen,
    access_faults.StalledForLong,
    access_faults.HalfOpen,
    access_faults.Forgotten,
    access_faults.PortClosed,
    access_faults.WrongPassword,
    loss_faults.Loss1,
    loss_faults.Loss3,
    loss_faults.Loss10,
    loss_faults.Loss20,
    loss_faults.Garbage,
    loss_faults.LeftOut,
    stream_faults.Resolution,
    stream_faults.CodecChange,
    stream_faults.PtsForwards,
    stream_faults.PtsBackwards,
    stream_faults.PtsWrap,
    stream_faults.MissingPts,
    stream_faults.NoKeyFrame,
    stream_faults.AudioOnly,
    stream_faults.Rate,
    output_faults.PublishKilled,
    output_faults.PublishStalled,
    output_faults.FullDisk,
    detector_faults.DetectorSleeps,
    detector_faults.DetectorRaises,
    detector_faults.DetectorRaisesForGood,
)
SCENARIOS: Mapping[str, type[Scenario]] = {scenario.name: scenario for scenario in _ALL}

"""Whether a run can join the parts of a plan: its settings, and who detected them.

Tracking, drawing and outputs do not change a detection, so a run chooses them freely. Classes and scores are applied to
the detections of the parts. All else in `detector` must be as planned, and so must the settings of the source that
change its frames. What a run leaves open is taken from the plan. Pure functions; `SameWorkers` may be used by any
thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from streamer.classes.class_filter import ClassFilter
from streamer.config.detector import DetectorSettings
from streamer.config.section import Section, validated
from streamer.config.settings import Settings
from streamer.config.source import SourceSettings
from streamer.detectors.selection import default_min_score, model_sha256, own_section
from streamer.errors import ConfigError
from streamer.features import Extensions
from streamer.parts.plan import Plan
from streamer.parts.values import Worker
from streamer.system import paths
from streamer.values.labels import LabelTable

S = TypeVar("S", bound=Section)

OF_THIS_MACHINE = frozenset(
    {"offline", "device", "gpu_memory_mb", "timeout_s", "on_hang", "workers", "threads", "latency", "remote"}
)
"""Settings of the detector that say how it runs here. A device that computes other numbers is found by its canary."""
OF_DETECTIONS = frozenset({"classes", "min_score", "min_scores", "merge_twins"})
"""Settings of the detector that `ClassFilter` applies to its detections."""
OF_CADENCE = frozenset({"every", "fps", "max_gap_s"})
"""Settings that choose the frames to detect: free, if the parts have every frame."""


def joined_settings(plan: Plan, settings: Settings) -> Settings:
    """The settings of a run that joins the parts of a plan.

    Raises:
        ConfigError: a setting is not as planned, or the source would be played in real time.
    """
    if settings.source.live or settings.detector.latency is not None:
        name = "source.live" if settings.source.live else "detector.latency"
        raise ConfigError(f"the parts of a plan are joined with every frame of the file; leave out {name}")
    planned = plan.detector
    every_frame = planned.every in (1, "auto") and planned.fps is None
    free = OF_DETECTIONS | (OF_CADENCE if every_frame else frozenset())
    fields = set(DetectorSettings.model_fields) - OF_THIS_MACHINE - {"name"}
    given = named_anywhere(settings.detector)
    detector = _as_planned("detector", given, planned, fields, free)
    detector = detector.model_copy(update={"name": _name_here(plan, given)})
    frames = validated(SourceSettings, plan.source, "source")
    source = _as_planned("source", settings.source, frames, set(plan.source), frozenset())
    extensions = planned_extensions(plan, settings.extensions)
    return settings.model_copy(update={"detector": detector, "source": source, "extensions": extensions})


def named_anywhere(settings: DetectorSettings) -> DetectorSettings:
    """With absolute paths of the model and of its label map: a worker may run in another folder."""
    here = {}
    for field in ("name", "label_map"):
        value = getattr(settings, field)
        path = Path(value or "").expanduser()
        if value and (path.suffix or os.sep in value) and paths.exists(path):
            here[field] = str(path.absolute())
    return settings.model_copy(update=here)


def planned_extensions(plan: Plan, given: Extensions) -> dict[str, Mapping[str, Any]]:
    """Settings of features of other packages, with those of the plan's detector.

    Raises:
        ConfigError: other settings are given for the detector.
    """
    planned, mine = plan.extensions, own_section(plan.detector, given)
    if mine and mine != planned:
        (name,) = mine
        raise ConfigError(
            f"extensions.{name} is {mine[name]}, but the plan was made with {planned.get(name, {})}; leave it out, or "
            "plan again"
        )
    return {**given, **planned}


def _as_planned(section: str, given: S, planned: S, fields: Collection[str], free: Collection[str]) -> S:
    """The section with the planned values of what the user did not give."""
    taken, problems = {}, []
    for field in sorted(fields):
        mine, value = getattr(given, field), getattr(planned, field)
        if field not in given.model_fields_set:
            taken[field] = value
        elif field not in free and mine != value:
            problems.append(_differs(f"{section}.{field}", mine, value))
    if problems:
        raise ConfigError(*problems)
    return given.model_copy(update=taken)


def _name_here(plan: Plan, given: DetectorSettings) -> str:
    """The name of the detector: as planned, or another path of the planned model."""
    name, planned = given.name, plan.detector.name
    if name in ("auto", planned):
        return planned
    if plan.model_sha256 and model_sha256(given) == plan.model_sha256:
        return name
    raise ConfigError(_differs("detector.name", name, planned))


def _differs(path: str, mine: object, planned: object) -> str:
    shown = ["null" if value is None else str(value) for value in (mine, planned)]
    return f"{path} is {shown[0]}, but the plan was made with {shown[1]}; leave it out, or plan again"


def check_scores(plan: Plan, settings: DetectorSettings, labels: LabelTable) -> None:
    """Refuse a run that keeps detections with lower scores than the parts have.

    Args:
        plan: of the parts.
        settings: of the run, from `joined_settings`.
        labels: of the detector.

    Raises:
        ConfigError: the scores, or an unknown class.
    """
    default = default_min_score(settings)
    bounds = [ClassFilter(labels, one, default).lowest_score for one in (settings, plan.detector)]
    wanted, planned = (default if bound is None else bound for bound in bounds)
    if wanted < planned:
        raise ConfigError(
            f"the parts have scores from {planned:g} on, but detector.min_score and detector.min_scores keep "
            f"{wanted:g}; raise them, or plan with {wanted:g}"
        )


class SameWorkers:
    """Refuses parts of workers that compute different numbers. Thread-safe.

    Args:
        allow_mixed: accept them and remember that the run cannot be reproduced; another model is refused anyway.
    """

    def __init__(self, *, allow_mixed: bool = False) -> None:
        self._allow_mixed = allow_mixed
        self._lock = threading.Lock()  # guards the two below
        self._first: tuple[str, Worker] | None = None
        self._mixed = ""

    @property
    def mixed(self) -> str:
        """How two of the workers differ, one line; empty if all compute the same numbers."""
        with self._lock:
            return self._mixed

    def add(self, name: str, worker: Worker) -> None:
        """Compare a worker with those before.

        Args:
            name: for messages: `the worker of part 7`.
            worker: who it is.

        Raises:
            ConfigError: it has another model, or its canary differs.
        """
        with self._lock:
            if self._first is None:
                self._first = name, worker
            first, reference = self._first
            if worker.model != reference.model:
                raise ConfigError(f"{name} has another model than {first}; give all of them the model of the plan")
            if (worker.canary, worker.precision) == (reference.canary, reference.precision):
                return
            differs = f"{name} computes other numbers than {first} ({'; '.join(_differences(worker, reference))})"
            self._mixed = self._mixed or differs
        if not self._allow_mixed:
            raise ConfigError(f"{differs}; detect all parts on machines of one kind, or allow mixed workers")


def _differences(one: Worker, other: Worker) -> Iterator[str]:
    if one.precision != other.precision:
        yield f"{one.precision}, {other.precision}"
    if one.machine != other.machine:
        yield f"{one.machine}, {other.machine}"
    for name in sorted({*one.versions, *other.versions}):
        versions = [worker.versions.get(name, "none") for worker in (one, other)]
        if versions[0] != versions[1]:
            yield f"{name} {versions[0]}, {versions[1]}"
    if one.machine == other.machine and one.versions == other.versions and one.precision == other.precision:
        yield "their detections on the canary frame differ"

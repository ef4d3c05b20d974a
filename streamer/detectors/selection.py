"""Builds the detector that `detector.name` means, by asking the classes in `registry.DETECTORS`. Main thread."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streamer.classes.class_filter import ClassFilter
from streamer.config.detector import DetectorSettings
from streamer.errors import ConfigError, ModelError, StreamerError
from streamer.features import DetectorChooser, DetectorContext, Extensions, section_of
from streamer.interfaces import Detector
from streamer.models import handles
from streamer.models.hub_cache import sha256_of
from streamer.registry import DETECTORS
from streamer.system import paths
from streamer.system.secrets import redacted
from streamer.system.suggestions import did_you_mean
from streamer.values.labels import LabelTable


@dataclass(frozen=True, slots=True)
class BuiltDetectors:
    """What `build_detector` returns.

    Attributes:
        detectors: one for each detector thread; all have the same classes.
        reason: one line with the detector, its number of classes, and why it was chosen if the user did not name it.
        keep: selects the detections that the settings ask for.
        name: `detector.name` after the choice, without a login.
        default_min_score: the lowest score that it reports by default.
        lowest_score: the lowest score that it reports now; None for the default.
        notes: for the report of the run, one line each; complete when the run has ended.
    """

    detectors: Sequence[Detector]
    reason: str
    keep: ClassFilter
    name: str = ""
    default_min_score: float = 0.0
    lowest_score: float | None = None
    notes: Sequence[str] = ()


def build_detector(
    settings: DetectorSettings, context: DetectorContext, *, shared_by: Sequence[DetectorSettings] = ()
) -> BuiltDetectors:
    """Choose the detector, download its model if necessary, load it.

    Args:
        settings: `name` selects the class.
        context: `min_score` is computed here.
        shared_by: the settings of the streams that share it, which differ in classes and scores. The detector reports
            what any of them keeps.

    Raises:
        ConfigError: an unknown name or class, with the nearest ones; a value out of range.
        ModelError: the model cannot be fetched, cannot be loaded, or does not run.
    """
    settings, why = chosen(settings)
    entry, feature = _entry_of(settings.name)
    labels: LabelTable | None = feature.labels_of(settings)
    reason = f"using {feature.title(settings.name)}{class_count(labels)}{why and f': {why}'}"
    context.say(reason)
    name, default = redacted(settings.name), _default_score(feature, settings)
    of_streams = shared_by or (settings,)
    if labels is not None:
        filters = [ClassFilter(labels, one, default) for one in of_streams]
        lowest = _lowest([one.lowest_score for one in filters], default)
        detectors = _build(entry, feature, settings, context, lowest)
        return BuiltDetectors(detectors, reason, filters[0], name, default, lowest)
    lowest = _lowest([_bound(one, default) for one in of_streams], default)
    detectors = _build(entry, feature, settings, context, lowest)
    try:
        filters = [ClassFilter(detectors[0].labels, one, default) for one in of_streams]
        return BuiltDetectors(detectors, reason, filters[0], name, default, lowest)
    except BaseException:
        for detector in detectors:
            detector.close()
        raise


def _default_score(feature: Any, settings: DetectorSettings) -> float:
    """The lowest score that the detector reports by default; `auto` has that of its preferred entry."""
    known: Callable[[DetectorSettings], float] | None = getattr(feature, "default_score", None)
    return float(feature.default_min_score) if known is None else known(settings)


def _bound(settings: DetectorSettings, default: float) -> float | None:
    """The lowest score that the settings can keep; None if they have no bound."""
    bounds = [bound for bound in (settings.min_score, *settings.min_scores.values()) if bound is not None]
    if bounds and settings.min_score is None:
        bounds.append(default)
    return min(bounds, default=None)


def _lowest(bounds: Sequence[float | None], default: float) -> float | None:
    """The lowest bound of several streams; None, the detector's own default, if none of them has one."""
    if all(bound is None for bound in bounds):
        return None
    return min(default if bound is None else bound for bound in bounds)


def chosen(settings: DetectorSettings) -> tuple[DetectorSettings, str]:
    """The settings with the name of the detector that `auto` means, and the reason; other settings as they are.

    Raises:
        ConfigError: an unknown detector, or a class that the chosen one does not have.
        ModelError: no detector can be used.
    """
    _, feature = _entry_of(settings.name)
    if not isinstance(feature, DetectorChooser):
        return settings, ""
    found: tuple[DetectorSettings, str] = feature.choose(settings)
    return found


def check_classes(settings: DetectorSettings) -> LabelTable | None:
    """Refuse a wrong class name before a model is downloaded, where the classes are known without the model.

    Returns:
        The classes; None if they are not known yet.

    Raises:
        ConfigError: an unknown detector, class or label map, with the nearest ones.
        ModelError: the starter's file, which has its classes, cannot be fetched.
    """
    _, feature = _entry_of(settings.name)
    labels: LabelTable | None = feature.labels_of(settings)
    if labels is not None:
        ClassFilter(labels, settings, _default_score(feature, settings))
    return labels


def check_name(name: str) -> None:
    """Refuse an unknown name of a detector, and a model file that does not exist.

    Raises:
        ConfigError, ModelError: with what `detector.name` takes.
    """
    _entry_of(name)


def default_min_score(settings: DetectorSettings) -> float:
    """The lowest score that a detector reports by default, which need not be built.

    Raises:
        ConfigError, ModelError: as `check_name`.
    """
    _, feature = _entry_of(settings.name)
    return _default_score(feature, settings)


def title(settings: DetectorSettings, labels: LabelTable | None = None) -> str:
    """The name of a detector in messages, with the number of its classes if that is known without the model.

    Args:
        settings: name the detector.
        labels: its classes, where the caller knows them.

    Raises:
        ConfigError, ModelError: as `check_name`.
    """
    _, feature = _entry_of(settings.name)
    shown = str(feature.title(settings.name)) if hasattr(feature, "title") else settings.name
    try:
        return f"{shown}{class_count(labels or feature.labels_of(settings))}"
    except ModelError:
        return shown


def labels_of(settings: DetectorSettings) -> LabelTable:
    """The classes of a detector that need not be built.

    Raises:
        ConfigError: an unknown detector or label map, or a detector whose classes are not known.
        ModelError: the starter's file, which has its classes, cannot be fetched.
    """
    entry, feature = _entry_of(settings.name)
    labels: LabelTable | None = feature.labels_of(settings)
    if labels is None:
        raise ConfigError(f"the classes of {entry} are not known before it runs; name another detector")
    return labels


def is_recorded(settings: DetectorSettings) -> bool:
    """Whether the detections come out of a file, by the number or the time of a frame, not from its picture.

    Raises:
        ConfigError, ModelError: as `check_name`.
    """
    _, feature = _entry_of(settings.name)
    return bool(getattr(feature, "recorded", False))


def own_section(settings: DetectorSettings, extensions: Extensions) -> dict[str, dict[str, Any]]:
    """What `extensions` has for the detector, by its name; empty for a detector without settings of its own there.

    Raises:
        ConfigError, ModelError: as `check_name`.
    """
    entry, _ = _entry_of(settings.name)
    return {entry: dict(extensions[entry])} if entry in extensions else {}


def model_sha256(settings: DetectorSettings) -> str:
    """Identifies the model of a detector; empty if it has no files, or they are not on this machine.

    Of a single file it is the SHA-256, of several that of the lines that `sha256sum` prints for them.

    Args:
        settings: `name` and, for a hub module, `sha256`; not `auto`, which has no model of its own.

    Raises:
        ConfigError: an unknown detector.
        ModelError: the files cannot be read.
    """
    _, feature = _entry_of(settings.name)
    files: Sequence[Path] = feature.model_files(settings) if hasattr(feature, "model_files") else ()
    given = [path for path in files if paths.exists(path)]
    try:
        if len(given) == 1 and given[0].is_file():
            return sha256_of(given[0])
        lines = [f"{sha256_of(file)}  {name}\n" for name, file in sorted(_files(given))]
    except OSError as error:
        raise ModelError(f"cannot read the model {error.filename}: {error.strerror}") from error
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else ""


def _files(given: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """All files with the names that they have below what was given."""
    for path in given:
        if path.is_file():
            yield path.name, path
        else:
            yield from ((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())


def names() -> tuple[str, ...]:
    """The names that `detector.name` takes, besides files, folders and addresses."""
    entries = [entry for entry in DETECTORS if entry in DETECTORS.extensions or DETECTORS[entry].accepts(entry)]
    return (*entries, handles.HUB_MODULE)


def class_count(labels: LabelTable | None) -> str:
    """` (23 classes)`, for messages; empty if the classes are not known yet."""
    count = 0 if labels is None else sum(1 for _ in labels.used())
    return f" ({count} {'class' if count == 1 else 'classes'})" if count else ""


def _entry_of(name: str) -> tuple[str, Any]:
    """The first entry of the registry with this name, or that accepts it, and its class."""
    entry = next(DETECTORS.accepting(name, named=name), None)
    if entry is None:
        raise _unknown(name)
    return entry, DETECTORS[entry]


def _unknown(name: str) -> StreamerError:
    known = (
        f"{', '.join(names())}, an ONNX model (.onnx), a model on a server (kserve+http://...), a pool on a Ray "
        "cluster (ray://HOST/NAME), or the URL, .tar.gz file or folder of a hub module"
    )
    if meant := handles.hint(name):
        return ModelError(f"there is no {name}; {meant}")
    path = Path(name).expanduser()
    if path.suffix or os.sep in name:
        return ModelError(f"there is no {path}; detector.name takes {known}")
    return ConfigError(f"no detector {name!r}; {did_you_mean(name, names(), otherwise=f'there are {known}')}")


def _build(
    entry: str, feature: Any, settings: DetectorSettings, context: DetectorContext, min_score: float | None
) -> Sequence[Detector]:
    lowered = settings.model_copy(update={"min_score": min_score})
    section = section_of(feature, entry, lowered, context.extensions)
    detectors: Sequence[Detector] = feature.from_settings(section, replace(context, min_score=min_score))
    return detectors

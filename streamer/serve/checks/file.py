"""Checks a configuration file, of a site or of one run, and says what it means. The main thread calls it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streamer.accounts.site_access import check_access
from streamer.config.camera import CameraSettings
from streamer.config.loading import is_site, load_settings, load_site
from streamer.config.settings import MetricsSettings, Settings, StreamSettings
from streamer.config.site import SiteSettings
from streamer.config.source import SourceSettings
from streamer.errors import ConfigError, StreamerError
from streamer.run.output_paths import default_output
from streamer.run.outputs import Outputs
from streamer.serve.checks.events import described_events, event_problems, names_without_events
from streamer.serve.checks.outputs import output_problems, shown_name
from streamer.serve.checks.page import page_problems
from streamer.serve.checks.streams import check_detector, detector_title, stream_problems
from streamer.sources.selection import is_live
from streamer.system.secrets import SECRETS, redacted
from streamer.system.suggestions import counted


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file without a problem.

    Attributes:
        lines: what it means, for a person.
        sources: by the name of the camera; of a run, by the source itself. Empty for a run without `source.uri`.
    """

    lines: Sequence[str]
    sources: Mapping[str, SourceSettings]


def check_file(file: Path, assignments: Sequence[str] = (), *, site: bool = False) -> CheckedFile:
    """Check the settings of a site, or those of one run, which have no `cameras`.

    Args:
        file: has the settings.
        assignments: override them, as of `load_settings`.
        site: they are those of a site in any case.

    Raises:
        ConfigError: the file cannot be read, or some settings are invalid, with every problem.
    """
    if site or is_site(file, assignments):
        return _checked_site(file, load_site(file, assignments))
    settings = load_settings(file, assignments)
    source = settings.source.uri or ""
    SECRETS.split(source)
    problems = [*stream_problems(settings, settings.detector), *_metrics_problems(settings.metrics)]
    problems += event_problems(settings.store, settings.notify)
    if problems:
        raise ConfigError(*problems)
    Outputs(settings.outputs).check(source)
    lines = [
        f"{redacted(source) or 'the source is given to run'}{_default_output(settings) or _outputs(settings)}",
        f"detector: {detector_title(settings.detector)}",
        *described_events(settings.store, settings.notify),
        f"{file}: valid settings of one run",
    ]
    return CheckedFile(lines, {redacted(source): settings.source} if source else {})


def check_site(site: SiteSettings) -> None:
    """Check the settings of a site as far as possible without opening its sources, outputs and detectors.

    Raises:
        ConfigError: with every problem of every camera.
    """
    if problems := list(site.problems()):
        raise ConfigError(*problems)
    refused = dict(_detector_problems(site))
    problems = [*refused.values(), *output_problems(site), *_metrics_problems(site.metrics)]
    problems += event_problems(site.store, site.notify)
    if "address" in site.web.model_fields_set:  # the default gives way to outputs
        problems += page_problems(site)
    for name, camera in site.cameras.items():
        shared = site.detector_of(camera)
        detector = None if camera.detector.name in refused else camera.settings(shared).detector
        problems += stream_problems(camera, detector, f"cameras.{name}.")
    if problems:
        raise ConfigError(*dict.fromkeys(problems))


def _checked_site(file: Path, site: SiteSettings) -> CheckedFile:
    check_site(site)
    check_access(site.web, file)
    width = max(map(len, site.cameras), default=0)
    lines = [f"{name:{width}}  {_camera(camera)}" for name, camera in site.cameras.items()]
    for entry, shared in site.detectors_in_use().items():
        users = ", ".join(site.cameras_of(entry))
        lines.append(f"{_setting_of(entry)}: {detector_title(shared)}, policy {shared.policy}, for {users}")
    unused = [entry for entry in site.detectors if entry not in site.detectors_in_use()]
    lines += [f"{_setting_of(entry)}: no camera uses it" for entry in unused]
    lines += [*described_events(site.store, site.notify), *names_without_events(site)]
    if site.awaits_cameras:
        lines.append(f"no cameras; add some on the page of 'streamer serve' ({site.web.address})")
    lines.append(f"{file}: valid settings of {counted(len(site.cameras), 'camera')}")
    return CheckedFile(lines, {name: camera.source for name, camera in site.cameras.items()})


def _detector_problems(site: SiteSettings) -> Iterator[tuple[str, str]]:
    """Entries of `detectors` (empty: `detector`), and what is wrong with each."""
    for entry, settings in site.detectors_in_use().items():
        try:
            check_detector(settings)
        except StreamerError as error:
            text, setting = str(error), _setting_of(entry)
            is_part = text.startswith("detector.")  # such as `detector.classes: ...`
            yield entry, f"{setting}{text.removeprefix('detector')}" if is_part else f"{setting}: {text}"


def _metrics_problems(settings: MetricsSettings) -> Iterator[str]:
    if settings.address is not None:
        from streamer.observe.metrics import MetricsServer  # imports aiohttp

        try:
            MetricsServer(settings.address, lambda: ())
        except ConfigError as error:
            yield f"metrics.address: {error}"


def _setting_of(entry: str) -> str:
    """The path of the settings of a detector."""
    return f"detectors.{entry}" if entry else "detector"


def _camera(camera: CameraSettings) -> str:
    return f"{redacted(camera.source.uri or '')}{_outputs(camera)}"


def _default_output(settings: Settings) -> str:
    """What `run` writes if neither the file nor the command line names an output; empty if that is nothing."""
    source = settings.source.uri or ""
    if settings.outputs or not source or is_live(source, settings.source):
        return ""
    with suppress(ConfigError):  # an output of an earlier run needs a name from the command line
        return f" -> {default_output(source, as_video=settings.source.fps is not None)} (no output is named)"
    return ""


def _outputs(stream: StreamSettings) -> str:
    return f" -> {', '.join(shown_name(one.to) for one in stream.outputs)}" if stream.outputs else ", no outputs"

"""The sink for an output, from the registry. Main thread only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from streamer.config.output import OutputEntry
from streamer.errors import ConfigError
from streamer.features import SinkContext, SinkFeature, section_of
from streamer.interfaces import Sink
from streamer.registry import SINKS
from streamer.system.secrets import SECRETS


@dataclass(slots=True)
class OpenSinks:
    """The sinks of a run, not yet entered.

    Attributes:
        all: in the order in which they are written.
        optional: those whose failure does not end a live run.
        keep_all: those that get every frame of a live source.
    """

    all: list[Sink] = field(default_factory=list)
    optional: list[Sink] = field(default_factory=list)
    keep_all: list[Sink] = field(default_factory=list)


def open_sinks(entries: Iterable[OutputEntry], context: SinkContext) -> OpenSinks:
    """A sink for each output. Raises what `open_sink` raises."""
    opened = OpenSinks()
    for entry in entries:
        feature, sink = sink_class(entry), open_sink(entry, context)
        opened.all.append(sink)
        if not (feature.is_required(entry) if entry.required is None else entry.required):
            opened.optional.append(sink)
        if feature.keeps_all(entry) if entry.keep is None else entry.keep == "all":
            opened.keep_all.append(sink)
    return opened


def open_sink(entry: OutputEntry, context: SinkContext) -> Sink:
    """The sink for an output, not yet entered.

    Raises:
        ConfigError: no sink writes to the address, or a setting that does not fit.
        SinkUnavailable: an output that cannot be written.
    """
    SECRETS.split(entry.to)
    name = _name_of(entry)
    feature: type[SinkFeature] = SINKS[name]
    if not entry.copy_streams:
        context = replace(context, passthrough=None)
    own = {**entry.model_dump(), **context.extensions.get(name, {})}
    return feature.from_settings(section_of(feature, name, entry, {name: own}), context)


def sink_class(entry: OutputEntry) -> type[SinkFeature]:
    """The class that `entry.sink` names, else the first that accepts the output.

    Raises:
        ConfigError: no sink writes to the address.
    """
    feature: type[SinkFeature] = SINKS[_name_of(entry)]
    return feature


def _name_of(entry: OutputEntry) -> str:
    if entry.sink is not None:
        return entry.sink
    name = next(SINKS.accepting(entry), None)
    if name is not None:
        return name
    known = ", ".join(scheme for feature in SINKS.values() for scheme in feature.schemes)
    raise ConfigError(f"{entry.scheme}:// is no address of an output; those begin with {known}")

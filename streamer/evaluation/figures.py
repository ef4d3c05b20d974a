"""Figures of Matplotlib in files: which suffixes there are, and how a figure is saved. Main thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamer.errors import ConfigError, SinkError
from streamer.system.partial_file import PartialFile
from streamer.system.suggestions import import_extra

SUFFIXES = (".png", ".svg")


def check(path: Path) -> None:
    """Check before an evaluation that a plot can be written.

    Raises:
        ConfigError: the suffix is neither .png nor .svg, or Matplotlib is not installed.
        SinkUnavailable: the file cannot be written there.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--plot {path.name}: the suffix must be {' or '.join(SUFFIXES)}")
    import_extra("matplotlib")
    PartialFile(path, overwrite=True).discard()


def save(figure: Any, path: Path) -> None:
    """Write a figure, replacing the file. Equal figures give equal files.

    Raises:
        SinkUnavailable, SinkError: the file cannot be written.
    """
    matplotlib = import_extra("matplotlib")
    output = PartialFile(path, overwrite=True)
    try:
        # No date, and no random ids in SVG.
        with matplotlib.rc_context({"svg.hashsalt": "streamer", "svg.fonttype": "none"}):
            kind = path.suffix.lower()[1:]
            figure.savefig(output.path, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
        output.commit()
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror or error}; nothing was kept") from error
    finally:
        output.discard()

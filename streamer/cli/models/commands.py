"""The commands of the group `models`."""

from __future__ import annotations

import re
from itertools import islice
from typing import Annotated

import typer

from streamer.cli.command import command
from streamer.cli.options import Assign, LabelMap, parse_size, value
from streamer.errors import ConfigError

CHECKED_FRAMES = 4


def list_models() -> None:
    """Compare the known models, and list all models with their origin and path."""
    with command(prints=True) as (terminal, _):
        from streamer.cli.models import table
        from streamer.models import listing

        terminal.table(table.table())
        for line in table.notes():
            terminal.line(line)
        for entry in listing.listing():
            for line in table.entry_lines(entry):
                terminal.line(line)


def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Models by name, or hub modules: URL or .tar.gz file.")
    ] = ["auto"],  # noqa: B006 - typer copies it
    sha256: Annotated[
        str | None, value("--sha256", "DIGITS", "Expected checksum of a hub module's archive.", default="not checked")
    ] = None,
) -> None:
    """Download models to the cache, or check and repair them there."""
    with command(prints=True) as (terminal, _):
        from streamer.models import handles, store

        if sha256 is not None and len(names) > 1:
            raise ConfigError("--sha256 is the checksum of one archive; fetch the models one by one")
        if files := [name for name in names if name.casefold().endswith(".onnx")]:
            raise ConfigError(f"{files[0]} is not fetched: an ONNX model is used where it is, with --detector")
        if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
            raise ConfigError(f"--sha256 takes 64 hexadecimal digits, not {sha256!r}")
        for name in (_chosen(one) for one in names):
            path = store.fetch(name, sha256=sha256, thorough=True)
            terminal.line(f"{handles.without_login(name) if '://' in name else name} is at {path}")


def check(
    name: Annotated[
        str, typer.Argument(metavar="MODEL", help="What --detector of run takes: a name, file, folder or address.")
    ] = "auto",
    device: Annotated[str, value("--device", "NAME", "Where it runs: auto, cpu, gpu:0, gpu:1, ...")] = "auto",
    precision: Annotated[
        str, value("--precision", "NAME", "Of a hub module: float32, tensorfloat32, bfloat16 or mixed_float16.")
    ] = "float32",
    label_map: LabelMap = None,
    size: Annotated[str, value("--size", "WIDTHxHEIGHT", "Size of the test frames, pixels.")] = "1280x720",
    assign: Assign = None,
) -> None:
    """Verify a model, run it, and show its device and speed."""
    with command(prints=True) as (terminal, _):
        from streamer.config.loading import load_settings
        from streamer.detectors import checking, selection
        from streamer.models import cache, handles, listing
        from streamer.sources.selection import open_source

        name = _chosen(name, offline=True)
        options = {"device": device, "precision": precision, "label_map": label_map, "offline": True, "workers": 1}
        chosen = {f"detector.{key}": value for key, value in options.items()} | {"detector.name": name}
        settings = load_settings(None, assign or (), chosen).detector
        width, height = parse_size(size)
        is_here = not handles.is_served(name)
        shown = listing.verify(name).name if is_here else selection.title(settings)
        with open_source(f"lavfi:testsrc2=size={width}x{height}:duration=1") as source:
            frames = list(islice(source, CHECKED_FRAMES))
        found = checking.check(settings, frames)
        if is_here and (width, height) == cache.SPEED_SIZE:
            cache.record_speed(shown, found.frame_s)
        terminal.line(f"{shown} works")
        for line in found.lines():
            terminal.line(f"  {line}")


def _chosen(name: str, *, offline: bool = False) -> str:
    """The model that `auto` uses on this machine, or `name` itself."""
    from streamer.config.detector import DetectorSettings
    from streamer.detectors import selection

    return selection.chosen(DetectorSettings(name=name, offline=offline))[0].name if name == "auto" else name


def labels(
    pattern: Annotated[
        str, typer.Argument(metavar="NAME", help="Word of a name, or a MID. Default: all classes.")
    ] = "",
    detector: Annotated[
        str | None,
        value(
            "--detector",
            "MODEL",
            "Model by name, an ONNX file, or a hub module: URL, file or folder.",
            default="auto; with --label-map a hub module",
        ),
    ] = None,
    label_map: LabelMap = None,
    assign: Assign = None,
) -> None:
    """Show the classes of a detector as a tree: name, id, MID."""
    with command(prints=True) as (terminal, _):
        from streamer.classes import label_tree
        from streamer.config.loading import load_settings
        from streamer.detectors import selection
        from streamer.models import store

        name = detector or (store.HUB_MODULE if label_map else None)
        chosen = {"detector.name": name, "detector.label_map": label_map}
        settings = load_settings(None, assign or (), chosen).detector
        labels = selection.labels_of(settings)
        if settings.name == "auto":
            count = sum(1 for _ in labels.used())
            terminal.message(f"{count} classes of the detector that runs here; --detector {store.HUB_MODULE} has 601")
        for tree in label_tree.trees(labels, pattern):
            terminal.output.print(tree, soft_wrap=True)

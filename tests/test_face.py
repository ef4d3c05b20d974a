"""The public face: what `import streamer` offers, and what it costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import streamer

HEAVY = {"av", "cv2", "numpy", "pydantic", "rich", "scipy", "tensorflow", "typer"}
OPTION = re.compile(r"(?<!run )(?<![\w-])--(?!gpus|picture)[a-z]")
QUOTED_COMMAND = re.compile(r"'?(?:ray start|streamer models \w+)[^']*'?")
"""But not `--gpus` of Docker and the boundary of a multipart response."""
EXPORTED = [
    "ANNOTATORS",
    "Annotator",
    "SourceFeature",
    "SinkFeature",
    "DetectorFeature",
    "AnnotatorFeature",
    "ConfigError",
    "DETECTORS",
    "Detections",
    "Detector",
    "DetectorContext",
    "DetectorError",
    "DetectorHung",
    "DetectorSettings",
    "DetectorUnreachable",
    "Drawable",
    "DrawSettings",
    "Frame",
    "FrameState",
    "Interrupted",
    "LabelTable",
    "LoadedDetector",
    "MetricsSettings",
    "ModelError",
    "Object",
    "Objects",
    "Origin",
    "OutputEntry",
    "OutputSettings",
    "Overlay",
    "Pipeline",
    "SINKS",
    "SOURCES",
    "Scene",
    "Scenes",
    "Section",
    "Settings",
    "Sink",
    "SinkContext",
    "SinkError",
    "SinkUnavailable",
    "Source",
    "SourceContext",
    "SourceLost",
    "SourceSettings",
    "SourceUnavailable",
    "StreamInfo",
    "StreamerError",
    "TRACKERS",
    "Tracker",
    "TrackerSettings",
    "Tracks",
    "WindowSettings",
    "__version__",
    "load_detector",
    "load_settings",
    "open",
    "open_source",
]
"""A change of this list is a change of the public interface: it needs an entry in CHANGELOG.md."""


def test_the_export_list_is_the_documented_one() -> None:
    assert sorted(streamer.__all__) == sorted(EXPORTED)


@pytest.mark.parametrize("name", sorted(set(EXPORTED) - {"__version__"}))
def test_each_name_can_be_imported_and_has_a_docstring(name: str) -> None:
    exported = getattr(streamer, name)
    assert (exported.__doc__ or "").strip()
    for member, value in vars(exported).items() if isinstance(exported, type) else ():
        if callable(value) and not member.startswith("_") and value.__module__.startswith(("streamer", "tracking")):
            assert (value.__doc__ or "").strip(), f"{name}.{member}"


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(streamer.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {*seen, "__version__"} == set(streamer.__all__)
    for name, target in seen.items():
        module, _, attribute = target.rpartition(".")
        assert getattr(streamer, name) is getattr(sys.modules[module], attribute)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = streamer.nothing  # type: ignore[attr-defined]


def test_names_complete_in_a_notebook() -> None:
    assert set(streamer.__all__) <= set(dir(streamer))


def test_the_import_loads_no_heavy_package() -> None:
    code = f"import streamer, sys; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def _texts(node: ast.AST) -> Iterator[str]:
    """The texts in a statement, those with values as one, with `{}` for each value."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from _texts(child)


def test_messages_name_settings_and_not_options() -> None:
    """A script has no options. Commands such as `run --jsonl`, which made a file, and whole commands may be named."""
    commands_only = ("cli", "evaluation")
    named = []
    for path in sorted(Path(streamer.__file__).parent.rglob("*.py")):
        if path.relative_to(Path(streamer.__file__).parent).parts[0] in commands_only:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise | ast.Return | ast.Call):
                texts = [QUOTED_COMMAND.sub("", text) for text in _texts(node)]
                named += [(path.name, text) for text in texts if OPTION.search(text)]
    assert named == []

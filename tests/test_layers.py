"""The direction of imports: main → commands → features → protocols → tracking.types → numpy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("tensorflow", "ai_edge_litert", "cv2", "av", "streamer")
FEATURES = ("streamer.sources", "streamer.detectors", "streamer.canvas", "streamer.sinks", "streamer.models")
WIRING = (
    "streamer.cli.commands",
    "streamer.cli.evaluation_commands",
    "streamer.evaluation",
    "streamer.replay",
    "streamer.run.session",
    "streamer.run.wiring",
    "streamer.run.destinations",
    "streamer.config.loading",
    "streamer.config.settings",
    "streamer.cli.terminal",
    "main",
)
# A feature folder may use these, and nothing of another feature folder but what is named.
ALLOWED_BETWEEN = {("streamer.detectors", "streamer.models")}


def modules() -> list[Path]:
    return sorted([*(ROOT / "streamer").rglob("*.py"), *(ROOT / "tracking").rglob("*.py")])


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def under(name: str, packages: tuple[str, ...]) -> str | None:
    return next((package for package in packages if name == package or name.startswith(package + ".")), None)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_downwards(path: Path) -> None:
    own = name_of(path)
    for imported in imports(path):
        if own.startswith("tracking"):
            assert not under(imported, HEAVY), f"{own} imports {imported}"
            continue
        if under(own, WIRING) is None:
            assert under(imported, WIRING) is None, f"{own} imports {imported}, which stands above it"
        mine, theirs = under(own, FEATURES), under(imported, FEATURES)
        if mine and theirs and mine != theirs:
            assert (mine, theirs) in ALLOWED_BETWEEN, f"{own} imports {imported}"


def test_tensorflow_is_imported_by_models_and_detectors_only() -> None:
    heavy = ("tensorflow", "tensorflow_hub")
    importers = {name_of(path) for path in modules() if any(under(name, heavy) for name in imports(path))}
    assert {name.rpartition(".")[0] for name in importers} <= {"streamer.detectors", "streamer.models"}

"""The layout: imports point in one direction, folders and files stay small.

In every folder, the modules and folders in it import one another without a cycle, so the whole tree has no cycle.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_ENTRIES = 15
MOST_MODULES_AT_THE_TOP = 8
MOST_LINES = 300
FEWEST_LINES = 40
MOST_LINES_OF_A_FUNCTION = 40
MOST_CHARACTERS_OF_A_TEST = 80
PUBLIC_SEAMS = ("errors.py", "section.py")
"""Short modules that other packages import from."""
ORDER = (
    "errors", "system", "registry", "values", "config", "media", "network", "cluster", "web", "accounts", "models",
    "classes", "interfaces", "flow", "motion", "inference", "presentation", "analytics", "features", "render",
    "sources", "detectors", "sinks", "pipeline", "observe", "broadcast", "store", "clips", "notify", "events", "run",
    "parts", "batch", "replay", "serve", "browser_camera", "api", "page", "evaluation", "cli", "__init__", "__main__",
)  # fmt: skip
"""The folders and modules of `streamer/` from the lowest up: each may import those before it."""


def modules() -> dict[str, Path]:
    """Dotted name to file, for all modules of `streamer` and `tracking`; the name of a package ends in `__init__`."""
    files = [*(ROOT / "streamer").rglob("*.py"), *(ROOT / "tracking").rglob("*.py")]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in sorted(files)}


MODULES = modules()


def imported_by(path: Path) -> Iterator[str]:
    """Dotted names of all imports of a file, also inside functions and for type checking."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str) -> str | None:
    """The module of this project that contains a dotted name."""
    while name:
        for module in (name, f"{name}.__init__"):
            if module in MODULES:
                return module
        name = name.rpartition(".")[0]
    return None


def edges() -> Iterator[tuple[str, str]]:
    """Pairs of importing and imported module."""
    for name, path in MODULES.items():
        for imported in imported_by(path):
            module = module_of(imported)
            if module is not None and module != name:
                yield name, module


def by_folder() -> Mapping[str, Mapping[str, Set[str]]]:
    """For each folder: which of its entries imports which other entries."""
    folders: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for importer, imported in edges():
        mine, theirs = importer.split("."), imported.split(".")
        depth = next(at for at, (one, other) in enumerate(zip(mine, theirs, strict=False)) if one != other)
        folders[".".join(mine[:depth])][mine[depth]].add(theirs[depth])
    return folders


FOLDERS = by_folder()


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_no_folder_has_an_import_cycle(folder: str) -> None:
    try:
        TopologicalSorter(FOLDERS[folder]).prepare()
    except CycleError as error:
        pytest.fail(f"{folder or 'top'}: {' imports '.join(reversed(error.args[1]))}")


def test_folders_import_only_lower_folders() -> None:
    for room, imported in FOLDERS["streamer"].items():
        above = {other for other in imported if ORDER.index(other) > ORDER.index(room)}
        assert not above, f"streamer.{room} imports {above}, which are above it"


def test_trackers_need_numpy_and_scipy_only() -> None:
    own = [path for name, path in MODULES.items() if name.startswith("tracking")]
    packages = {name.partition(".")[0] for path in own for name in imported_by(path)}
    assert not packages & {"streamer", "av", "cv2", "tensorflow", "ai_edge_litert", "pydantic"}


def test_tensorflow_is_imported_by_models_and_detectors_only() -> None:
    heavy = {"tensorflow", "tensorflow_hub"}
    importers = [name for name, path in MODULES.items() if heavy & {i.partition(".")[0] for i in imported_by(path)}]
    assert {name.split(".")[1] for name in importers} <= {"detectors", "models"}


def test_threads_are_made_in_one_place() -> None:
    """`streamer.system.threads` passes the context on, with the name of the camera for log lines."""
    others = {"streamer.system.threads", "streamer.sinks.window.process"}  # the second is a program of its own
    for name, path in MODULES.items():
        made = {"threading.Thread(", "ThreadPoolExecutor("} if name not in others else set()
        text = path.read_text(encoding="utf-8")
        assert not [one for one in made if one in text], f"{path} makes threads without their context"


def test_folders_stay_small() -> None:
    top = [path.name for path in (ROOT / "streamer").glob("*.py")]
    assert len(top) <= MOST_MODULES_AT_THE_TOP, top
    for folder in {path.parent for path in MODULES.values()} - {ROOT / "streamer"}:
        entries = [entry.name for entry in folder.iterdir() if entry.name != "__pycache__"]
        assert len(entries) <= MOST_ENTRIES, f"{folder}: {len(entries)} entries"


def test_no_module_is_too_long_or_too_short() -> None:
    for path in MODULES.values():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= MOST_LINES, f"{path}: {lines} lines"
        if not path.name.startswith("__") and path.name not in PUBLIC_SEAMS:
            assert lines >= FEWEST_LINES, f"{path}: {lines} lines"


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def test_functions_are_short() -> None:
    """The body without its docstring: the options of a command are its signature."""
    for path, node in functions():
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        lines = body[-1].end_lineno - body[0].lineno + 1 if body and body[-1].end_lineno is not None else 0
        assert lines <= MOST_LINES_OF_A_FUNCTION, f"{path}: {node.name} has {lines} lines"


def test_names_of_tests_are_short() -> None:
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert len(node.name) <= MOST_CHARACTERS_OF_A_TEST, f"{path}: {node.name}"


def test_tests_mirror_the_folders() -> None:
    rooms = {path.name for path in (ROOT / "streamer").iterdir() if path.is_dir() and path.name != "__pycache__"}
    beside = {
        "benchmarks",
        "browser",
        "contracts",
        "event_clips",
        "faults",
        "gpu",
        "pipeline",
        "tracking",
        "webcam",
        "examples",
    }
    found = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert found - beside <= rooms

"""The documentation names tests, files and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINEERING = ROOT / "docs" / "engineering"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "deploy").glob("*.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
)
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:    )?(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}
FEWEST_QUESTIONS = 14


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_named_test_exists(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8")))
    assert named <= TESTS, sorted(named - TESTS)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=page_name)
def test_every_named_file_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w./])((?:streamer|tracking|tests|benchmarks|configs|docs|deploy)/[\w./@-]+)", text))
    links = {link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link}
    assert [name for name in sorted(named) if not (ROOT / name.rstrip("./")).exists()] == []
    assert [link for link in sorted(links) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=page_name)
def test_every_named_benchmark_exists(page: Path) -> None:
    named = re.findall(r"python -m (benchmarks\.\w+|tests\.[\w.]+\w)", page.read_text(encoding="utf-8"))
    missing = [name for name in named if not (ROOT / name.replace(".", "/")).with_suffix(".py").is_file()]
    assert [name for name in missing if not (ROOT / name.replace(".", "/") / "__main__.py").is_file()] == []


def test_each_question_about_the_code_is_answered_by_one_file() -> None:
    text = (ENGINEERING / "architecture.md").read_text(encoding="utf-8")
    answers = re.findall(r"^\| Where [^|]*\? \| ([^|]*) \|$", text, re.MULTILINE)
    assert len(answers) >= FEWEST_QUESTIONS
    for answer in answers:
        file = re.fullmatch(r"`([\w/.]+\.py)`", answer)
        assert file, answer
        assert (ROOT / file[1]).is_file(), answer


def test_the_folder_table_has_every_folder() -> None:
    text = (ENGINEERING / "architecture.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `streamer/(\w+)/` \|", text, re.MULTILINE)
    folders = {path.parent.name for path in (ROOT / "streamer").glob("*/__init__.py")}
    assert set(listed) == folders
    assert len(listed) == len(set(listed))


def test_the_page_of_formats_shows_sixty_conditions() -> None:
    page = (ENGINEERING / "formats.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "`test_" in line]
    assert len(rows) >= 60

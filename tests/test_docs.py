"""The documentation names tests, files, commands and settings that exist, and becomes a web site without a warning."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from streamer.cli.program import app
from streamer.config.camera import CameraDetectorSettings
from streamer.config.loading import load_settings, load_site
from streamer.config.settings import Settings
from streamer.config.site import SharedDetectorSettings
from streamer.serve.checks.file import check_site

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
USER_PAGES = sorted((ROOT / "docs").glob("*.md"))
README = ROOT / "README.md"
MOST_LINES_OF_THE_README = 120
LINES_BEFORE_A_COMMAND = 15
BLOCK = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SHELL_VARIABLE = re.compile(r"^\$\w+$")
SECTIONS = [name for name, field in Settings.model_fields.items() if hasattr(field.annotation, "model_fields")]
COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
FOR_SITES = ("serve", "check")
"""Commands whose settings are those of a site."""
OTHER_PROGRAMS = {"--gpus"}
"""Options of other programs that the pages name."""
OTHER_SYMPTOMS = {"streamer: command not found", "libGL.so.1: cannot open shared object file", "tracks: none"}
"""Messages of other programs, and one that is put together from parts."""


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
    named = re.findall(r"python -m (benchmarks\.[\w.]*\w|tests\.[\w.]+\w)", page.read_text(encoding="utf-8"))
    missing = [name for name in named if not (ROOT / name.replace(".", "/")).with_suffix(".py").is_file()]
    assert [name for name in missing if not (ROOT / name.replace(".", "/") / "__main__.py").is_file()] == []


def test_each_question_about_the_code_is_answered_by_one_file() -> None:
    text = (ENGINEERING / "architecture.md").read_text(encoding="utf-8")
    answers = re.findall(r"^\| Where [^|]*\? \| ([^|]*) \|$", text, re.MULTILINE)
    assert len(answers) >= FEWEST_QUESTIONS
    for answer in answers:
        file = re.fullmatch(r"`([\w/.-]+\.(?:py|js))`", answer)
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


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_of(text: str) -> Iterator[str]:
    """The lines of all code blocks, without the prompt, with continued lines joined; and all code in sentences."""
    blocks = [block for _, block in BLOCK.findall(text)]
    blocks += re.findall(r"(?:^ {4}\S.*\n)+", text, re.MULTILINE)
    for block in blocks:
        for line in re.sub(r"\\\n *", "", block).splitlines():
            yield line.strip().removeprefix("$ ")
    yield from re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))


def commands_of(text: str) -> list[list[str]]:
    """The arguments of every `streamer` command, alone or in a pipe, with or without variables in front of it.

    A word that is a variable of the shell may be a number.
    """
    found = []
    for line in code_of(text):
        if not re.search(r"(^|[|=] ?\S* ?)streamer ", line):
            continue
        words = shlex.split(line, comments=True)
        while words:
            end = next((number for number, word in enumerate(words) if word in ("|", "&&", ";")), len(words))
            command = [word for word in words[:end] if word != "..."]
            while command and re.match(r"[A-Z_]+=", command[0]):
                command = command[1:]
            if command[:1] == ["streamer"] and len(command) > 1:
                found.append([SHELL_VARIABLE.sub("1", word) for word in command[1:]])
            words = words[end + 1 :]
    return found


def parse(arguments: list[str]) -> dict[str, Any]:
    """The values of the options as the program reads them, without running the command.

    Raises:
        typer's usage errors: an unknown command or option, a value that is no number, a missing argument.
    """
    command, context, name = typer.main.get_command(app), None, "streamer"
    try:
        while True:
            context = command.make_context(name, arguments, parent=context)
            if not isinstance(command, typer.core.TyperGroup):
                return context.params
            found, command_found, arguments = command.resolve_command(
                context, [*context._protected_args, *context.args]
            )
            assert command_found is not None
            assert found is not None
            name, command = found, command_found
    except typer.Exit:  # --help and --version
        return {}


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=page_name)
def test_every_command_of_a_page_parses(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = commands_of(read(page))
    assert commands or page not in (README, *USER_PAGES)
    for command in commands:
        if len(command) == 1 and command[0] in COMMANDS:  # the name of a command in a sentence
            continue
        try:
            values = parse([*command])
        except Exception as error:
            pytest.fail(f"streamer {shlex.join(command)}: {error}")
        assigned = values.get("assign") or ()
        if command[0] in FOR_SITES and assigned:
            load_site(ROOT / "configs" / "site.yaml", assigned)
        elif command[:2] != ["cameras", "add"]:
            load_settings(None, assigned)
    capsys.readouterr()  # --help prints


@pytest.mark.parametrize(
    "wrong", ["run clip.mp4 --clases Person", "rum clip.mp4", "models fetsch starter", "run clip.mp4 --min-score high"]
)
def test_a_wrong_command_does_not_parse(wrong: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|valid number"):
        parse(wrong.split())
    assert parse(["run", "clip.mp4", "--set", "draw.hud=true"])["assign"] == ["draw.hud=true"]


@pytest.mark.parametrize("page", USER_PAGES, ids=page_name)
def test_every_page_begins_with_a_command(page: Path) -> None:
    begins = re.match(r"# [^\n]+\n\n```(\w+)\n(?:# .*\n)?(\S+)", read(page))
    assert begins, "a page begins with its title and a block of code"
    assert begins[1] == "python" or begins[2] == "streamer"


@pytest.mark.parametrize("page", [README, *USER_PAGES], ids=page_name)
def test_every_named_option_and_setting_exists(page: Path) -> None:
    text = read(page)
    commands = [typer.main.get_command(app)]
    for command in commands:
        commands += getattr(command, "commands", {}).values()
    known = {name for command in commands for option in command.params for name in option.opts} | {"--help"}
    named = set(re.findall(r"`(--[a-z][a-z-]+)", BLOCK.sub("", text))) - OTHER_PROGRAMS
    assert named <= known, sorted(named - known)
    for section, name in re.findall(rf"`({'|'.join(SECTIONS)})\.(?!jsonl\b)([a-z_]+)(?![\w/])", text):
        fields = {*Settings.model_fields[section].annotation.model_fields}  # type: ignore[union-attr]
        if section == "detector":
            fields |= {*SharedDetectorSettings.model_fields, *CameraDetectorSettings.model_fields}
        assert name in fields, f"{section}.{name}"


@pytest.mark.parametrize("page", USER_PAGES, ids=page_name)
def test_every_example_of_settings_is_valid(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for secret in re.findall(r"\$\{([A-Z_]+)\}", read(page)):
        monkeypatch.setenv(secret, "secret of an example")
    monkeypatch.setattr("shutil.which", lambda program: program)  # of targets: examples of the user's own
    for number, (language, block) in enumerate(BLOCK.findall(read(page))):
        sections = set(yaml.safe_load(block)) if language == "yaml" else set()
        file = tmp_path / f"{number}.yaml"
        file.write_text(block, encoding="utf-8")
        if "cameras" in sections:
            check_site(load_site(file))
        elif sections and sections <= set(Settings.model_fields):
            load_settings(file)


def test_the_readme_is_short_and_begins_with_a_command() -> None:
    lines = read(README).splitlines()
    assert len(lines) <= MOST_LINES_OF_THE_README
    assert any(line.startswith("    streamer run ") for line in lines[:LINES_BEFORE_A_COMMAND])


def test_the_site_has_every_page_and_no_broken_link(tmp_path: Path) -> None:
    """Strict: a page outside the navigation, a link or an anchor that does not exist is an error."""
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    made = subprocess.run(
        build, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert made.returncode == 0, made.stderr
    pages = [file.read_text(encoding="utf-8") for file in (tmp_path / "site").rglob("*.html")]
    assert len(pages) >= len(USER_PAGES)
    loaded = {
        link
        for page in pages
        for link in re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=.?(https?://[^\s>]+)", page)
    }
    assert loaded == set(), "pages load nothing from other servers"


def test_every_page_that_the_code_names_exists() -> None:
    folders = ("streamer", "tracking", "tests", "benchmarks", "examples", "configs", "deploy")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*") if file.suffix in (".py", ".yaml")]
    named = {
        (name, page_name(file)) for file in files for name in re.findall(r"\bdocs/[\w/]+\.(?:md|svg|jpg)", read(file))
    }
    assert [(name, file) for name, file in sorted(named) if not (ROOT / name).is_file()] == []


def test_every_symptom_is_a_message_of_the_program() -> None:
    code = "".join(read(file) for file in sorted((ROOT / "streamer").rglob("*.py")))
    messages = re.sub(r'"\s*\n\s*f?"', "", code)  # literals over several lines
    headings = re.findall(r"^### (.*)$", read(ROOT / "docs" / "troubleshooting.md"), re.MULTILINE)
    symptoms = {symptom for heading in headings for symptom in re.findall(r"`([^`]+)`", heading)} - OTHER_SYMPTOMS
    assert len(symptoms) >= 10
    for symptom in symptoms:
        longest = max(re.split(r"'[^']*'|\S+\.mp4", symptom), key=len).strip()
        assert longest in messages, symptom

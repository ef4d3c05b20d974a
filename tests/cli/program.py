"""The program as a user runs it, in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

MAIN = Path(__file__).parents[2] / "main.py"
DEADLINE_S = 120.0


@dataclass(frozen=True)
class Result:
    """Exit code and output of the program."""

    code: int
    output: str
    errors: str


def exit_code(command: Callable[..., None], *arguments: Any, **options: Any) -> int:
    """The exit code of a command that is called as a function."""
    try:
        command(*arguments, **options)
    except typer.Exit as ending:
        return ending.exit_code
    return 0


def words_of(*arguments: str | Path) -> list[str]:
    """The command line of the program. A site has a page only where the test names an address: another test, or
    another program, may have the port of the default."""
    words = [str(argument) for argument in arguments]
    if words[:1] == ["serve"] and not any(word.startswith("web.") for word in words):
        words += ["--set", "web.address=null"]
    return [sys.executable, str(MAIN), *words]


class Program:
    """`python main.py` in a folder, started by `launcher` if there is one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.launcher: tuple[str, ...] = ()

    def __call__(self, *arguments: str | Path, columns: int = 200) -> Result:
        """Run to the end, for a terminal of so many columns."""
        with self.start(*arguments, columns=columns) as process:
            try:
                output, errors = process.communicate(timeout=DEADLINE_S)
            except BaseException:
                process.kill()
                raise
        return Result(process.returncode, output, errors)

    def start(self, *arguments: str | Path, ignored: int | None = None, columns: int = 200) -> subprocess.Popen[str]:
        """Start the program and return; optionally with one signal ignored, as by `nohup`."""

        def prepare() -> None:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            if ignored is not None:
                signal.signal(ignored, signal.SIG_IGN)

        environment = os.environ | {"COLUMNS": str(columns), "TERM": "dumb"}
        return subprocess.Popen(
            [*self.launcher, *words_of(*arguments)],
            cwd=self.folder,
            env=environment,
            preexec_fn=prepare,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def files(self) -> set[str]:
        """All files and folders, including hidden ones."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}

    def report(self, name: str = "report.json") -> dict[str, Any]:
        """The report that `--report` wrote."""
        content: dict[str, Any] = json.loads((self.folder / name).read_text())
        return content


def bash(folder: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a folder, as a user does who has `streamer` in the path."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    command = programs / "streamer"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{MAIN}" "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "200", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

"""The program, ready to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """`python main.py` in a fresh folder."""
    return Program(tmp_path)

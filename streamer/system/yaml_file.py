"""Reads a YAML file of settings, and refuses a key that is given twice. Any thread."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from streamer.errors import ConfigError

_PLACEHOLDER = re.compile(r"\{(?:camera|name|folder)\}")


class _Loader(yaml.SafeLoader):
    """YAML's safe types; of two equal keys in a mapping, PyYAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """See `yaml.SafeLoader`. A key that overrides one of an anchor (`<<: *name`) is fine."""
        lines: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                continue
            if key.value in lines:
                problem = f"{key.value!r} is given twice; the first is in line {lines[key.value]}"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
            lines[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


def read_yaml(file: Path) -> dict[str, Any]:
    """The sections of a file; empty for an empty file.

    Raises:
        ConfigError: the file cannot be read, is not valid YAML, has a key twice, or no sections.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not valid YAML: it is no UTF-8 text") from error
    return parse_yaml(text, file)


def parse_yaml(text: str, file: Path | str = "the file") -> dict[str, Any]:
    """The sections of a text; empty for an empty text.

    Args:
        text: of a file.
        file: its name, for errors.

    Raises:
        ConfigError: it is not valid YAML, has a key twice, or no sections.
    """
    try:
        content = yaml.load(text, _Loader)  # a subclass of the safe loader
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not valid YAML{_where(error, text)}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must contain sections such as 'detector:', not a {type(content).__name__}")
    return content


def _where(error: yaml.YAMLError, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return ""
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    quotes = "; put quotes around a name with {camera}, {name} or {folder}" if _PLACEHOLDER.search(line) else ""
    return f" (line {mark.line + 1}: {error.problem}{quotes})"  # type: ignore[attr-defined]

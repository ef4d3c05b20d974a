"""Changes values of a YAML text and leaves everything else as a person wrote it. Pure; any thread.

ruamel.yaml keeps comments, order, quotes and anchors, but lays out lines anew. So only the lines that differ between
its text before and after the change are taken from it, all others are those of the original. The result is read again
with the loader of the settings, and must have the wanted values and all comments.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.anchor import Anchor
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from streamer.errors import ConfigError
from streamer.serve.settings_file.line_patch import comments_of, patched
from streamer.system.yaml_file import parse_yaml

_LAYOUTS = ((2, 4, 2), (2, 2, 0), (4, 4, 2), (4, 4, 0), (4, 6, 4), (2, 3, 1))
"""Columns of a mapping, of a list, and of the dash in a list, the most frequent first."""
_WIDE = 1_000_000

Path = tuple[str, ...]


class YamlText:
    """A YAML text with mappings, and changes of it.

    Args:
        text: as it is in a file; it may be empty.
        file: its name, for errors.

    Raises:
        ConfigError: it is not valid YAML, or has YAML that cannot be kept.
    """

    def __init__(self, text: str, file: str = "the file") -> None:
        self._original = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._yaml = _round_trip()
        self._values: dict[Any, Any] = _unshared(parse_yaml(text, file))
        try:
            root = self._yaml.load(self._lines())
        except YAMLError as error:
            raise ConfigError(f"{file} has YAML that cannot be kept ({error}); change it by hand") from error
        self._is_empty = root is None
        self._root: CommentedMap = CommentedMap() if root is None else root
        self._before = self._dumped()

    @property
    def values(self) -> Mapping[str, Any]:
        """What the text means now."""
        return self._values

    def set(self, path: Path, value: object) -> None:
        """Set a value; the sections above it are made if they are missing.

        What is in a mapping already and stays equal is not touched.

        Args:
            path: keys from the top.
            value: plain values.
        """
        holder, values = self._holder(path[:-1])
        key = _key_in(holder, path[-1])
        old = values.get(key)
        if key in holder:
            holder[key] = _own(holder, key, self._root)
        if key not in values or not _updated(holder, key, old, value):
            holder[key] = _node(value)
        values[key] = _unshared(value)

    def remove(self, path: Path) -> None:
        """Remove a key that is there, with its value."""
        holder, values = self._holder(path[:-1])
        key = _key_in(holder, path[-1])
        del holder[key], values[key]
        if not holder:
            holder.fa.set_flow_style()

    def text(self) -> str:
        """The text with all changes.

        Raises:
            ConfigError: the change would change other values, too, which have them from an anchor, or lose comments.
        """
        after = self._dumped()
        if after == self._before:
            return self._original
        at_end = "" if self._original.endswith("\n") or not self._original else "\n"
        new = after.replace("\n", self._newline)
        texts = [patched(self._original + at_end, self._before, after, self._newline), new]
        right = [text for text in texts if _same(_parsed(text), self._values)]
        if not right:
            raise ConfigError(
                "other sections share these settings by an anchor (&name) of the file; change them by hand, or give "
                "each section its own"
            )
        comments = set(comments_of(self._original)) - (set(comments_of(self._before)) - set(comments_of(after)))
        found = next((text for text in right if comments <= set(comments_of(text))), None)
        if found is None:
            raise ConfigError("comments inside of these settings would be lost; change them by hand")
        return found

    def _holder(self, path: Path) -> tuple[CommentedMap, dict[Any, Any]]:
        """The mapping at a path, which is made if it is not there, and its values."""
        node, values = self._root, self._values
        for part in path:
            key = _key_in(node, part)
            if node.get(key) is None:
                node[key], values[key] = CommentedMap(), {}
            node[key] = _own(node, key, self._root)
            node, values = node[key], values[key]
            if not isinstance(node, CommentedMap):
                raise ConfigError(f"{'.'.join(path)}: {part} is a value in the file, not a section; change it by hand")
            if not node:
                node.fa.set_block_style()
        return node, values

    def _lines(self) -> str:
        text = self._original.replace("\r\n", "\n")
        return text if not text or text.endswith("\n") else f"{text}\n"

    def _dumped(self) -> str:
        """The text of ruamel.yaml, in the layout that is most like the original."""
        if self._is_empty and not self._root:
            return self._lines()
        if not hasattr(self, "_layout"):
            original = self._lines().split("\n")
            differing: dict[tuple[int, int, int], int] = {}
            for layout in _LAYOUTS:
                lines = self._dump(layout).split("\n")
                differing[layout] = sum(one != other for one, other in zip(original, lines, strict=False))
                if not differing[layout]:
                    break
            self._layout = min(differing, key=differing.__getitem__)
        return self._dump(self._layout)

    def _dump(self, layout: tuple[int, int, int]) -> str:
        self._yaml.map_indent, self._yaml.sequence_indent, self._yaml.sequence_dash_offset = layout
        stream = io.StringIO()
        self._yaml.dump(self._root, stream)
        if not self._is_empty:
            return stream.getvalue()
        return self._lines() + stream.getvalue()  # below comments


def _round_trip() -> YAML:
    loader = YAML(typ="rt")
    loader.preserve_quotes = True
    loader.width = _WIDE
    loader.allow_unicode = True
    return loader


def _own(holder: CommentedMap, key: object, root: CommentedMap) -> Any:
    """A value; a copy of one that an alias (`*name`) shares with another place."""
    value = holder[key]
    if not isinstance(value, CommentedMap) or _places_of(value, root) < 2:
        return value
    value.anchor.always_dump = True  # also if no alias is left
    own = copy.deepcopy(value)
    _forget_anchors(own)
    return own


def _forget_anchors(node: object) -> None:
    """A copy has the anchors of its original, which would be there twice."""
    if isinstance(node, CommentedMap | CommentedSeq):
        setattr(node, Anchor.attrib, Anchor())
        for one in node.values() if isinstance(node, CommentedMap) else node:
            _forget_anchors(one)


def _places_of(wanted: object, node: object) -> int:
    if node is wanted:
        return 1
    if isinstance(node, CommentedMap):
        return sum(_places_of(wanted, node[key]) for key in node)
    return sum(_places_of(wanted, one) for one in node) if isinstance(node, CommentedSeq) else 0


def _key_in(holder: Mapping[Any, Any], name: str) -> Any:
    """The key of a name; YAML may have read it as a number."""
    return next((key for key in holder if str(key) == name and not isinstance(key, bool)), _node(name))


def _update(node: CommentedMap, old: Mapping[Any, Any], new: Mapping[str, Any]) -> None:
    """Make a mapping equal to new values; what is equal is not touched."""
    for key in [key for key in old if str(key) not in new]:
        if key in node:
            del node[key]
    for name, value in new.items():
        key = _key_in(node, name)
        before = old.get(key)
        if key not in old or not _updated(node, key, before, value):
            node[key] = _node(value)


def _updated(node: Any, key: Any, old: object, new: object) -> bool:
    """Whether the value at a key is equal to the new one now; False if it must be replaced."""
    if _same(old, new):
        return True
    inner = node[key]
    if isinstance(inner, CommentedMap) and isinstance(old, Mapping) and isinstance(new, Mapping):
        _update(inner, old, new)
        return True
    if not isinstance(inner, CommentedSeq) or not isinstance(old, Sequence) or not isinstance(new, Sequence):
        return False
    if not all(isinstance(one, Mapping) for one in (*old, *new)):
        return False
    for at in range(len(inner) - 1, len(new) - 1, -1):
        del inner[at]
    for at, value in enumerate(new):
        if at >= len(inner):
            inner.append(_node(value))
        elif not _updated(inner, at, old[at], value):
            inner[at] = _node(value)
    return True


def _node(value: object) -> Any:
    """A value to write: a list of numbers or names on one line, a text in quotes where YAML reads another value."""
    if isinstance(value, Mapping):
        node = CommentedMap((name, _node(one)) for name, one in value.items())
        if not node:
            node.fa.set_flow_style()
        return node
    if isinstance(value, list | tuple):
        items = CommentedSeq(map(_node, value))
        if not any(isinstance(one, Mapping) for one in value):
            items.fa.set_flow_style()
        return items
    if isinstance(value, str) and not _is_plain(value):
        return DoubleQuotedScalarString(value)
    return value


def _is_plain(text: str) -> bool:
    try:
        return bool(yaml.safe_load(text) == text and yaml.safe_load(f"[{text}, {{a: {text}}}]") == [text, {"a": text}])
    except yaml.YAMLError:
        return False


def _unshared(value: Any) -> Any:
    """A copy in which nothing is in two places, as an alias is after loading."""
    if isinstance(value, Mapping):
        return {key: _unshared(one) for key, one in value.items()}
    return [_unshared(one) for one in value] if isinstance(value, list | tuple) else value


def _parsed(text: str) -> object:
    try:
        return parse_yaml(text)
    except ConfigError:
        return None


def _same(one: object, other: object) -> bool:
    """Whether two plain values are equal, and true is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {str(key) for key in one} == {str(key) for key in other} and all(
            _same(value, other[_key_in(other, str(key))]) for key, value in one.items()
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other and isinstance(one, bool) == isinstance(other, bool)

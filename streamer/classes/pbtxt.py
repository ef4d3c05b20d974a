"""Reads the label maps of the TensorFlow Object Detection API (`.pbtxt`) without that API. Called by the main thread.

The message is `object_detection/protos/string_int_label_map.proto`. Three of its fields are declared at run time, so
that protobuf's own parser handles comments, both kinds of quotes, escapes and separators.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format  # type: ignore[import-untyped]

from streamer.errors import ConfigError

# Strings and comments are matched first, because they may have any of the others in them.
_TOKEN = re.compile(
    r"""(?x) "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | \#.*
    | (?P<word>[A-Za-z_]\w*)?\s*:?\s*(?P<bracket>[{<]) | (?P<end>[}>]) | (?P<loose>[A-Za-z_]\w*)"""
)


class Entry(NamedTuple):
    """One item of a label map; a missing `id` is None, a missing text is ""."""

    id: int | None
    name: str
    display_name: str


def items(text: str, file: str) -> Iterator[Entry]:
    """The items of a label map in the order of the file; fields other than the three are skipped.

    Raises:
        ConfigError: a syntax error, an item inside another block, or anything outside items; the message has the line.
    """
    message = _label_map_class()()
    try:
        text_format.Parse(text, message, allow_unknown_field=True)
    except text_format.ParseError as error:
        line, detail = error.GetLine(), str(error).rpartition(" : ")[2]
        raise ConfigError(f"{file}, line {line}: no label map in protobuf's text form: {detail}") from error
    _check_nesting(text, file)
    for item in message.item:
        yield Entry(item.id if item.HasField("id") else None, item.name.strip(), item.display_name.strip())


def _check_nesting(text: str, file: str) -> None:
    """Refuse items that the parser skips with an unknown field, so that no file is read in part."""
    opened_at: list[int] = []
    for token in _TOKEN.finditer(text):
        line = text.count("\n", 0, token.start()) + 1
        word, bracket = token["word"] or token["loose"], token["bracket"]
        if word and not opened_at and word != "item":
            raise ConfigError(f"{file}, line {line}: expected 'item {{', not {word!r}")
        if word == "item" and bracket and opened_at:
            raise ConfigError(f"{file}, line {line}: an item inside the block of line {opened_at[-1]}; close it first")
        if bracket:
            opened_at.append(line)
        elif token["end"]:
            opened_at.pop()


@cache
def _label_map_class() -> Any:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="streamer/label_map.proto", package="streamer", syntax="proto2")
    item = file.message_type.add(name="Item")
    for number, (name, kind) in enumerate(
        (("name", field.TYPE_STRING), ("id", field.TYPE_INT32), ("display_name", field.TYPE_STRING)), 1
    ):
        item.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL)
    label_map = file.message_type.add(name="LabelMap")
    label_map.field.add(
        name="item", number=1, type=field.TYPE_MESSAGE, type_name=".streamer.Item", label=field.LABEL_REPEATED
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("streamer.LabelMap"))

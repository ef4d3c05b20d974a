"""The classes of a detector as a tree, for `models labels`. Main thread."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rich.text import Text
from rich.tree import Tree

from streamer.errors import ConfigError
from streamer.system.paths import readable
from streamer.system.suggestions import did_you_mean
from streamer.values.labels import LabelTable


def trees(labels: LabelTable, pattern: str = "") -> list[Tree]:
    """The top classes by name, each with the classes below it.

    A class with several parents appears below each of them. A class that the detector does not have appears if the
    detector has a class below it.

    Args:
        labels: of the detector.
        pattern: words of a name, or a MID, in any case: selects the classes that match, and those above and below them.
            A part of a word matches if no class has the whole word. "" selects all.

    Raises:
        ConfigError: no class matches; the message has the nearest names.
    """
    nodes = _Nodes(labels)
    wanted = nodes.matching(pattern)
    if not wanted:
        hint = did_you_mean(pattern, nodes.names.values(), otherwise="", most=3, cutoff=0.5)
        raise ConfigError("; ".join(filter(None, (f"no class matches {pattern!r}", hint))))
    shown = nodes.closed(wanted, nodes.parents) | nodes.closed(wanted, nodes.children)
    marked = wanted if pattern else set()
    tops = [node for node in shown if not nodes.parents.get(node)]
    return [nodes.tree(node, shown, marked) for node in nodes.by_name(tops)]


class _Nodes:
    """The classes of a table and those above them. A node is a MID, or `row 7` for a class without a MID."""

    def __init__(self, labels: LabelTable) -> None:
        self.names: dict[str, str] = {}
        self.rows: dict[str, list[int]] = {}
        self.parents: dict[str, tuple[str, ...]] = {}
        self.children: dict[str, list[str]] = {}
        hierarchy = labels.hierarchy
        for row in labels.used():
            node = labels.mid(row) or f"row {row}"
            self.names[node] = labels.names[row]
            self.rows.setdefault(node, []).append(row)
        for node in list(self.names):
            for mid in hierarchy.above(node) if hierarchy else ():
                assert hierarchy is not None
                self.names.setdefault(mid, hierarchy.names.get(mid, mid))
                self.parents[mid] = hierarchy.parents.get(mid, ())
        for node, parents in self.parents.items():
            for parent in parents:
                self.children.setdefault(parent, []).append(node)

    def matching(self, pattern: str) -> set[str]:
        """The nodes with the pattern as whole words; if there is none, as the start of a word; else as any part."""
        folded = pattern.strip().casefold()
        if not folded:
            return set(self.names)
        text = re.escape(folded)
        for wanted in (rf"(?<!\w){text}(?!\w)", rf"(?<!\w){text}", text):
            found = {node for node, name in self.names.items() if re.search(wanted, name.casefold())}
            found |= {node for node in self.names if folded == node.casefold()}
            if found:
                return found
        return set()

    def closed(self, start: set[str], following: dict[str, tuple[str, ...]] | dict[str, list[str]]) -> set[str]:
        """`start` and all nodes that can be reached from it."""
        found, queue = set(start), list(start)
        for node in queue:
            new = [each for each in following.get(node, ()) if each not in found]
            found.update(new)
            queue.extend(new)
        return found

    def by_name(self, nodes: Iterable[str]) -> Iterator[str]:
        return iter(sorted(nodes, key=lambda node: (self.names[node].casefold(), node)))

    def tree(self, node: str, shown: set[str], marked: set[str]) -> Tree:
        tree = Tree(self._line(node, bold=node in marked))
        for child in self.by_name(each for each in self.children.get(node, ()) if each in shown):
            tree.children.append(self.tree(child, shown, marked))
        return tree

    def _line(self, node: str, *, bold: bool) -> Text:
        rows = self.rows.get(node)
        listed = ", ".join(map(str, rows)) if rows else "not in this detector"
        mid = node if node.startswith("/") else ""
        return Text.assemble(
            (readable(self.names[node]), "bold" if bold else ""), (f"  {listed}  {mid}".rstrip(), "dim")
        )

"""What a person sees: the screen that the output of a program leaves in a terminal."""

from __future__ import annotations

import re

_STEP = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


class Screen:
    """A terminal without a lower edge. It wraps long lines, and wraps them anew when its width changes.

    Attributes:
        lines: from the top, with the text that scrolled out.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines = [""]
        self._wrapped = [False]  # continues the line above
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        """Write the output of a program; unknown sequences change nothing."""
        for code, letter, control, words in _STEP.findall(text):
            if letter == "A":
                self._row = max(self._row - int(code or 1), 0)
            elif letter == "K":
                self.lines[self._row] = ""
            elif control == "\r":
                self._column = 0
            elif control == "\n":
                self._new_line(wrapped=False)
            for character in words:
                self._put(character)

    def resize(self, columns: int) -> None:
        """Another width; lines that were written as one are wrapped again, as most terminals do. The cursor is last."""
        del self.lines[self._row + 1 :], self._wrapped[self._row + 1 :]  # erased before
        whole: list[str] = []
        for line, wrapped in zip(self.lines, self._wrapped, strict=True):
            if wrapped:
                whole[-1] += line
            else:
                whole.append(line)
        self.columns, self.lines, self._wrapped = columns, [], []
        for line in whole:
            parts = [line[at : at + columns] for at in range(0, len(line), columns)] or [""]
            self.lines += parts
            self._wrapped += [False] + [True] * (len(parts) - 1)
        self._row, self._column = len(self.lines) - 1, len(self.lines[-1])

    @property
    def text(self) -> list[str]:
        """The lines without spaces at their ends, and without empty ones."""
        return [line.rstrip() for line in self.lines if line.strip()]

    def _put(self, character: str) -> None:
        if self._column >= self.columns:
            self._new_line(wrapped=True)
        line = self.lines[self._row].ljust(self._column)
        self.lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
        self._column += 1

    def _new_line(self, *, wrapped: bool) -> None:
        self._row, self._column = self._row + 1, 0
        if self._row == len(self.lines):
            self.lines.append("")
            self._wrapped.append(wrapped)
        self._wrapped[self._row] = wrapped

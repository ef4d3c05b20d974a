"""Opens the sources of a site at the same time, to see whether they answer.

The main thread waits for a thread for each source, with a deadline. A thread that does not end in time is left behind.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import dataclass

from streamer.config.source import SourceSettings
from streamer.errors import StreamerError
from streamer.serve.checks.source_facts import ask, limit_s


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source sent.

    Attributes:
        text: size, frame rate and codec, or the error.
        is_open: whether it was opened.
    """

    text: str
    is_open: bool


def connect_all(sources: Mapping[str, SourceSettings]) -> Iterator[tuple[str, Answer]]:
    """Open all sources, which have a uri; yields the answers in the order of the names.

    Args:
        sources: by the name of their camera.
    """
    began_s = time.monotonic()
    answers = {name: ask(name, source) for name, source in sources.items()}
    for name, source in sources.items():
        until_s = began_s + limit_s(source)
        try:
            yield name, Answer(str(answers[name].result(max(until_s - time.monotonic(), 0.0))), is_open=True)
        except NoAnswer:
            yield name, Answer(f"no picture within {limit_s(source):g} s", is_open=False)
        except StreamerError as error:
            yield name, Answer(str(error), is_open=False)

"""The camera's process: started, controlled and killed. Owned by the thread that made it.

It reads one JSON command per line and answers each; between the answers it prints events.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, cast

_ROOT = Path(__file__).parents[3]
START_WITHIN_S = 30.0
ANSWER_WITHIN_S = 10.0


class CameraFailed(RuntimeError):
    """The camera's process ended, refused a command or did not answer in time."""


class CameraProcess:
    """A camera's process from start to end.

    Args:
        arguments: of its command line.
    """

    def __init__(self, arguments: list[str]) -> None:
        self._orders = itertools.count(1)
        self._events: list[dict[str, Any]] = []
        self._said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __package__, *arguments],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(_ROOT)},
        )
        self._stdin = cast("IO[bytes]", self._process.stdin)
        words = cast("IO[bytes]", self._process.stdout)
        self._listener = threading.Thread(target=_listen, args=(words, self._said), name="camera-says", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def kill(self) -> None:
        """End it with SIGKILL, also if it is stopped."""
        self._process.kill()
        self._process.wait()
        self._stdin.close()
        self._listener.join()

    def order(self, name: str, **arguments: Any) -> Any:
        """Send a command, and wait for its answer."""
        number = next(self._orders)
        try:
            self._stdin.write(json.dumps({"id": number, "do": name, **arguments}).encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError as error:
            raise CameraFailed("the camera has ended") from error
        deadline_s = time.monotonic() + ANSWER_WITHIN_S
        while True:
            message = self._next_message(deadline_s, f"answer to {name}")
            if "event" in message:
                self._events.append(message)
            elif message["answer"] == number:
                if "error" in message:
                    raise CameraFailed(f"the camera refused {name}: {message['error']}")
                return message["result"]

    def wait_for(self, event: str, timeout_s: float) -> dict[str, Any]:
        """The next event of a kind that was not returned before."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            for index, told in enumerate(self._events):
                if told["event"] == event:
                    return self._events.pop(index)
            message = self._next_message(deadline_s, event)
            if "event" in message:
                self._events.append(message)

    def _next_message(self, deadline_s: float, wanted: str) -> dict[str, Any]:
        try:
            message = self._said.get(timeout=max(0.0, deadline_s - time.monotonic()))
        except queue.Empty:
            raise CameraFailed(f"no {wanted} from the camera in time") from None
        if message is None:
            self._said.put(None)
            raise CameraFailed(f"the camera ended before its {wanted}")
        return message


def _listen(words: IO[bytes], said: queue.Queue[dict[str, Any] | None]) -> None:
    """Hand on what a camera says until it ends; runs in a thread of its own."""
    with words:
        for line in words:
            if line.endswith(b"\n"):
                said.put(json.loads(line))
    said.put(None)

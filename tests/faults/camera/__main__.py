"""A camera as a separate process: `python -m tests.faults.camera --help`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

from tests.faults.camera.server import serve
from tests.faults.camera.settings import parse


def main() -> None:
    """Run the camera that the command line describes."""
    settings, port, shots = parse(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings, port, Path(shots or Path(folder) / "shots")))


if __name__ == "__main__":
    main()

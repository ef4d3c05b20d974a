"""The command line: `streamer`, `python -m streamer`, and `python main.py` in a checkout.

`main` is the entry point. Until a command takes signals over, Ctrl-C ends the program without a traceback, so the
signal is set before anything else is imported.
"""

import signal
import time

STARTED_S = time.monotonic()
"""Monotonic clock at the start of the program; the time to the first frame counts from here."""


def main() -> None:
    """Run the program with the arguments of the process; leaves with its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from streamer.cli.program import run_program

    run_program()

"""The command line: `streamer`, `python -m streamer`, and `python main.py` in a checkout.

`main` is the entry point. Until a command handles signals itself, Ctrl-C ends the program without a traceback: the
signal is set before anything else is imported.
"""

import signal
import time


def main() -> None:
    """Run the program with the arguments of the process and leave with its exit code."""
    started_s = time.monotonic()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from streamer.cli.program import run_program

    run_program(started_s)

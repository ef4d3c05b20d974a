"""Run Streamer from a checkout: `python main.py` does what the installed command `streamer` does."""

from streamer.cli import main

if __name__ == "__main__":
    main()

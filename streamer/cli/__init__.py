"""The command line: `streamer` and `python main.py`."""

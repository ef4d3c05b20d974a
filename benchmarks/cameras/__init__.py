"""Measures many cameras in one program: `python -m benchmarks.cameras --help`."""

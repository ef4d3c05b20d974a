"""Delivery of events while receivers fail and the program is killed: `python -m benchmarks.delivery`."""

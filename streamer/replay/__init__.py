"""Live runs that can be run again: what `run --record` keeps of one, and how `replay` plays it."""

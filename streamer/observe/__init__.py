"""Report, metrics and logs of a run."""

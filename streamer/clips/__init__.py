"""Clips and snapshots of events."""

"""Annotated pictures: one file, a folder, numbered files."""

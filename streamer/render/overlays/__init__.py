"""Annotators of the whole picture: the head-up line, trails, lines and zones."""

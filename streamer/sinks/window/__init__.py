"""A desktop window in a separate process."""

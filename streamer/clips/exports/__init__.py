"""Time spans of continuous recordings as one file."""

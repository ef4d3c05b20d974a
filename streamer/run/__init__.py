"""One run: from settings to the parts of the pipeline, and to its end."""

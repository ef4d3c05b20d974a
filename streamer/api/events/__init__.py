"""The events of a site in the API: list, timeline, changes, files, live."""

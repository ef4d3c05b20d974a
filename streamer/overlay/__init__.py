"""Carrying boxes from the frames they were found on to the frames that are shown."""

"""Notifications for persons, with the library apprise."""

"""Webhooks: HTTP requests with signed messages."""

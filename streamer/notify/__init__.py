"""Tells targets of events: MQTT brokers, webhooks, commands, persons."""

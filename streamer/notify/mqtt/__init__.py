"""Events and readings of cameras on an MQTT broker, and for Home Assistant."""

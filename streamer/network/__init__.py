"""Certificates, logins and what servers answer, for sources and sinks."""

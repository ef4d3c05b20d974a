"""Certificates, logins and errors of servers, for sources and sinks."""

"""What keeps the page of a site from its address: outputs and metrics that are served there. Nothing is opened."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from streamer.config.site import SiteSettings
from streamer.errors import ConfigError
from streamer.registry import SINKS
from streamer.sinks.selection import sink_class
from streamer.system.secrets import redacted, split_credentials
from streamer.web.address import Address, parse_address

SETTING = "web.address"
_OWN_PATHS = ("", "/api", "/assets", "/healthz", "/metrics")
"""Paths of the page itself, and all below them."""


def page_problems(site: SiteSettings) -> list[str]:
    """Why the page cannot have the address that the settings give it, one line each."""
    if site.web.address is None:
        return []
    try:
        address = parse_address(site.web.address, SETTING)
    except ConfigError as error:
        return [str(error)]
    found = list(_in_the_way(site, address))
    if site.metrics.address is not None and _is_same(site.metrics.address, address):
        found.append(f"metrics.address: {site.metrics.address} is the address of the page ({SETTING})")
    return [f"{one}; give it another port, or set {SETTING}" for one in found]


def _in_the_way(site: SiteSettings, page: Address) -> Iterator[str]:
    for name, camera in site.cameras.items():
        for index, entry in enumerate(camera.outputs):
            if sink_class(entry) is not SINKS["mjpeg"]:
                continue
            parts = urlsplit(split_credentials(entry.to)[0])
            if (parts.port or 80) != page.port or not page.port:
                continue
            shown = f"cameras.{name}.outputs.{index}.to: {redacted(entry.to)}"
            other = Address(parts.hostname or "", page.port)
            if _host(other) != _host(page):
                yield f"{shown} has the port of the page at {site.web.address}"
            elif any(_has(own, parts.path.rstrip("/")) for own in _OWN_PATHS):
                yield f"{shown} has a path of the page at {site.web.address}"


def _has(own: str, path: str) -> bool:
    return path == own or bool(own and path.startswith(f"{own}/"))


def _is_same(text: str, page: Address) -> bool:
    try:
        other = parse_address(text, "metrics.address")
    except ConfigError:  # told by its own check
        return False
    return bool(page.port) and other.port == page.port


def _host(address: Address) -> str:
    """The host in one notation."""
    return "127.0.0.1" if address.host.lower() in ("", "localhost") else address.host.lower()

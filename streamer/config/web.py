"""Settings of the page of a site: its address, its users, its live video. Any thread may read them."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from streamer.config.section import Section

_PORTS = re.compile(r"(\d{1,5})-(\d{1,5})")


class LiveVideoSettings(Section):
    """The live video of a camera on the page. One encoder per camera makes it while someone watches."""

    max_width: int = Field(default=1280, ge=64, le=7680)
    """Larger frames are scaled down to this width, pixels."""
    max_fps: float = Field(default=30.0, gt=0)
    bit_rate_kbps: int = Field(default=2500, ge=100)
    """Upper limit of the H.264 stream."""
    viewers: int = Field(default=50, ge=1, le=1000)
    """The most live videos at the same time, over all cameras."""
    quality: int = Field(default=75, ge=1, le=100)
    """Of the JPEG frames, where WebRTC does not work."""
    udp_ports: str | None = None
    """The UDP ports of WebRTC, such as `50000-50100`, to open in a firewall or publish from a container. null: any."""
    public_address: str | None = None
    """The IP address under which browsers reach this machine, if it is another one than its own (a container)."""

    @field_validator("public_address")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise ValueError("give an IP address, such as 192.0.2.20; browsers do not look up names here") from None
        return value

    @field_validator("udp_ports")
    @classmethod
    def _is_range(cls, value: str | None) -> str | None:
        found = None if value is None else _PORTS.fullmatch(value)
        if value is not None and (found is None or not 1024 <= int(found[1]) <= int(found[2]) <= 65_535):
            raise ValueError("give a range of ports from 1024 to 65535, such as 50000-50100")
        return value


class BrowserCameraSettings(Section):
    """Webcams of browsers, which send their frames to the page and get the boxes back."""

    sessions: int = Field(default=4, ge=0, le=64)
    """How many at the same time; 0: none."""
    max_s: float = Field(default=3600.0, gt=0)
    """A session ends after this time."""
    priority: float = Field(default=1.0, gt=0, le=100)
    """At the detector, against the cameras of the site."""
    max_width: int = Field(default=1280, ge=64, le=3840)
    """Larger frames are refused by asking the browser for smaller ones, pixels."""


class WebSettings(Section):
    """The page of the site, with its API."""

    address: str | None = "127.0.0.1:8080"
    """`[host]:port` or a port; this machine only without a host. Another host needs users. null: no page."""
    accounts: Path | None = None
    """The file with users, sessions and tokens. null: `accounts.db` beside the settings file."""
    tls: Literal["auto"] | None = None
    """`auto`: HTTPS with a certificate that is made at the first start."""
    certificate: Path | None = None
    """HTTPS with this certificate (PEM, with its chain)."""
    key: Path | None = None
    """The private key of `certificate` (PEM)."""
    hosts: tuple[str, ...] = ()
    """Names under which browsers may open the page, besides its own addresses, such as that of a reverse proxy."""
    live: LiveVideoSettings = LiveVideoSettings()
    browser_camera: BrowserCameraSettings = BrowserCameraSettings()

    @model_validator(mode="after")
    def _has_both(self) -> WebSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both, or tls: auto")
        if self.certificate is not None and self.tls is not None:
            raise ValueError("tls: auto makes a certificate; leave it out, or leave certificate and key out")
        return self

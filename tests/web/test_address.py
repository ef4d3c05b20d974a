"""The addresses that other machines open."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest

from streamer.web.address import machine_addresses, urls_elsewhere


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "192.0.2.20", "cams.example.org"])
def test_a_server_of_one_address_names_no_others(host: str) -> None:
    assert urls_elsewhere("http://127.0.0.1:8080/", host) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_server_of_all_addresses_names_those_of_the_machine(host: str) -> None:
    urls = [urlsplit(url) for url in urls_elsewhere("https://127.0.0.1:8443/", host)]
    hosts = [str(url.hostname) for url in urls]
    assert all((url.scheme, url.port, url.path) == ("https", 8443, "/") for url in urls)
    assert hosts == [one for one in machine_addresses() if host == "::" or ipaddress.ip_address(one).version == 4]

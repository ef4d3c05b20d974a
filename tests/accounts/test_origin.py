"""Names of a site, and pages that may change it."""

from __future__ import annotations

import socket

import pytest
from multidict import CIMultiDict

from streamer.accounts.origin import Names
from streamer.web.address import Address

SITE = Names(Address("0.0.0.0", 8080), ["cams.example.org"])
MACHINE = socket.gethostname().lower()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8080",
        "localhost:8080",
        "LOCALHOST",
        "site.localhost:8080",
        "[::1]:8080",
        "192.0.2.7",
        "[fe80::1]:8080",
        "cams.example.org",
        "Cams.Example.org.:443",
        MACHINE,
    ],
)
def test_names_and_addresses_of_the_site_are_known(host: str) -> None:
    assert SITE.know(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:8080", "", ":8080", "a b",
     "cams.example.org.evil.example", "127.0.0.1@evil.example", "[::1", "xcams.example.org", f"{MACHINE}.evil.example"],
)  # fmt: skip
def test_other_names_are_not_known(host: str) -> None:
    assert not SITE.know(host)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("localhost:8080", "http://LOCALHOST:8080"),
        ("192.0.2.7", "http://192.0.2.7"),
        ("192.0.2.7", "https://192.0.2.7:443"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("127.0.0.1:8080", "https://cams.example.org"),  # a reverse proxy that does not pass on the name
    ],
)
def test_a_page_of_the_site_may_change_it(host: str, origin: str) -> None:
    assert SITE.allow("POST", CIMultiDict({"Host": host, "Origin": origin}))


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://127.0.0.1:9090", "http://127.0.0.1", "http://localhost:8080",
     "http://127.0.0.1:8080.evil.example", "http://evil.example/127.0.0.1:8080", "file://", "chrome-extension://x",
     "https://cams.example.org.evil.example", "http://127.0.0.1:x"],
)  # fmt: skip
def test_a_page_of_another_site_may_not_change_it(origin: str) -> None:
    headers = CIMultiDict({"Host": "127.0.0.1:8080", "Origin": origin})
    assert not SITE.allow("POST", headers)
    assert not SITE.allow("DELETE", headers)
    assert SITE.allow("GET", headers)  # the browser does not give the answer to that page
    headers["Upgrade"] = "websocket"
    assert not SITE.allow("GET", headers)


def test_programs_send_no_origin() -> None:
    assert SITE.allow("POST", CIMultiDict({"Host": "127.0.0.1:8080"}))
    assert SITE.allow("POST", CIMultiDict({"Host": "127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}))
    assert not SITE.allow("POST", CIMultiDict({"Host": "127.0.0.1:8080", "Sec-Fetch-Site": "cross-site"}))

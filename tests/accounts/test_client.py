"""What a request says of its sender, also if its headers are garbage."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from streamer.accounts.client import (
    LONGEST_SECRET,
    Credential,
    address_of,
    cookie_name,
    credential_of,
    host_of,
    uses_tls,
)
from streamer.accounts.origin import Names
from streamer.accounts.throttle import network_of
from streamer.web.address import Address

VALUES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=300)
NAMES = Names(Address("", 8080), [])


class Transport:
    """Of a connection from an address."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._address, 50_000) if name == "peername" else default


def request(address: str = "127.0.0.1", **headers: str) -> web.Request:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return make_mocked_request("GET", "/", named, transport=Transport(address))


@given(host=VALUES, authorization=VALUES, cookie=VALUES, origin=VALUES, forwarded=VALUES)
def test_garbage_in_headers_is_nobody(host: str, authorization: str, cookie: str, origin: str, forwarded: str) -> None:
    garbage = {"Authorization": authorization, "Cookie": cookie, "Origin": origin, "X_Forwarded_For": forwarded}
    for sent in (request(Host=host, **garbage), request(Host=host, Cookie=cookie, X_Forwarded_Proto=forwarded)):
        credential = credential_of(sent)
        assert len(credential.secret) <= LONGEST_SECRET
        assert cookie_name(sent).isascii()
        assert len(network_of(address_of(sent))) <= 64
        NAMES.know(host_of(sent))
        NAMES.allow("POST", sent.headers)
        uses_tls(sent)


def test_a_token_comes_before_a_session() -> None:
    sent = request(Host="x:8080", Authorization="Bearer abc", Cookie="streamer-8080=def")
    assert credential_of(sent) == Credential("abc", is_token=True)


def test_the_cookie_of_another_port_is_not_taken() -> None:
    assert credential_of(request(Host="localhost:8081", Cookie="streamer-8080=abc")) == Credential()
    assert credential_of(request(Host="localhost:8080", Cookie="streamer-8080=abc")) == Credential("abc")
    assert cookie_name(request(Host="cams.example.org")) == "streamer-session"
    assert cookie_name(request(Host="[::1]:8080")) == "streamer-8080"


@pytest.mark.parametrize("text", ["Basic", "Basic !", f"Basic {base64.b64encode(b'no colon').decode()}", "Bearer ", ""])
def test_an_invalid_token_is_not_the_same_as_none(text: str) -> None:
    """Otherwise a program with a broken token would be the user of this machine."""
    assert credential_of(request(Host="x", Authorization=text)) == Credential("-", is_token=True)


def test_a_proxy_is_believed_on_this_machine_only() -> None:
    proxied = {"X_Forwarded_For": "198.51.100.9, 203.0.113.5", "X_Forwarded_Proto": "https", "Host": "x"}
    assert address_of(request("127.0.0.1", **proxied)) == "203.0.113.5"  # what the nearest proxy has added
    assert address_of(request("::1", **proxied)) == "203.0.113.5"
    assert address_of(request("192.0.2.1", **proxied)) == "192.0.2.1"
    assert uses_tls(request("127.0.0.1", **proxied))
    assert not uses_tls(request("192.0.2.1", **proxied))

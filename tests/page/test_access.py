"""Every route of a site, asked as nobody, as a viewer and as an admin."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from streamer.accounts.roles import Access
from streamer.api import openapi
from streamer.api.openapi import BASE
from streamer.api.operation import WEBSOCKET, Operation
from streamer.api.operations import all_operations
from streamer.page import files
from tests.page.sites import ADMIN, VIEWER, ServedSite, served_site

REFUSED = (401, 403)
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ServedSite]:
    with served_site(tmp_path, ADMIN, VIEWER) as site:
        yield site


@pytest.fixture
def operations(site: ServedSite) -> list[Operation]:
    found = all_operations(site.context)
    return [*found, openapi.operation(found)]


@pytest.fixture
def users(site: ServedSite) -> Mapping[str, Mapping[str, str]]:
    """The headers of each kind of user."""
    logged_in = {user.role.value: {"Cookie": site.cookie(user.name)} for user in (ADMIN, VIEWER)}
    return {"nobody": {}, **logged_in}


def expected(operation: Operation, who: str) -> int | None:
    """The status of a refusal; None if the request may go on."""
    if operation.access is Access.ANYONE or who == "admin":
        return None
    if who == "nobody":
        return 401
    return 403 if operation.access is Access.ADMIN else None


@pytest.mark.parametrize("who", ["nobody", "viewer", "admin"])
def test_each_operation_admits_its_users_only(
    site: ServedSite, operations: list[Operation], users: Mapping[str, Mapping[str, str]], who: str
) -> None:
    assert operations
    for operation in operations:
        if (operation.method, operation.path) == ("DELETE", "/session"):
            continue  # it would end the session of the walk
        path = re.sub(r"\{\w+\}", "nothing", operation.path)
        status = site.client(operation.method, path, None, **users[who]).status
        wanted = expected(operation, who)
        name = f"{operation.method} {operation.path} as {who}: {status}"
        assert (status == wanted) if wanted else (status not in REFUSED and status < 500), name


def test_a_websocket_is_refused_before_it_opens(site: ServedSite, operations: list[Operation]) -> None:
    for operation in operations:
        if operation.media == WEBSOCKET:
            path = re.sub(r"\{\w+\}", "nothing", operation.path)
            assert site.client("GET", path, None, **UPGRADE).status == 401, operation.path


def test_a_change_from_another_site_is_refused(
    site: ServedSite, operations: list[Operation], users: Mapping[str, Mapping[str, str]]
) -> None:
    for operation in operations:
        path = re.sub(r"\{\w+\}", "nothing", operation.path)
        upgrade = UPGRADE if operation.media == WEBSOCKET else {}
        if operation.method == "GET" and not upgrade:
            continue
        headers = {**users["admin"], **upgrade, "Origin": "https://evil.example"}
        assert site.client(operation.method, path, None, **headers).status == 403, operation.path


def test_only_the_files_of_the_page_and_the_health_need_no_login(site: ServedSite) -> None:
    """A route that is added beside the API is in none of these lists, and needs a decision."""
    of_page = {route.path for route in files.routes()}
    of_health = {"/healthz", "/healthz/{name:.*}"}
    of_api = {path for path in (route.path for route in site.page.routes) if path.partition("/{")[0] == BASE}
    assert of_api
    assert {route.path for route in site.page.routes} == of_page | of_health | of_api
    for path in of_page:
        assert site.client("GET", path, None, base="").status == 200, path
    assert site.client("GET", "/healthz", None, base="").status == 200


def test_no_other_name_leads_to_a_route(
    site: ServedSite, operations: list[Operation], users: Mapping[str, Mapping[str, str]]
) -> None:
    """DNS rebinding: the page of another site has a name that leads to this machine."""
    for operation in operations:
        path = re.sub(r"\{\w+\}", "nothing", operation.path)
        headers = {**users["admin"], "Host": f"evil.example:{site.page.address[1]}"}
        assert site.client(operation.method, path, None, **headers).status == 421, operation.path
    for route in files.routes():
        assert site.client("GET", route.path, None, base="", Host="evil.example").status == 421, route.path


def test_every_answer_forbids_inline_scripts_and_framing(site: ServedSite) -> None:
    for path in ("/", "/assets/page.css", "/healthz", "/nothing", f"{BASE}/session", f"{BASE}/nothing"):
        headers = site.client("GET", path, None, base="").headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path
        assert headers["Server"] == "Streamer", path


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2ffiles.py", "//etc/passwd", "/%00"]
)
def test_no_path_leads_out_of_the_page(site: ServedSite, path: str, users: Mapping[str, Mapping[str, str]]) -> None:
    for base in ("", BASE, f"{BASE}/events/1"):
        answer = site.client("GET", path, None, base=base, **users["admin"])
        assert answer.status in (400, 404, 422), (base, answer)
        assert b"root:" not in answer.content

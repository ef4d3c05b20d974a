"""What the table of operations decides, asked by a real client: paths, methods, values, sizes, errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import BaseModel, Field

from streamer.accounts.roles import Access
from streamer.api.operation import WEBSOCKET, Call, Operation, Problem, Values
from streamer.api.router import routes
from streamer.errors import ConfigError
from streamer.system.secrets import SECRETS
from tests.api.served import Client, guard, served


class Search(Values):
    camera: tuple[str, ...] = ()
    limit: int = Field(default=10, ge=1, le=100)
    since: datetime | None = None


class Change(Values):
    name: str
    factor: float = 1.0


class Found(BaseModel):
    text: str


async def search(call: Call) -> Found:
    return Found(text=f"{call.path} {call.query!r}")


async def change(call: Call) -> Found:
    return Found(text=f"{call.path['name']} {call.body!r}")


async def fail(call: Call) -> None:
    match call.path["how"]:
        case "problem":
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "wait", ("one", "two"), {"Retry-After": "5"})
        case "error":
            raise ConfigError("camera: rtsp://me:hunter22secret@cam/ is wrong", "second line")
        case "aiohttp":
            raise web.HTTPConflict(text="taken already")
        case "unexpected":
            raise RuntimeError("a detail for the log only")
        case "surrogate":
            raise ConfigError("no file a\udcff.mp4")
        case "control":
            raise ConfigError("no file a\nb\x1b[2J.mp4")


async def echo(call: Call) -> web.StreamResponse:
    return web.Response(text=await call.request.text())


async def talk(call: Call) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(call.request)
    await socket.close()
    return socket


OPERATIONS = (
    Operation("GET", "/things/{name}", "Search.", Access.VIEWER, search, query=Search, answer=Found),
    Operation("PUT", "/things/{name}", "Change.", Access.ADMIN, change, body=Change, answer=Found),
    Operation("POST", "/fail/{how}", "Fail.", Access.VIEWER, fail),
    Operation("POST", "/text", "Echo.", Access.VIEWER, echo, takes="application/sdp"),
    Operation("GET", "/talk", "Talk.", Access.VIEWER, talk, media=WEBSOCKET),
)


@pytest.fixture
def client() -> Iterator[Client]:
    with served(OPERATIONS) as client:
        yield client


def test_values_of_path_query_and_body_reach_the_operation(client: Client) -> None:
    found = client.get("/things/gate%20%2F1?camera=a&camera=b&limit=5&since=2026-11-26T12:00:00Z")
    wanted = Search(camera=("a", "b"), limit=5, since=datetime(2026, 11, 26, 12, tzinfo=UTC))
    assert found["text"] == f"{{'name': 'gate /1'}} {wanted!r}".replace("datetime.timezone.utc", "TzInfo(0)")
    answer = client.send("PUT", "/things/gate", {"name": "new"})
    assert answer.json["text"] == f"gate {Change(name='new')!r}"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


def test_an_operation_without_an_answer_has_no_content(client: Client) -> None:
    answer = client("POST", "/fail/not")
    assert (answer.status, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("limt=5", "query.limt: no such name; did you mean limit?"),
        ("limit=1&limit=2", "query.limit: given 2 times; give it once"),
        ("limit=0", "query.limit: input should be greater than or equal to 1 (got '0')"),
        ("limit=%FF", "query.limit: input should be a valid integer"),
    ],
)
def test_a_query_that_is_wrong_is_refused_by_name(client: Client, query: str, line: str) -> None:
    answer = client("GET", f"/things/gate?{query}")
    assert answer.status == 422
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json["detail"].startswith(line)
    assert (answer.json["type"], answer.json["status"]) == ("about:blank", 422)


def test_an_operation_without_a_query_refuses_any(client: Client) -> None:
    answer = client("POST", "/fail/not?now=true")
    assert (answer.status, answer.json["detail"]) == (422, "query.now: no such name; leave it out")


@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b'{"name": "a", "nme": 1}', 422, "body.nme: no such name; did you mean name?"),
        (b'{"name": 5}', 422, "body.name: input should be a valid string (got 5)"),
        (b'{"name": "a", "factor": NaN}', 422, "body.factor: input should be a finite number"),
        (b"[" * 100_000, 400, "body: Invalid JSON: recursion limit exceeded"),
        (b"\xff\xfe", 400, "body: Invalid JSON"),
        (b"", 400, "body: Invalid JSON: EOF"),
    ],
)
def test_a_body_that_is_wrong_is_refused(client: Client, content: bytes, status: int, detail: str) -> None:
    answer = client("PUT", "/things/gate", content, Content_Type="application/json")
    assert answer.status == status
    assert answer.json["detail"].startswith(detail)


def test_all_invalid_values_are_told_together(client: Client) -> None:
    answer = client.send("PUT", "/things/gate", {"factor": "x", "other": 1})
    assert [line.split(":")[0] for line in answer.json["problems"]] == ["body.name", "body.factor", "body.other"]


def test_many_long_unknown_names_have_a_short_answer(client: Client) -> None:
    answer = client.send("PUT", "/things/gate", {f"{number}{'x' * 10_000}": 1 for number in range(90)})
    assert answer.status == 422
    assert len(answer.content) < 10_000


def test_a_body_of_another_media_type_is_refused_with_the_remedy(client: Client) -> None:
    answer = client("PUT", "/things/gate", b"name=a", Content_Type="application/x-www-form-urlencoded")
    assert answer.status == 415
    assert "'Content-Type: application/json'" in answer.json["detail"]


def test_a_body_that_is_no_json_reaches_its_operation(client: Client) -> None:
    assert client("POST", "/text", b"v=0", Content_Type="application/sdp").content == b"v=0"
    assert client("POST", "/text", b"v=0", Content_Type="application/json").status == 415


def test_a_large_body_is_refused_before_it_is_read(client: Client) -> None:
    answer = client("PUT", "/things/gate", b"", Content_Type="application/json", Content_Length=str(1 << 30))
    assert answer.status == 413
    assert answer.json["detail"] == "the body is too large; send at most 1,048,576 bytes"


@pytest.mark.parametrize("headers", [{}, {"Content_Encoding": "gzip"}], ids=["plain", "compressed"])
def test_a_large_body_of_unknown_length_is_refused(client: Client, headers: dict[str, str]) -> None:
    import gzip

    content = b'"' + b"x" * 3_000_000
    parts = iter(
        [gzip.compress(content)] if headers else [content[at : at + 65_536] for at in range(0, 1_200_000, 65_536)]
    )
    answer = client("PUT", "/things/gate", parts, Content_Type="application/json", **headers)
    assert answer.status == 413


def test_a_body_with_another_encoding_than_told_is_refused(client: Client) -> None:
    answer = client("PUT", "/things/gate", b"plain", Content_Type="application/json", Content_Encoding="gzip")
    assert answer.status == 400


@pytest.mark.parametrize(
    "path",
    ["", "/", "/other", "/things", "/things/", "/things/a/b", "/../things/a", f"/things/{'x' * 300}", "/things/%00"],
)
def test_an_unknown_path_is_a_problem(client: Client, path: str) -> None:
    answer = client("GET", path)
    assert (answer.status, answer.json["title"]) == (404, "Not Found")


def test_another_method_gets_those_that_are_possible(client: Client) -> None:
    answer = client("DELETE", "/things/gate")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, PUT")


def test_the_headers_of_an_answer_can_be_asked_for_alone(client: Client) -> None:
    answer = client("HEAD", "/things/gate")
    assert (answer.status, answer.content) == (200, b"")


def test_a_problem_of_an_operation_has_its_lines_and_headers(client: Client) -> None:
    answer = client("POST", "/fail/problem")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "5")
    assert (answer.json["detail"], answer.json["problems"]) == ("wait", ["one", "two"])


def test_an_error_for_users_is_told_without_credentials(client: Client) -> None:
    SECRETS.remember("hunter22secret", "me")
    answer = client("POST", "/fail/error")
    assert answer.status == 422
    assert answer.json["problems"] == ["camera: rtsp://***@cam/ is wrong", "second line"]


def test_credentials_in_an_answer_are_hidden(client: Client) -> None:
    SECRETS.remember("hunter22secret", "me")
    answer = client.send("PUT", "/things/gate", {"name": 'say "hunter22secret"'})
    assert answer.json["text"] == "gate Change(name='say \"***\"', factor=1.0)"


def test_an_error_of_aiohttp_is_a_problem(client: Client) -> None:
    answer = client("POST", "/fail/aiohttp")
    assert (answer.status, answer.json["detail"]) == (409, "taken already")


def test_a_name_that_is_no_unicode_is_told(client: Client) -> None:
    assert client("POST", "/fail/surrogate").status == 422


def test_an_error_has_one_line(client: Client) -> None:
    answer = client("POST", "/fail/control").json
    assert (answer["detail"], answer["problems"]) == (r"no file a\nb\x1b[2J.mp4", [r"no file a\nb\x1b[2J.mp4"])


def test_an_unexpected_error_is_logged_once_and_not_told(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client("POST", "/fail/unexpected")
    assert answer.status == 500
    assert b"a detail" not in answer.content
    assert [record.getMessage() for record in caplog.records] == ["POST /api/v1/fail/unexpected failed"]


def test_a_websocket_asked_for_as_a_page_is_a_problem(client: Client) -> None:
    answer = client("GET", "/talk")
    assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")


def test_a_model_that_accepts_unknown_names_is_refused_at_the_start(tmp_path: Path) -> None:
    wrong = Operation("POST", "/x", "Wrong.", Access.ANYONE, change, body=Found)
    with guard(tmp_path) as local, pytest.raises(ValueError, match="Found accepts unknown names"):
        routes([wrong], local)

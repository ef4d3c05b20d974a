"""The OpenAPI document of a table of operations."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus

from openapi_spec_validator import OpenAPIV31SpecValidator

from streamer.accounts.roles import Access
from streamer.api import openapi
from streamer.api.operation import WEBSOCKET, Answer, Call, Operation, Values
from tests.api.served import served


class Colour(StrEnum):
    RED = "red"


class Search(Values):
    colour: tuple[Colour, ...] = ()
    """Any of these."""
    name: str


class Thing(Answer):
    """A thing."""

    name: str
    parent: Thing | None = None


async def nothing(call: Call) -> None: ...


OPERATIONS = (
    Operation("GET", "/things", "List things.", Access.VIEWER, nothing, query=Search, answer=Thing),
    Operation("DELETE", "/things/{name}", "Delete.", Access.ADMIN, nothing, others=(HTTPStatus.CONFLICT,)),
    Operation("GET", "/things/{name}/news", "News.", Access.VIEWER, nothing, media=WEBSOCKET, messages=(Thing,)),
    Operation("POST", "/offer", "Offer.", Access.ANYONE, nothing, takes="application/sdp", media="application/sdp"),
)


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(openapi.document(OPERATIONS)).validate()


def test_the_server_has_the_document_with_itself_in_it() -> None:
    with served([*OPERATIONS, openapi.operation(OPERATIONS)]) as client:
        found = client.get("/openapi.json")
    assert list(found["paths"]) == ["/things", "/things/{name}", "/things/{name}/news", "/offer", "/openapi.json"]
    assert found["servers"] == [{"url": "/api/v1"}]
    assert found["components"]["securitySchemes"]["session"]["name"] == f"streamer-{client.address[1]}"


def test_a_query_is_shown_as_parameters_with_their_text() -> None:
    found = openapi.document(OPERATIONS)
    colour, name = found["paths"]["/things"]["get"]["parameters"]
    assert (colour["name"], colour["in"], colour["description"]) == ("colour", "query", "Any of these.")
    assert colour["schema"]["items"] == {"$ref": "#/components/schemas/Colour"}
    assert name["required"]
    assert set(found["components"]["schemas"]) == {"Colour", "ProblemAnswer", "Thing"}


def test_statuses_and_roles_follow_from_the_table() -> None:
    paths = openapi.document(OPERATIONS)["paths"]
    delete = paths["/things/{name}"]["delete"]
    assert list(delete["responses"]) == ["204", "401", "403", "404", "409", "422"]
    assert delete["description"] == "For the role admin."
    assert delete["security"] == [{"session": []}, {"token": []}]
    assert list(paths["/offer"]["post"]["responses"]) == ["200", "400", "403", "408", "413", "415", "422"]
    assert paths["/offer"]["post"]["security"] == []


def test_a_websocket_has_the_schemas_of_its_messages() -> None:
    news = openapi.document(OPERATIONS)["paths"]["/things/{name}/news"]["get"]
    assert news["x-messages"] == [{"$ref": "#/components/schemas/Thing"}]
    assert "101" in news["responses"]

"""Requests made from the OpenAPI document, right and wrong ones: no answer is 500, and each is as documented."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from streamer.api.openapi import BASE
from streamer.values.events import EventPhase
from tests.api.served import TIMEOUT_S, Client
from tests.api.sites import Served, served_site
from tests.store.stores import DEADLINE_S, NOON, add_clip, ended

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("starter_weights")]
EXAMPLES = 6
PARTS = ("browser-cameras", "cameras", "events", "log", "openapi", "probe", "session", "status", "system", "whep")
TOO_LONG = "Got more than"
"""What aiohttp answers to a URL of more than 8 KiB, before the API sees it."""
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
CAMERA = {"source": {"uri": "lavfi:testsrc2=size=64x48:rate=25", "live": True}}


@schemathesis.serializer("application/sdp")
def sdp(ctx: object, value: object) -> bytes:  # noqa: ARG001
    """Schemathesis knows no text in this media type."""
    return str(value).encode()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    """A site with a camera and events."""
    sections: dict[str, Any] = {
        "detector": {"name": "starter", "workers": 1},
        "cameras": {"gate": CAMERA},
        "store": {"folder": str(tmp_path / "events"), "keep_days": None, "min_free_gb": 0},
    }
    with served_site(tmp_path, **sections) as site:
        for number in range(5):
            record = ended(NOON + number, label="Person", zones=("drive",))
            site.store.save(record, EventPhase.END)
            add_clip(site.store, record)
        assert site.store.flush(DEADLINE_S)
        yield site


def test_the_document_of_the_whole_api_is_valid(site: Served) -> None:
    OpenAPIV31SpecValidator(site.client.get("/openapi.json")).validate()


def test_every_part_of_the_api_is_tested(site: Served) -> None:
    found = {path.split("/")[1].partition(".")[0] for path in site.client.get("/openapi.json")["paths"]}
    assert found <= set(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_no_request_gets_an_answer_that_is_not_documented(site: Served, part: str) -> None:
    failures = []
    for operation in operations_of(site.client, part):
        for known in known_values(site, operation):
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                try:
                    send_many(site.client, operation, mode, known)
                except hypothesis.errors.Unsatisfiable:
                    continue  # there is nothing wrong to send
                except (Exception, FailureGroup) as error:
                    failures.append(f"{mode.name} {operation.label}: {error}")
    assert not failures, "\n\n".join(failures)


def operations_of(client: Client, part: str) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    """The operations of a part whose answers end."""
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json"))
    for found in schema.include(tag=part).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if not operation.path.endswith(".mjpg"):
            yield operation


def known_values(site: Served, operation: APIOperation[Any, Any, Any, Any]) -> list[dict[str, str] | None]:
    """Paths with what there is, and with anything."""
    if "/events/{id}" in operation.path:
        return [None, {"id": site.store.find(limit=1)[0].id}]
    return [None, {"name": "gate"}] if "{name}" in operation.path else [None]


def send_many(
    client: Client, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, known: dict[str, str] | None
) -> None:
    host, port = client.address
    strategy = operation.as_strategy(mode, path_parameters=known)

    @hypothesis.settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @hypothesis.given(case=strategy)
    def send(case: schemathesis.Case[Any]) -> None:
        response = case.call(base_url=f"http://{host}:{port}{BASE}", timeout=TIMEOUT_S)
        if response.status_code != HTTPStatus.BAD_REQUEST or TOO_LONG not in response.text:
            case.validate_response(response, checks=CHECKS)

    send()

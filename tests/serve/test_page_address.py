"""The page gives way to outputs at its default address; an address that is given must be free of them."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.config.section import validated
from streamer.config.site import SiteSettings
from streamer.errors import ConfigError
from streamer.serve.checks.file import check_site
from streamer.serve.checks.page import page_problems


def site_with(output: str, **sections: Any) -> SiteSettings:
    camera = {"source": {"uri": "rtsp://192.0.2.10/1"}, "outputs": [{"to": output}]}
    return validated(SiteSettings, {"cameras": {"front": camera}, **sections})


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("http://0.0.0.0:8080/front", "has the port of the page"),
        ("http://127.0.0.1:8080/", "has a path of the page"),
        ("http://127.0.0.1:8080/api/front", "has a path of the page"),
        ("http://localhost:8080/healthz", "has a path of the page"),
    ],
)
def test_an_output_in_the_way_is_told(output: str, why: str) -> None:
    (problem,) = page_problems(site_with(output))
    assert why in problem
    assert problem.startswith("cameras.front.outputs.0.to: http://")
    assert problem.endswith("give it another port, or set web.address")


@pytest.mark.parametrize(
    "output", ["http://127.0.0.1:8080/front", "http://0.0.0.0:8081/", "front.jsonl", "http://localhost:8080/apiary"]
)
def test_other_outputs_share_the_server_of_the_page(output: str) -> None:
    assert page_problems(site_with(output)) == []


def test_metrics_need_another_port() -> None:
    (problem,) = page_problems(site_with("front.jsonl", metrics={"address": ":8080"}))
    assert problem.startswith("metrics.address: :8080 is the address of the page")


def test_an_address_that_is_given_is_refused_and_the_default_is_not() -> None:
    check_site(site_with("http://127.0.0.1:8080/"))
    with pytest.raises(ConfigError, match="has a path of the page"):
        check_site(site_with("http://127.0.0.1:8080/", web={"address": "127.0.0.1:8080"}))


def test_a_site_without_a_page_has_no_such_problem() -> None:
    assert page_problems(site_with("http://127.0.0.1:8080/", web={"address": None})) == []

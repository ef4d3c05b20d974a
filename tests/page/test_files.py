"""The page is served with its files, and nothing else of the disk."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from streamer.page.files import FOLDER, routes
from streamer.web.server import LOOPBACK, WebPages

FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())


@pytest.fixture
def url() -> Iterator[str]:
    with WebPages("the page", LOOPBACK, 0, routes()) as pages:
        yield pages.url


@pytest.mark.parametrize("name", [name for name in FILES if name != "index.html"])
def test_every_file_is_served_with_its_type(url: str, name: str) -> None:
    answer = requests.get(f"{url}assets/{name}", timeout=5)
    assert answer.content == (FOLDER / name).read_bytes()
    kinds = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    assert answer.headers["Content-Type"].startswith(kinds[name.rpartition(".")[2]])


def test_a_file_that_the_browser_has_is_not_sent_again(url: str) -> None:
    first = requests.get(f"{url}assets/page.css", timeout=5)
    again = requests.get(f"{url}assets/page.css", timeout=5, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert not again.content


@pytest.mark.parametrize("path", ["../files.py", "%2e%2e/files.py", "views/../../files.py", "views", "nothing.js"])
def test_no_path_reaches_the_disk(url: str, path: str) -> None:
    request = requests.Request("GET", url).prepare()
    request.url = f"{url}assets/{path}"  # requests would resolve the dots
    with requests.Session() as session:
        assert session.send(request, timeout=5).status_code == 404


def test_the_page_allows_its_own_scripts_only(url: str) -> None:
    policy = requests.get(url, timeout=5).headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", FILES)
def test_no_file_has_inline_scripts_or_styles(name: str) -> None:
    """The policy refuses them: scripts are modules of their own, styles are in style sheets."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    if name.endswith(".html"):
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", text)
    if name.endswith(".js"):
        assert "innerHTML" not in text
        assert "eval(" not in text


def test_nothing_is_loaded_from_elsewhere() -> None:
    allowed = {"http://www.w3.org/2000/svg"}  # the name space of SVG
    for name in FILES:
        text = (FOLDER / name).read_text(encoding="utf-8")
        assert set(re.findall(r"https?://[\w./-]+", text)) <= allowed, name

"""Handles: addresses, paths and keys."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.detector import DetectorSettings
from streamer.detectors import selection
from streamer.errors import ModelError
from streamer.models import handles, listing, store
from streamer.models.handles import HUB_HANDLE, HUB_MODULE, Url


def parsed(text: str) -> Url:
    found = handles.parse(text)
    assert isinstance(found, Url)
    return found


@pytest.mark.parametrize(
    "handle",
    [
        HUB_HANDLE,
        "https://www.kaggle.com/models/google/faster-rcnn-inception-resnet-v2/tensorFlow1/openimages-v4/1",
        "http://example.org:8080/m.tar.gz?version=2",
    ],
)
def test_entries_are_named_as_tensorflow_hub_names_them(handle: str) -> None:
    assert parsed(handle).key == hashlib.sha1(handle.encode()).hexdigest()


def test_the_short_name_is_the_handle() -> None:
    assert parsed(HUB_MODULE) == parsed(HUB_HANDLE)


def test_paths() -> None:
    assert handles.parse("some/module") == Path("some/module")
    assert handles.parse("m.tar.gz") == Path("m.tar.gz")
    assert handles.parse("~/m") == Path.home() / "m"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gs://bucket/m.tar.gz", "only http"),
        ("https://", "no host"),
        ("https:///m/1", "no host"),
        ("http://[::1/m", "no URL"),
        ("http://ann:s3cret@host:port/m", "no URL"),
        ("ftp://ann:s3cret@host/m?token=s3cret", "only http"),
    ],
)
def test_invalid_addresses(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        handles.parse(text)
    assert "s3cret" not in str(caught.value)


def test_the_key_does_not_depend_on_the_login() -> None:
    plain = parsed("https://example.org/m.tar.gz?version=2")
    for other in (
        "https://ann:s3cret@example.org/m.tar.gz?version=2",
        "https://example.org/m.tar.gz?version=2&token=s3cret",
        "https://example.org/m.tar.gz?version=2&X-Amz-Signature=s3cret&X-Amz-Date=1",
    ):
        assert parsed(other).key == plain.key
    assert parsed("https://example.org/m.tar.gz?version=3&token=s3cret").key != plain.key


def test_a_page_is_asked_for_its_archive() -> None:
    assert parsed(HUB_HANDLE).archive_address == f"{HUB_HANDLE}?tf-hub-format=compressed"
    page = "https://example.org/m?file=a.tar.gz"
    assert parsed(page).archive_address == f"{page}&tf-hub-format=compressed"
    for archive in ("https://example.org/m.TAR.GZ?x=1", "https://example.org/m.tgz"):
        assert parsed(archive).archive_address == archive


word = st.text("abcXYZ019", min_size=6, max_size=12)


@given(user=word, password=word, token=word, path=word)
def test_no_part_of_a_login_is_shown(user: str, password: str, token: str, path: str) -> None:
    url = parsed(f"https://U{user}:P{password}@host.example/{path}?token=T{token}")
    shown = f"{url.shown} {url!r} {url.key}"
    assert url.shown == f"https://host.example/{path}"
    assert not any(secret in shown for secret in (f"U{user}", f"P{password}", f"T{token}"))


@pytest.mark.parametrize(
    "spelling",
    [
        "HTTPS://Example.org/m/1",
        "https://example.org:443/m/1",
        "https://example.org/m/1/",
        "https://example.org/m/1#readme",
        "https://example.org/m/1?tf-hub-format=compressed",
        "https://me:secret@example.org/m/1",
    ],
)
def test_spellings_of_one_address_have_one_entry(spelling: str) -> None:
    assert parsed(spelling).key == parsed("https://example.org/m/1").key


@pytest.mark.parametrize(
    "other",
    ["https://example.org/M/1", "http://example.org/m/1", "https://example.org:80/m/1", "https://example.org/m/1?v=2"],
)
def test_other_addresses_have_other_entries(other: str) -> None:
    assert parsed(other).key != parsed("https://example.org/m/1").key


def test_the_archive_of_a_page_is_asked_for_once() -> None:
    asked = "https://example.org/m/1?tf-hub-format=compressed"
    assert parsed("https://example.org/m/1").archive_address == asked
    assert parsed(asked).archive_address == asked


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tfhub.dev/google/m/1", "https://tfhub.dev/google/m/1"),
        ("www.kaggle.com/models/a/b/tensorFlow2/c/1", "https://www.kaggle.com/models/a/b/tensorFlow2/c/1"),
        ("google/faster-rcnn/tensorFlow1/openimages-v4/1", "https://www.kaggle.com/models/google/faster-rcnn/tensor"),
        ("C:\\models\\ssd", "a path of Windows; name the file as this system does, in WSL as /mnt/c/models/ssd"),
        ("\\\\server\\ssd", "a path of Windows; name the file as this system does"),
    ],
)
def test_a_name_that_is_nearly_a_handle_gets_the_line_that_helps(text: str, told: str) -> None:
    for take in (store.fetch, listing.check, lambda name: selection.labels_of(DetectorSettings(name=name))):
        with pytest.raises(ModelError) as caught:
            take(text)
        assert told in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "http://gpu:8000/v2/models/yolo11n",
        "https://example.org/triton/v2/models/yolo11n/versions/3",
        "grpc://gpu:8001/yolo11n",
        "kserve://gpu:8000/v2/models/yolo11n",
        "kserve+grpc://gpu:8001/v2/models/yolo11n",
        "triton://me:secret@gpu/yolo11n",
    ],
)
def test_a_model_on_a_server_is_no_module(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        handles.parse(text)
    assert "kserve+http://HOST:8000/v2/models/NAME" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_archive_below_a_folder_with_such_a_name_is_a_module() -> None:
    assert isinstance(handles.parse("https://example.org/v2/models/ssd.tar.gz"), handles.Url)


@pytest.mark.parametrize("text", ["person", "models/ssd", "a/b/c/d", "clip.mp4", "tfhub.dev"])
def test_other_names_get_no_such_line(text: str) -> None:
    assert handles.hint(text) == ""
